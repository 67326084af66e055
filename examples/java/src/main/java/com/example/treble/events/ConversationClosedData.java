
package com.example.treble.events;

import java.time.Instant;
import java.util.List;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * ConversationClosedData
 * <p>
 * When the person answered a final block, or the time for automatic closing is over.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "closed_at",
    "timestamp",
    "template",
    "messages"
})
public class ConversationClosedData {

    /**
     * When the conversation ended.
     * 
     */
    @JsonProperty("closed_at")
    @JsonPropertyDescription("When the conversation ended.")
    private Instant closedAt;
    /**
     * When Treble reported it.
     * 
     */
    @JsonProperty("timestamp")
    @JsonPropertyDescription("When Treble reported it.")
    private Instant timestamp;
    /**
     * The template that opened the conversation.
     * 
     */
    @JsonProperty("template")
    @JsonPropertyDescription("The template that opened the conversation.")
    private String template;
    /**
     * What was said, in order.
     * 
     */
    @JsonProperty("messages")
    @JsonPropertyDescription("What was said, in order.")
    private List<Message> messages;

    /**
     * When the conversation ended.
     * 
     */
    @JsonProperty("closed_at")
    public Instant getClosedAt() {
        return closedAt;
    }

    /**
     * When Treble reported it.
     * 
     */
    @JsonProperty("timestamp")
    public Instant getTimestamp() {
        return timestamp;
    }

    /**
     * The template that opened the conversation.
     * 
     */
    @JsonProperty("template")
    public String getTemplate() {
        return template;
    }

    /**
     * What was said, in order.
     * 
     */
    @JsonProperty("messages")
    public List<Message> getMessages() {
        return messages;
    }

}
