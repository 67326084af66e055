
package com.example.treble.events;

import java.time.Instant;
import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonPropertyDescription;
import com.fasterxml.jackson.annotation.JsonPropertyOrder;


/**
 * Message
 * <p>
 * One message.
 * 
 */
@JsonInclude(JsonInclude.Include.NON_NULL)
@JsonPropertyOrder({
    "sender",
    "kind",
    "text",
    "media",
    "created_at"
})
public class Message {

    /**
     * Who wrote it; nothing tells a bot from a human agent.
     * 
     */
    @JsonProperty("sender")
    @JsonPropertyDescription("Who wrote it; nothing tells a bot from a human agent.")
    private String sender;
    /**
     * What it is.
     * 
     */
    @JsonProperty("kind")
    @JsonPropertyDescription("What it is.")
    private String kind;
    /**
     * What was written, or the title of what was chosen.
     * 
     */
    @JsonProperty("text")
    @JsonPropertyDescription("What was written, or the title of what was chosen.")
    private String text;
    /**
     * Media
     * <p>
     * The file, for the other kinds.
     * 
     */
    @JsonProperty("media")
    @JsonPropertyDescription("The file, for the other kinds.")
    private Media media;
    /**
     * When it was written.
     * 
     */
    @JsonProperty("created_at")
    @JsonPropertyDescription("When it was written.")
    private Instant createdAt;

    /**
     * Who wrote it; nothing tells a bot from a human agent.
     * 
     */
    @JsonProperty("sender")
    public String getSender() {
        return sender;
    }

    /**
     * What it is.
     * 
     */
    @JsonProperty("kind")
    public String getKind() {
        return kind;
    }

    /**
     * What was written, or the title of what was chosen.
     * 
     */
    @JsonProperty("text")
    public String getText() {
        return text;
    }

    /**
     * Media
     * <p>
     * The file, for the other kinds.
     * 
     */
    @JsonProperty("media")
    public Media getMedia() {
        return media;
    }

    /**
     * When it was written.
     * 
     */
    @JsonProperty("created_at")
    public Instant getCreatedAt() {
        return createdAt;
    }

}
