package com.example.treble;

import com.example.treble.events.ConditionEvaluatedEvent;
import com.example.treble.events.Contact;
import com.example.treble.events.ContactOptedOutEvent;
import com.example.treble.events.ConversationClosedEvent;
import com.example.treble.events.DeploymentFailedEvent;
import com.example.treble.events.HsmStatusChangedEvent;
import com.example.treble.events.MessageDeliveredEvent;
import com.example.treble.events.MessageReadEvent;
import com.example.treble.events.MessageRespondedEvent;
import com.example.treble.events.MessageTimedOutEvent;
import com.example.treble.events.UnknownEvent;
import com.fasterxml.jackson.annotation.JsonSubTypes;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import java.time.Instant;

/** What all generated events implement: Jackson finds the class by the field {@code type}. */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, include = JsonTypeInfo.As.EXISTING_PROPERTY, property = "type", visible = true)
@JsonSubTypes({
    @JsonSubTypes.Type(name = "condition.evaluated", value = ConditionEvaluatedEvent.class),
    @JsonSubTypes.Type(name = "contact.opted_out", value = ContactOptedOutEvent.class),
    @JsonSubTypes.Type(name = "conversation.closed", value = ConversationClosedEvent.class),
    @JsonSubTypes.Type(name = "deployment.failed", value = DeploymentFailedEvent.class),
    @JsonSubTypes.Type(name = "hsm.status_changed", value = HsmStatusChangedEvent.class),
    @JsonSubTypes.Type(name = "message.delivered", value = MessageDeliveredEvent.class),
    @JsonSubTypes.Type(name = "message.read", value = MessageReadEvent.class),
    @JsonSubTypes.Type(name = "message.responded", value = MessageRespondedEvent.class),
    @JsonSubTypes.Type(name = "message.timed_out", value = MessageTimedOutEvent.class),
    @JsonSubTypes.Type(name = "unknown", value = UnknownEvent.class),
})
public interface TrebleEvent {
    String getId();

    String getType();

    String getSource();

    Instant getOccurredAt();

    Contact getContact();
}
