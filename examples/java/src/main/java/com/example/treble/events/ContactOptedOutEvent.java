
package com.example.treble.events;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import com.example.treble.TrebleEvent;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * ContactOptedOutEvent
 * <p>
 * When the person chose an answer that the flow marks as opting out.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "id",
    "type",
    "schema_version",
    "source",
    "occurred_at",
    "received_at",
    "contact",
    "session_id",
    "flow_id",
    "session_keys",
    "data",
    "notes",
    "raw"
})
public class ContactOptedOutEvent implements TrebleEvent
{

    /**
     * The event's id: the same webhook has the same one, whenever and wherever it arrives.
     * (Required)
     * 
     */
    @JsonProperty("id")
    @JsonPropertyDescription("The event's id: the same webhook has the same one, whenever and wherever it arrives.")
    private java.lang.String id;
    /**
     * What happened.
     * (Required)
     * 
     */
    @JsonProperty("type")
    @JsonPropertyDescription("What happened.")
    private java.lang.String type;
    /**
     * Changes inside a version only add.
     * (Required)
     * 
     */
    @JsonProperty("schema_version")
    @JsonPropertyDescription("Changes inside a version only add.")
    private Integer schemaVersion;
    /**
     * The account at Treble, as the bridge's configuration names it.
     * (Required)
     * 
     */
    @JsonProperty("source")
    @JsonPropertyDescription("The account at Treble, as the bridge's configuration names it.")
    private java.lang.String source;
    /**
     * When it happened; where the body has no time of its own, when it arrived.
     * (Required)
     * 
     */
    @JsonProperty("occurred_at")
    @JsonPropertyDescription("When it happened; where the body has no time of its own, when it arrived.")
    private Instant occurredAt;
    /**
     * When the webhook arrived.
     * (Required)
     * 
     */
    @JsonProperty("received_at")
    @JsonPropertyDescription("When the webhook arrived.")
    private Instant receivedAt;
    /**
     * Contact
     * <p>
     * The person. Absent where the body names none; parts that it does not have are absent.
     * 
     */
    @JsonProperty("contact")
    @JsonPropertyDescription("The person. Absent where the body names none; parts that it does not have are absent.")
    private Contact contact;
    /**
     * Treble's id of the conversation. Opaque.
     * (Required)
     * 
     */
    @JsonProperty("session_id")
    @JsonPropertyDescription("Treble's id of the conversation. Opaque.")
    private java.lang.String sessionId;
    /**
     * Treble's id of the flow. Opaque.
     * 
     */
    @JsonProperty("flow_id")
    @JsonPropertyDescription("Treble's id of the flow. Opaque.")
    private java.lang.String flowId;
    /**
     * SessionKeys
     * <p>
     * The conversation's variables: text, or an object of scalars for a location.
     * 
     */
    @JsonProperty("session_keys")
    @JsonPropertyDescription("The conversation's variables: text, or an object of scalars for a location.")
    private Map<String, Object> sessionKeys;
    /**
     * ContactOptedOutData
     * <p>
     * When the person chose an answer that the flow marks as opting out.
     * (Required)
     * 
     */
    @JsonProperty("data")
    @JsonPropertyDescription("When the person chose an answer that the flow marks as opting out.")
    private ContactOptedOutData data;
    /**
     * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
     * 
     */
    @JsonProperty("notes")
    @JsonPropertyDescription("What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.")
    private List<java.lang.String> notes;
    /**
     * The body as Treble sent it. Absent where the configuration leaves it out.
     * 
     */
    @JsonProperty("raw")
    @JsonPropertyDescription("The body as Treble sent it. Absent where the configuration leaves it out.")
    private java.lang.Object raw;

    /**
     * The event's id: the same webhook has the same one, whenever and wherever it arrives.
     * (Required)
     * 
     */
    @JsonProperty("id")
    public java.lang.String getId() {
        return id;
    }

    /**
     * What happened.
     * (Required)
     * 
     */
    @JsonProperty("type")
    public java.lang.String getType() {
        return type;
    }

    /**
     * Changes inside a version only add.
     * (Required)
     * 
     */
    @JsonProperty("schema_version")
    public Integer getSchemaVersion() {
        return schemaVersion;
    }

    /**
     * The account at Treble, as the bridge's configuration names it.
     * (Required)
     * 
     */
    @JsonProperty("source")
    public java.lang.String getSource() {
        return source;
    }

    /**
     * When it happened; where the body has no time of its own, when it arrived.
     * (Required)
     * 
     */
    @JsonProperty("occurred_at")
    public Instant getOccurredAt() {
        return occurredAt;
    }

    /**
     * When the webhook arrived.
     * (Required)
     * 
     */
    @JsonProperty("received_at")
    public Instant getReceivedAt() {
        return receivedAt;
    }

    /**
     * Contact
     * <p>
     * The person. Absent where the body names none; parts that it does not have are absent.
     * 
     */
    @JsonProperty("contact")
    public Contact getContact() {
        return contact;
    }

    /**
     * Treble's id of the conversation. Opaque.
     * (Required)
     * 
     */
    @JsonProperty("session_id")
    public java.lang.String getSessionId() {
        return sessionId;
    }

    /**
     * Treble's id of the flow. Opaque.
     * 
     */
    @JsonProperty("flow_id")
    public java.lang.String getFlowId() {
        return flowId;
    }

    /**
     * SessionKeys
     * <p>
     * The conversation's variables: text, or an object of scalars for a location.
     * 
     */
    @JsonProperty("session_keys")
    public Map<String, Object> getSessionKeys() {
        return sessionKeys;
    }

    /**
     * ContactOptedOutData
     * <p>
     * When the person chose an answer that the flow marks as opting out.
     * (Required)
     * 
     */
    @JsonProperty("data")
    public ContactOptedOutData getData() {
        return data;
    }

    /**
     * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
     * 
     */
    @JsonProperty("notes")
    public List<java.lang.String> getNotes() {
        return notes;
    }

    /**
     * The body as Treble sent it. Absent where the configuration leaves it out.
     * 
     */
    @JsonProperty("raw")
    public java.lang.Object getRaw() {
        return raw;
    }

}
