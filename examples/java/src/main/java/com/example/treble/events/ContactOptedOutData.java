
package com.example.treble.events;

import java.time.Instant;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * ContactOptedOutData
 * <p>
 * When the person chose an answer that the flow marks as opting out.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "question",
    "sent_at",
    "sent_text",
    "classified_answer",
    "reason",
    "business_scope_id"
})
public class ContactOptedOutData {

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
     * The answer that means opting out.
     * 
     */
    @JsonProperty("classified_answer")
    @JsonPropertyDescription("The answer that means opting out.")
    private String classifiedAnswer;
    /**
     * Why the contact is blocked.
     * 
     */
    @JsonProperty("reason")
    @JsonPropertyDescription("Why the contact is blocked.")
    private String reason;
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
     * The answer that means opting out.
     * 
     */
    @JsonProperty("classified_answer")
    public String getClassifiedAnswer() {
        return classifiedAnswer;
    }

    /**
     * Why the contact is blocked.
     * 
     */
    @JsonProperty("reason")
    public String getReason() {
        return reason;
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
