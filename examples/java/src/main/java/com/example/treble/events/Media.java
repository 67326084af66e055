
package com.example.treble.events;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * Media
 * <p>
 * The file, for the other kinds.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "url",
    "caption"
})
public class Media {

    /**
     * Where it is.
     * 
     */
    @JsonProperty("url")
    @JsonPropertyDescription("Where it is.")
    private String url;
    /**
     * The text beside it.
     * 
     */
    @JsonProperty("caption")
    @JsonPropertyDescription("The text beside it.")
    private String caption;

    /**
     * Where it is.
     * 
     */
    @JsonProperty("url")
    public String getUrl() {
        return url;
    }

    /**
     * The text beside it.
     * 
     */
    @JsonProperty("caption")
    public String getCaption() {
        return caption;
    }

}
