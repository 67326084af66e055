// Generated from examples/schema/events.schema.json; `make types` makes it again.

/**
 * Every event type, with the event that has it.
 */
export interface TrebleEvents {
  "condition.evaluated"?: ConditionEvaluatedEvent;
  "contact.opted_out"?: ContactOptedOutEvent;
  "conversation.closed"?: ConversationClosedEvent;
  "deployment.failed"?: DeploymentFailedEvent;
  "hsm.status_changed"?: HsmStatusChangedEvent;
  "message.delivered"?: MessageDeliveredEvent;
  "message.read"?: MessageReadEvent;
  "message.responded"?: MessageRespondedEvent;
  "message.timed_out"?: MessageTimedOutEvent;
  unknown?: UnknownEvent;
}
/**
 * When a conversation leaves a condition block by the path that carries the webhook.
 */
export interface ConditionEvaluatedEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "condition.evaluated";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: ConditionEvaluatedData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * The person. Absent where the body names none; parts that it does not have are absent.
 */
export interface Contact {
  /**
   * E.164, with the plus. Where the configuration hides it: a keyed hash, or masked.
   */
  phone?: string;
  /**
   * Digits, without a plus.
   */
  country_code?: string;
  /**
   * cellphone as sent, digits only: with the country code in front where it came so.
   */
  national_number?: string;
  /**
   * Other spellings of the phone, to match with: Mexico's 1, Argentina's and Brazil's 9.
   */
  phone_variants?: string[];
  /**
   * WhatsApp's id of the person, which this business has alone (BSUID). Where the configuration hides it: a keyed hash, or masked.
   */
  bsuid?: string;
  /**
   * The same for all businesses of a parent. Where the configuration hides it: a keyed hash, or masked.
   */
  parent_bsuid?: string;
  /**
   * The name that the person chose at WhatsApp. Where the configuration hides it: a keyed hash, or masked.
   */
  username?: string;
}
/**
 * The conversation's variables: text, or an object of scalars for a location.
 */
export interface SessionKeys {
  [k: string]:
    | string
    | {
        [k: string]: string | number | boolean;
      };
}
/**
 * When a conversation leaves a condition block by the path that carries the webhook.
 */
export interface ConditionEvaluatedData {
  variable?: Variable;
  condition?: Condition;
  /**
   * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
   */
  business_scope_id?: string;
}
/**
 * The session key that was looked at.
 */
export interface Variable {
  /**
   * Its name.
   */
  name?: string;
  /**
   * Its value.
   */
  value?: string;
}
/**
 * What it was compared with.
 */
export interface Condition {
  /**
   * How it was compared; DEFAULT is the path for all the rest.
   */
  operator?: string;
  /**
   * The operand of the path.
   */
  value?: string;
}
/**
 * When the person chose an answer that the flow marks as opting out.
 */
export interface ContactOptedOutEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "contact.opted_out";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: ContactOptedOutData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When the person chose an answer that the flow marks as opting out.
 */
export interface ContactOptedOutData {
  question?: Question;
  /**
   * When the message was sent.
   */
  sent_at?: string;
  /**
   * The text that was sent, variables filled in.
   */
  sent_text?: string;
  /**
   * The answer that means opting out.
   */
  classified_answer?: string;
  /**
   * Why the contact is blocked.
   */
  reason?: string;
  /**
   * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
   */
  business_scope_id?: string;
}
/**
 * The message block that this is about, as the flow defines it.
 */
export interface Question {
  /**
   * Whether the block offers answers.
   */
  type?: string;
  /**
   * The block's text, before variables are filled in.
   */
  text?: string;
  /**
   * The answers that a closed block offers.
   *
   * Items: One answer.
   */
  answers?: string[];
}
/**
 * When the person answered a final block, or the time for automatic closing is over.
 */
export interface ConversationClosedEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "conversation.closed";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id?: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: ConversationClosedData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When the person answered a final block, or the time for automatic closing is over.
 */
export interface ConversationClosedData {
  /**
   * When the conversation ended.
   */
  closed_at?: string;
  /**
   * When Treble reported it.
   */
  timestamp?: string;
  /**
   * The template that opened the conversation.
   */
  template?: string;
  /**
   * What was said, in order.
   */
  messages?: Message[];
}
/**
 * One message.
 */
export interface Message {
  /**
   * Who wrote it; nothing tells a bot from a human agent.
   */
  sender?: string;
  /**
   * What it is.
   */
  kind?: string;
  /**
   * What was written, or the title of what was chosen.
   */
  text?: string;
  media?: Media;
  /**
   * When it was written.
   */
  created_at?: string;
}
/**
 * The file, for the other kinds.
 */
