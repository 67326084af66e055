
package com.example.treble.events;

import java.time.Instant;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * MessageReadData
 * <p>
 * When the person opened the message of a block.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "question",
    "sent_at",
    "sent_text",
    "read_at",
    "business_scope_id"
})
public class MessageReadData {

    /**
     * Question
     * <p>
     * The message block that this is about, as the flow defines it.
     * 
     */
    @JsonProperty("question")
    @JsonPropertyDescription("The message block that this is about, as the flow defines it.")
    private Question question;
    /**
     * When the message was sent.
     * 
     */
    @JsonProperty("sent_at")
    @JsonPropertyDescription("When the message was sent.")
    private Instant sentAt;
    /**
     * The text that was sent, variables filled in.
     * 
     */
    @JsonProperty("sent_text")
    @JsonPropertyDescription("The text that was sent, variables filled in.")
    private String sentText;
    /**
     * When the message was opened.
     * 
     */
    @JsonProperty("read_at")
    @JsonPropertyDescription("When the message was opened.")
    private Instant readAt;
    /**
     * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
     * 
     */
    @JsonProperty("business_scope_id")
    @JsonPropertyDescription("WhatsApp's id of the person within the business, as it was sent; read in `contact`.")
    private String businessScopeId;

    /**
     * Question
     * <p>
     * The message block that this is about, as the flow defines it.
     * 
     */
    @JsonProperty("question")
    public Question getQuestion() {
        return question;
    }

    /**
     * When the message was sent.
     * 
     */
    @JsonProperty("sent_at")
    public Instant getSentAt() {
        return sentAt;
    }

    /**
     * The text that was sent, variables filled in.
     * 
     */
    @JsonProperty("sent_text")
    public String getSentText() {
        return sentText;
    }

    /**
     * When the message was opened.
     * 
     */
    @JsonProperty("read_at")
    public Instant getReadAt() {
        return readAt;
    }

    /**
     * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
     * 
     */
    @JsonProperty("business_scope_id")
    public String getBusinessScopeId() {
        return businessScopeId;
    }

}
