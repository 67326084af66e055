
package com.example.treble.events;

import java.util.List;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * Question
 * <p>
 * The message block that this is about, as the flow defines it.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "type",
    "text",
    "answers"
})
public class Question {

    /**
     * Whether the block offers answers.
     * 
     */
    @JsonProperty("type")
    @JsonPropertyDescription("Whether the block offers answers.")
    private String type;
    /**
     * The block's text, before variables are filled in.
     * 
     */
    @JsonProperty("text")
    @JsonPropertyDescription("The block's text, before variables are filled in.")
    private String text;
    /**
     * The answers that a closed block offers.
     * 
     */
    @JsonProperty("answers")
    @JsonPropertyDescription("The answers that a closed block offers.")
    private List<String> answers;

    /**
     * Whether the block offers answers.
     * 
     */
    @JsonProperty("type")
    public String getType() {
        return type;
    }

    /**
     * The block's text, before variables are filled in.
     * 
     */
    @JsonProperty("text")
    public String getText() {
        return text;
    }

    /**
     * The answers that a closed block offers.
     * 
     */
    @JsonProperty("answers")
    public List<String> getAnswers() {
        return answers;
    }

}
