
package com.example.treble.events;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * Condition
 * <p>
 * What it was compared with.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "operator",
    "value"
})
public class Condition {

    /**
     * How it was compared; DEFAULT is the path for all the rest.
     * 
     */
    @JsonProperty("operator")
    @JsonPropertyDescription("How it was compared; DEFAULT is the path for all the rest.")
    private String operator;
    /**
     * The operand of the path.
     * 
     */
    @JsonProperty("value")
    @JsonPropertyDescription("The operand of the path.")
    private String value;

    /**
     * How it was compared; DEFAULT is the path for all the rest.
     * 
     */
    @JsonProperty("operator")
    public String getOperator() {
        return operator;
    }

    /**
     * The operand of the path.
     * 
     */
    @JsonProperty("value")
    public String getValue() {
        return value;
    }

}
