
package com.example.treble.events;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * ConditionEvaluatedData
 * <p>
 * When a conversation leaves a condition block by the path that carries the webhook.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "variable",
    "condition",
    "business_scope_id"
})
public class ConditionEvaluatedData {

    /**
     * Variable
     * <p>
     * The session key that was looked at.
     * 
     */
    @JsonProperty("variable")
    @JsonPropertyDescription("The session key that was looked at.")
    private Variable variable;
    /**
     * Condition
     * <p>
     * What it was compared with.
     * 
     */
    @JsonProperty("condition")
    @JsonPropertyDescription("What it was compared with.")
    private Condition condition;
    /**
     * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
     * 
     */
    @JsonProperty("business_scope_id")
    @JsonPropertyDescription("WhatsApp's id of the person within the business, as it was sent; read in `contact`.")
    private String businessScopeId;

    /**
     * Variable
     * <p>
     * The session key that was looked at.
     * 
     */
    @JsonProperty("variable")
    public Variable getVariable() {
        return variable;
    }

    /**
     * Condition
     * <p>
     * What it was compared with.
     * 
     */
    @JsonProperty("condition")
    public Condition getCondition() {
        return condition;
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
