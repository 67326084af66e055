
package com.example.treble.events;

import java.time.Instant;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * MessageRespondedData
 * <p>
 * When the person answered the message of a block.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "question",
    "sent_at",
    "sent_text",
    "responded_at",
    "actual_response",
    "classified_answer",
    "business_scope_id"
})
public class MessageRespondedData {

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
     * When the person answered.
     * 
     */
    @JsonProperty("responded_at")
    @JsonPropertyDescription("When the person answered.")
    private Instant respondedAt;
    /**
     * What the person wrote, literally.
     * 
     */
    @JsonProperty("actual_response")
    @JsonPropertyDescription("What the person wrote, literally.")
    private String actualResponse;
    /**
     * Which of the block's answers Treble took it for.
     * 
     */
    @JsonProperty("classified_answer")
    @JsonPropertyDescription("Which of the block's answers Treble took it for.")
    private String classifiedAnswer;
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
     * When the person answered.
     * 
     */
    @JsonProperty("responded_at")
    public Instant getRespondedAt() {
        return respondedAt;
    }

    /**
     * What the person wrote, literally.
     * 
     */
    @JsonProperty("actual_response")
    public String getActualResponse() {
        return actualResponse;
    }

    /**
     * Which of the block's answers Treble took it for.
     * 
     */
    @JsonProperty("classified_answer")
    public String getClassifiedAnswer() {
        return classifiedAnswer;
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
