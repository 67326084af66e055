package com.example.treble;

import com.example.treble.events.ConditionEvaluatedEvent;
import com.example.treble.events.ContactOptedOutEvent;
import com.example.treble.events.ConversationClosedEvent;
import com.example.treble.events.DeploymentFailedEvent;
import com.example.treble.events.HsmStatusChangedEvent;
import com.example.treble.events.MessageDeliveredEvent;
import com.example.treble.events.MessageReadEvent;
import com.example.treble.events.MessageRespondedEvent;
import com.example.treble.events.MessageTimedOutEvent;
import com.example.treble.events.UnknownEvent;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** An event as a line of text. */
final class Line {
    private Line() {}

    static String of(TrebleEvent event) {
        var at = event.getOccurredAt().truncatedTo(ChronoUnit.SECONDS);
        var phone = event.getContact() != null ? masked(event.getContact().getPhone()) : "-";
        return String.join(" ", at.toString(), event.getType(), phone, told(event));
    }

    /** What the type's own fields say. Most of them may be absent. */
    private static String told(TrebleEvent event) {
        if (event instanceof MessageDeliveredEvent delivered) {
            return "after=" + seconds(delivered.getData().getSentAt(), delivered.getData().getDeliveredAt());
        } else if (event instanceof MessageReadEvent read) {
            return "after=" + seconds(read.getData().getSentAt(), read.getData().getReadAt());
        } else if (event instanceof MessageRespondedEvent responded) {
            var answer = responded.getData().getClassifiedAnswer();
            return "answer=" + (answer != null ? answer : responded.getData().getActualResponse());
        } else if (event instanceof MessageTimedOutEvent timedOut) {
            var question = timedOut.getData().getQuestion();
            return "question=" + (question != null ? question.getText() : null);
        } else if (event instanceof ContactOptedOutEvent optedOut) {
            return "reason=" + optedOut.getData().getReason();
        } else if (event instanceof ConditionEvaluatedEvent evaluated) {
            var key = evaluated.getData().getVariable();
            var asked = evaluated.getData().getCondition();
            return key == null || asked == null
                    ? ""
                    : key.getName() + "=" + key.getValue() + " " + asked.getOperator() + " " + asked.getValue();
        } else if (event instanceof ConversationClosedEvent closed) {
            var messages = closed.getData().getMessages();
            return "messages=" + (messages != null ? messages.size() : 0);
        } else if (event instanceof HsmStatusChangedEvent changed) {
            return "template=" + changed.getData().getTemplate() + " status=" + changed.getData().getStatus();
        } else if (event instanceof DeploymentFailedEvent failed) {
            return "reason=" + failed.getData().getFailureReason();
        } else if (event instanceof UnknownEvent unknown) {
            return "event_type=" + unknown.getData().getEventType();
        }
        return "";
    }

    private static String seconds(Instant start, Instant end) {
        return start != null && end != null ? Duration.between(start, end).toSeconds() + "s" : "?";
    }

    /** {@code +573005550134} → {@code +57******34} */
    private static String masked(String phone) {
        return phone != null && phone.length() > 6
                ? phone.substring(0, 3) + "******" + phone.substring(phone.length() - 2)
                : "-";
    }
}
