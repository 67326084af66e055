
package com.example.treble.events;

import java.time.Instant;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * DeploymentFailedData
 * <p>
 * When Treble gave up sending a template to a person.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "failure_reason",
    "failed_at",
    "timestamp"
})
public class DeploymentFailedData {

    /**
     * Why it was not sent.
     * 
     */
    @JsonProperty("failure_reason")
    @JsonPropertyDescription("Why it was not sent.")
    private String failureReason;
    /**
     * When Treble gave up.
     * 
     */
    @JsonProperty("failed_at")
    @JsonPropertyDescription("When Treble gave up.")
    private Instant failedAt;
    /**
     * When Treble reported it.
     * 
     */
    @JsonProperty("timestamp")
    @JsonPropertyDescription("When Treble reported it.")
    private Instant timestamp;

    /**
     * Why it was not sent.
     * 
     */
    @JsonProperty("failure_reason")
    public String getFailureReason() {
        return failureReason;
    }

    /**
     * When Treble gave up.
     * 
     */
    @JsonProperty("failed_at")
    public Instant getFailedAt() {
        return failedAt;
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