export interface Media {
  /**
   * Where it is.
   */
  url?: string;
  /**
   * The text beside it.
   */
  caption?: string;
}
/**
 * When Treble gave up sending a template to a person.
 */
export interface DeploymentFailedEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "deployment.failed";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id?: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: DeploymentFailedData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When Treble gave up sending a template to a person.
 */
export interface DeploymentFailedData {
  /**
   * Why it was not sent.
   */
  failure_reason?: string;
  /**
   * When Treble gave up.
   */
  failed_at?: string;
  /**
   * When Treble reported it.
   */
  timestamp?: string;
}
/**
 * When WhatsApp approves, rejects, pauses or disables a template.
 */
export interface HsmStatusChangedEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "hsm.status_changed";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id?: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: HsmStatusChangedData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When WhatsApp approves, rejects, pauses or disables a template.
 */
export interface HsmStatusChangedData {
  /**
   * The template's name.
   */
  template: string;
  /**
   * Its new state.
   */
  status?: string;
  /**
   * Its category, where that comes.
   */
  category?: string;
  /**
   * Why, where that comes.
   */
  reason?: string;
  /**
   * The flows that use the template.
   *
   * Items: One flow.
   */
  affected_flow_ids?: string[];
  /**
   * When Treble reported it.
   */
  timestamp?: string;
}
/**
 * When the message of a block was delivered to the phone.
 */
export interface MessageDeliveredEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "message.delivered";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: MessageDeliveredData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When the message of a block was delivered to the phone.
 */
export interface MessageDeliveredData {
  question?: Question;
  /**
   * When the message was sent.
   */
  sent_at?: string;
  /**
   * The text that was sent, variables filled in.
   */
  sent_text?: string;
  /**
   * When the phone had the message.
   */
  delivered_at?: string;
  /**
   * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
   */
  business_scope_id?: string;
}
/**
 * When the person opened the message of a block.
 */
export interface MessageReadEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "message.read";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: MessageReadData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When the person opened the message of a block.
 */
export interface MessageReadData {
  question?: Question;
  /**
   * When the message was sent.
   */
  sent_at?: string;
  /**
   * The text that was sent, variables filled in.
   */
  sent_text?: string;
  /**
   * When the message was opened.
   */
  read_at?: string;
  /**
   * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
   */
  business_scope_id?: string;
}
/**
 * When the person answered the message of a block.
 */
export interface MessageRespondedEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "message.responded";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: MessageRespondedData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When the person answered the message of a block.
 */
export interface MessageRespondedData {
  question?: Question;
  /**
   * When the message was sent.
   */
  sent_at?: string;
  /**
   * The text that was sent, variables filled in.
   */
  sent_text?: string;
  /**
   * When the person answered.
   */
  responded_at?: string;
  /**
   * What the person wrote, literally.
   */
  actual_response?: string;
  /**
   * Which of the block's answers Treble took it for.
   */
  classified_answer?: string;
  /**
   * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
   */
  business_scope_id?: string;
}
/**
 * When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.
 */
export interface MessageTimedOutEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "message.timed_out";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: MessageTimedOutData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.
 */
export interface MessageTimedOutData {
  question?: Question;
  /**
   * When the wait for an answer ended.
   */
  timeout_at?: string;
  /**
   * WhatsApp's id of the person within the business, as it was sent; read in `contact`.
   */
  business_scope_id?: string;
}
/**
 * When `event_type` holds a value that this version does not know.
 */
export interface UnknownEvent {
  /**
   * The event's id: the same webhook has the same one, whenever and wherever it arrives.
   */
  id: string;
  /**
   * What happened.
   */
  type: "unknown";
  /**
   * Changes inside a version only add.
   */
  schema_version: 1;
  /**
   * The account at Treble, as the bridge's configuration names it.
   */
  source: string;
  /**
   * When it happened; where the body has no time of its own, when it arrived.
   */
  occurred_at: string;
  /**
   * When the webhook arrived.
   */
  received_at: string;
  contact?: Contact;
  /**
   * Treble's id of the conversation. Opaque.
   */
  session_id?: string;
  /**
   * Treble's id of the flow. Opaque.
   */
  flow_id?: string;
  session_keys?: SessionKeys;
  data: UnknownData;
  /**
   * What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.
   */
  notes?: string[];
  /**
   * The body as Treble sent it. Absent where the configuration leaves it out.
   */
  raw?: unknown;
}
/**
 * When `event_type` holds a value that this version does not know.
 */
export interface UnknownData {
  /**
   * Treble's own name of the event.
   */
  event_type?: string;
  /**
   * When Treble reported it.
   */
  timestamp?: string;
}
