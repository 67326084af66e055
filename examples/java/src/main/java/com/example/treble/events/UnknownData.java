
package com.example.treble.events;

import java.time.Instant;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * UnknownData
 * <p>
 * When `event_type` holds a value that this version does not know.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "event_type",
    "timestamp"
})
public class UnknownData {

    /**
     * Treble's own name of the event.
     * 
     */
    @JsonProperty("event_type")
    @JsonPropertyDescription("Treble's own name of the event.")
    private String eventType;
    /**
     * When Treble reported it.
     * 
     */
    @JsonProperty("timestamp")
    @JsonPropertyDescription("When Treble reported it.")
    private Instant timestamp;

    /**
     * Treble's own name of the event.
     * 
     */
    @JsonProperty("event_type")
    public String getEventType() {
        return eventType;
    }

    /**
     * When Treble reported it.
     * 
     */
    @JsonProperty("timestamp")
    public Instant getTimestamp() {
        return timestamp;
    }

}
