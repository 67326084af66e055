
package com.example.treble.events;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * TrebleEvents
 * <p>
 * Every event type, with the event that has it.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "condition.evaluated",
    "contact.opted_out",
    "conversation.closed",
    "deployment.failed",
    "hsm.status_changed",
    "message.delivered",
    "message.read",
    "message.responded",
    "message.timed_out",
    "unknown"
})
public class TrebleEvents {

    /**
     * ConditionEvaluatedEvent
     * <p>
     * When a conversation leaves a condition block by the path that carries the webhook.
     * 
     */
    @JsonProperty("condition.evaluated")
    @JsonPropertyDescription("When a conversation leaves a condition block by the path that carries the webhook.")
    private ConditionEvaluatedEvent conditionEvaluated;
    /**
     * ContactOptedOutEvent
     * <p>
     * When the person chose an answer that the flow marks as opting out.
     * 
     */
    @JsonProperty("contact.opted_out")
    @JsonPropertyDescription("When the person chose an answer that the flow marks as opting out.")
    private ContactOptedOutEvent contactOptedOut;
    /**
     * ConversationClosedEvent
     * <p>
     * When the person answered a final block, or the time for automatic closing is over.
     * 
     */
    @JsonProperty("conversation.closed")
    @JsonPropertyDescription("When the person answered a final block, or the time for automatic closing is over.")
    private ConversationClosedEvent conversationClosed;
    /**
     * DeploymentFailedEvent
     * <p>
     * When Treble gave up sending a template to a person.
     * 
     */
    @JsonProperty("deployment.failed")
    @JsonPropertyDescription("When Treble gave up sending a template to a person.")
    private DeploymentFailedEvent deploymentFailed;
    /**
     * HsmStatusChangedEvent
     * <p>
     * When WhatsApp approves, rejects, pauses or disables a template.
     * 
     */
    @JsonProperty("hsm.status_changed")
    @JsonPropertyDescription("When WhatsApp approves, rejects, pauses or disables a template.")
    private HsmStatusChangedEvent hsmStatusChanged;
    /**
     * MessageDeliveredEvent
     * <p>
     * When the message of a block was delivered to the phone.
     * 
     */
    @JsonProperty("message.delivered")
    @JsonPropertyDescription("When the message of a block was delivered to the phone.")
    private MessageDeliveredEvent messageDelivered;
    /**
     * MessageReadEvent
     * <p>
     * When the person opened the message of a block.
     * 
     */
    @JsonProperty("message.read")
    @JsonPropertyDescription("When the person opened the message of a block.")
    private MessageReadEvent messageRead;
    /**
     * MessageRespondedEvent
     * <p>
     * When the person answered the message of a block.
     * 
     */
    @JsonProperty("message.responded")
    @JsonPropertyDescription("When the person answered the message of a block.")
    private MessageRespondedEvent messageResponded;
    /**
     * MessageTimedOutEvent
     * <p>
     * When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.
     * 
     */
    @JsonProperty("message.timed_out")
    @JsonPropertyDescription("When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.")
    private MessageTimedOutEvent messageTimedOut;
    /**
     * UnknownEvent
     * <p>
     * When `event_type` holds a value that this version does not know.
     * 
     */
    @JsonProperty("unknown")
    @JsonPropertyDescription("When `event_type` holds a value that this version does not know.")
    private UnknownEvent unknown;

    /**
     * ConditionEvaluatedEvent
     * <p>
     * When a conversation leaves a condition block by the path that carries the webhook.
     * 
     */
    @JsonProperty("condition.evaluated")
    public ConditionEvaluatedEvent getConditionEvaluated() {
        return conditionEvaluated;
    }

    /**
     * ContactOptedOutEvent
     * <p>
     * When the person chose an answer that the flow marks as opting out.
     * 
     */
    @JsonProperty("contact.opted_out")
    public ContactOptedOutEvent getContactOptedOut() {
        return contactOptedOut;
    }

    /**
     * ConversationClosedEvent
     * <p>
     * When the person answered a final block, or the time for automatic closing is over.
     * 
     */
    @JsonProperty("conversation.closed")
    public ConversationClosedEvent getConversationClosed() {
        return conversationClosed;
    }

    /**
     * DeploymentFailedEvent
     * <p>
     * When Treble gave up sending a template to a person.
     * 
     */
    @JsonProperty("deployment.failed")
    public DeploymentFailedEvent getDeploymentFailed() {
        return deploymentFailed;
    }

    /**
     * HsmStatusChangedEvent
     * <p>
     * When WhatsApp approves, rejects, pauses or disables a template.
     * 
     */
    @JsonProperty("hsm.status_changed")
    public HsmStatusChangedEvent getHsmStatusChanged() {
        return hsmStatusChanged;
    }

    /**
     * MessageDeliveredEvent
     * <p>
     * When the message of a block was delivered to the phone.
     * 
     */
    @JsonProperty("message.delivered")
    public MessageDeliveredEvent getMessageDelivered() {
        return messageDelivered;
    }

    /**
     * MessageReadEvent
     * <p>
     * When the person opened the message of a block.
     * 
     */
    @JsonProperty("message.read")
    public MessageReadEvent getMessageRead() {
        return messageRead;
    }

    /**
     * MessageRespondedEvent
     * <p>
     * When the person answered the message of a block.
     * 
     */
    @JsonProperty("message.responded")
    public MessageRespondedEvent getMessageResponded() {
        return messageResponded;
    }

    /**
     * MessageTimedOutEvent
     * <p>
     * When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.
     * 
     */
    @JsonProperty("message.timed_out")
    public MessageTimedOutEvent getMessageTimedOut() {
        return messageTimedOut;
    }

    /**
     * UnknownEvent
     * <p>
     * When `event_type` holds a value that this version does not know.
     * 
     */
    @JsonProperty("unknown")
    public UnknownEvent getUnknown() {
        return unknown;
    }

}
