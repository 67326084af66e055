
package com.example.treble.events;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * Variable
 * <p>
 * The session key that was looked at.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "name",
    "value"
})
public class Variable {

    /**
     * Its name.
     * 
     */
    @JsonProperty("name")
    @JsonPropertyDescription("Its name.")
    private String name;
    /**
     * Its value.
     * 
     */
    @JsonProperty("value")
    @JsonPropertyDescription("Its value.")
    private String value;

    /**
     * Its name.
     * 
     */
    @JsonProperty("name")
    public String getName() {
        return name;
    }

    /**
     * Its value.
     * 
     */
    @JsonProperty("value")
    public String getValue() {
        return value;
    }

}
