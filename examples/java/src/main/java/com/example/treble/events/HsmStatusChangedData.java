
package com.example.treble.events;

import java.time.Instant;
import java.util.List;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * HsmStatusChangedData
 * <p>
 * When WhatsApp approves, rejects, pauses or disables a template.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "template",
    "status",
    "category",
    "reason",
    "affected_flow_ids",
    "timestamp"
})
public class HsmStatusChangedData {

    /**
     * The template's name.
     * (Required)
     * 
     */
    @JsonProperty("template")
    @JsonPropertyDescription("The template's name.")
    private String template;
    /**
     * Its new state.
     * 
     */
    @JsonProperty("status")
    @JsonPropertyDescription("Its new state.")
    private String status;
    /**
     * Its category, where that comes.
     * 
     */
    @JsonProperty("category")
    @JsonPropertyDescription("Its category, where that comes.")
    private String category;
    /**
     * Why, where that comes.
     * 
     */
    @JsonProperty("reason")
    @JsonPropertyDescription("Why, where that comes.")
    private String reason;
    /**
     * The flows that use the template.
     * 
     */
    @JsonProperty("affected_flow_ids")
    @JsonPropertyDescription("The flows that use the template.")
    private List<String> affectedFlowIds;
    /**
     * When Treble reported it.
     * 
     */
    @JsonProperty("timestamp")
    @JsonPropertyDescription("When Treble reported it.")
    private Instant timestamp;

    /**
     * The template's name.
     * (Required)
     * 
     */
    @JsonProperty("template")
    public String getTemplate() {
        return template;
    }

    /**
     * Its new state.
     * 
     */
    @JsonProperty("status")
    public String getStatus() {
        return status;
    }

    /**
     * Its category, where that comes.
     * 
     */
    @JsonProperty("category")
    public String getCategory() {
        return category;
    }

    /**
     * Why, where that comes.
     * 
     */
    @JsonProperty("reason")
    public String getReason() {
        return reason;
    }

    /**
     * The flows that use the template.
     * 
     */
    @JsonProperty("affected_flow_ids")
    public List<String> getAffectedFlowIds() {
        return affectedFlowIds;
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
