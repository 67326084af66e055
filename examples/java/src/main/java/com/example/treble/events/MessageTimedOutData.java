
package com.example.treble.events;

import java.time.Instant;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * MessageTimedOutData
 * <p>
 * When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "question",
    "timeout_at",
    "business_scope_id"
})
public class MessageTimedOutData {

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
     * When the wait for an answer ended.
     * 
     */
    @JsonProperty("timeout_at")
    @JsonPropertyDescription("When the wait for an answer ended.")
    private Instant timeoutAt;
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
     * When the wait for an answer ended.
     * 
     */
    @JsonProperty("timeout_at")
    public Instant getTimeoutAt() {
        return timeoutAt;
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
