# Generated from examples/schema/events.schema.json; `make types` makes it again.
# ruff: noqa
# fmt: off

from __future__ import annotations

from typing import Annotated, Any, Literal
from pydantic import AwareDatetime, BaseModel, Field, RootModel


class Condition(BaseModel):
    """
    What it was compared with.
    """

    operator: Annotated[
        str | None,
        Field(description='How it was compared; DEFAULT is the path for all the rest.'),
    ] = None
    value: Annotated[str | None, Field(description='The operand of the path.')] = None


class Contact(BaseModel):
    """
    The person. Absent where the body names none; parts that it does not have are absent.
    """

    phone: Annotated[
        str | None,
        Field(
            description='E.164, with the plus. Where the configuration hides it: a keyed hash, or masked.'
        ),
    ] = None
    country_code: Annotated[
        str | None, Field(description='Digits, without a plus.')
    ] = None
    national_number: Annotated[
        str | None,
        Field(
            description='cellphone as sent, digits only: with the country code in front where it came so.'
        ),
    ] = None
    phone_variants: Annotated[
        list[str] | None,
        Field(
            description="Other spellings of the phone, to match with: Mexico's 1, Argentina's and Brazil's 9."
        ),
    ] = None
    bsuid: Annotated[
        str | None,
        Field(
            description="WhatsApp's id of the person, which this business has alone (BSUID). Where the configuration hides it: a keyed hash, or masked."
        ),
    ] = None
    parent_bsuid: Annotated[
        str | None,
        Field(
            description='The same for all businesses of a parent. Where the configuration hides it: a keyed hash, or masked.'
        ),
    ] = None
    username: Annotated[
        str | None,
        Field(
            description='The name that the person chose at WhatsApp. Where the configuration hides it: a keyed hash, or masked.'
        ),
    ] = None


class DeploymentFailedData(BaseModel):
    """
    When Treble gave up sending a template to a person.
    """

    failure_reason: Annotated[str | None, Field(description='Why it was not sent.')] = (
        None
    )
    failed_at: Annotated[
        AwareDatetime | None, Field(description='When Treble gave up.')
    ] = None
    timestamp: Annotated[
        AwareDatetime | None, Field(description='When Treble reported it.')
    ] = None


class HsmStatusChangedData(BaseModel):
    """
    When WhatsApp approves, rejects, pauses or disables a template.
    """

    template: Annotated[str, Field(description="The template's name.")]
    status: Annotated[str | None, Field(description='Its new state.')] = None
    category: Annotated[
        str | None, Field(description='Its category, where that comes.')
    ] = None
    reason: Annotated[str | None, Field(description='Why, where that comes.')] = None
    affected_flow_ids: Annotated[
        list[str] | None, Field(description='The flows that use the template.')
    ] = None
    timestamp: Annotated[
        AwareDatetime | None, Field(description='When Treble reported it.')
    ] = None


class Media(BaseModel):
    """
    The file, for the other kinds.
    """

    url: Annotated[str | None, Field(description='Where it is.')] = None
    caption: Annotated[str | None, Field(description='The text beside it.')] = None


class Message(BaseModel):
    """
    One message.
    """

    sender: Annotated[
        str | None,
        Field(description='Who wrote it; nothing tells a bot from a human agent.'),
    ] = None
    kind: Annotated[str | None, Field(description='What it is.')] = None
    text: Annotated[
        str | None,
        Field(description='What was written, or the title of what was chosen.'),
    ] = None
    media: Media | None = None
    created_at: Annotated[
        AwareDatetime | None, Field(description='When it was written.')
    ] = None


class Question(BaseModel):
    """
    The message block that this is about, as the flow defines it.
    """

    type: Annotated[
        str | None, Field(description='Whether the block offers answers.')
    ] = None
    text: Annotated[
        str | None,
        Field(description="The block's text, before variables are filled in."),
    ] = None
    answers: Annotated[
        list[str] | None, Field(description='The answers that a closed block offers.')
    ] = None


class SessionKeys(RootModel[dict[str, str | dict[str, str | float | bool]]]):
    """
    The conversation's variables: text, or an object of scalars for a location.
    """

    root: dict[str, str | dict[str, str | float | bool]]


class UnknownData(BaseModel):
    """
    When `event_type` holds a value that this version does not know.
    """

    event_type: Annotated[
        str | None, Field(description="Treble's own name of the event.")
    ] = None
    timestamp: Annotated[
        AwareDatetime | None, Field(description='When Treble reported it.')
    ] = None


class UnknownEvent(BaseModel):
    """
    When `event_type` holds a value that this version does not know.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['unknown'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str | None, Field(description="Treble's id of the conversation. Opaque.")
    ] = None
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: UnknownData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class Variable(BaseModel):
    """
    The session key that was looked at.
    """

    name: Annotated[str | None, Field(description='Its name.')] = None
    value: Annotated[str | None, Field(description='Its value.')] = None


class ConditionEvaluatedData(BaseModel):
    """
    When a conversation leaves a condition block by the path that carries the webhook.
    """

    variable: Variable | None = None
    condition: Condition | None = None
    business_scope_id: Annotated[
        str | None,
        Field(
            description="WhatsApp's id of the person within the business, as it was sent; read in `contact`."
        ),
    ] = None


class ConditionEvaluatedEvent(BaseModel):
    """
    When a conversation leaves a condition block by the path that carries the webhook.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['condition.evaluated'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str, Field(description="Treble's id of the conversation. Opaque.")
    ]
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: ConditionEvaluatedData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class ContactOptedOutData(BaseModel):
    """
    When the person chose an answer that the flow marks as opting out.
    """

    question: Question | None = None
    sent_at: Annotated[
        AwareDatetime | None, Field(description='When the message was sent.')
    ] = None
    sent_text: Annotated[
        str | None, Field(description='The text that was sent, variables filled in.')
    ] = None
    classified_answer: Annotated[
        str | None, Field(description='The answer that means opting out.')
    ] = None
    reason: Annotated[str | None, Field(description='Why the contact is blocked.')] = (
        None
    )
    business_scope_id: Annotated[
        str | None,
        Field(
            description="WhatsApp's id of the person within the business, as it was sent; read in `contact`."
        ),
    ] = None


class ContactOptedOutEvent(BaseModel):
    """
    When the person chose an answer that the flow marks as opting out.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['contact.opted_out'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str, Field(description="Treble's id of the conversation. Opaque.")
    ]
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: ContactOptedOutData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class ConversationClosedData(BaseModel):
    """
    When the person answered a final block, or the time for automatic closing is over.
    """

    closed_at: Annotated[
        AwareDatetime | None, Field(description='When the conversation ended.')
    ] = None
    timestamp: Annotated[
        AwareDatetime | None, Field(description='When Treble reported it.')
    ] = None
    template: Annotated[
        str | None, Field(description='The template that opened the conversation.')
    ] = None
    messages: Annotated[
        list[Message] | None, Field(description='What was said, in order.')
    ] = None


class ConversationClosedEvent(BaseModel):
    """
    When the person answered a final block, or the time for automatic closing is over.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['conversation.closed'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str | None, Field(description="Treble's id of the conversation. Opaque.")
    ] = None
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: ConversationClosedData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class DeploymentFailedEvent(BaseModel):
    """
    When Treble gave up sending a template to a person.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['deployment.failed'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str | None, Field(description="Treble's id of the conversation. Opaque.")
    ] = None
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: DeploymentFailedData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class HsmStatusChangedEvent(BaseModel):
    """
    When WhatsApp approves, rejects, pauses or disables a template.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['hsm.status_changed'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str | None, Field(description="Treble's id of the conversation. Opaque.")
    ] = None
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: HsmStatusChangedData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class MessageDeliveredData(BaseModel):
    """
    When the message of a block was delivered to the phone.
    """

    question: Question | None = None
    sent_at: Annotated[
        AwareDatetime | None, Field(description='When the message was sent.')
    ] = None
    sent_text: Annotated[
        str | None, Field(description='The text that was sent, variables filled in.')
    ] = None
    delivered_at: Annotated[
        AwareDatetime | None, Field(description='When the phone had the message.')
    ] = None
    business_scope_id: Annotated[
        str | None,
        Field(
            description="WhatsApp's id of the person within the business, as it was sent; read in `contact`."
        ),
    ] = None


class MessageDeliveredEvent(BaseModel):
    """
    When the message of a block was delivered to the phone.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['message.delivered'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str, Field(description="Treble's id of the conversation. Opaque.")
    ]
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: MessageDeliveredData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class MessageReadData(BaseModel):
    """
    When the person opened the message of a block.
    """

    question: Question | None = None
    sent_at: Annotated[
        AwareDatetime | None, Field(description='When the message was sent.')
    ] = None
    sent_text: Annotated[
        str | None, Field(description='The text that was sent, variables filled in.')
    ] = None
    read_at: Annotated[
        AwareDatetime | None, Field(description='When the message was opened.')
    ] = None
    business_scope_id: Annotated[
        str | None,
        Field(
            description="WhatsApp's id of the person within the business, as it was sent; read in `contact`."
        ),
    ] = None


class MessageReadEvent(BaseModel):
    """
    When the person opened the message of a block.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['message.read'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str, Field(description="Treble's id of the conversation. Opaque.")
    ]
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: MessageReadData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class MessageRespondedData(BaseModel):
    """
    When the person answered the message of a block.
    """

    question: Question | None = None
    sent_at: Annotated[
        AwareDatetime | None, Field(description='When the message was sent.')
    ] = None
    sent_text: Annotated[
        str | None, Field(description='The text that was sent, variables filled in.')
    ] = None
    responded_at: Annotated[
        AwareDatetime | None, Field(description='When the person answered.')
    ] = None
    actual_response: Annotated[
        str | None, Field(description='What the person wrote, literally.')
    ] = None
    classified_answer: Annotated[
        str | None,
        Field(description="Which of the block's answers Treble took it for."),
    ] = None
    business_scope_id: Annotated[
        str | None,
        Field(
            description="WhatsApp's id of the person within the business, as it was sent; read in `contact`."
        ),
    ] = None


class MessageRespondedEvent(BaseModel):
    """
    When the person answered the message of a block.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['message.responded'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str, Field(description="Treble's id of the conversation. Opaque.")
    ]
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: MessageRespondedData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class MessageTimedOutData(BaseModel):
    """
    When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.
    """

    question: Question | None = None
    timeout_at: Annotated[
        AwareDatetime | None, Field(description='When the wait for an answer ended.')
    ] = None
    business_scope_id: Annotated[
        str | None,
        Field(
            description="WhatsApp's id of the person within the business, as it was sent; read in `contact`."
        ),
    ] = None


class MessageTimedOutEvent(BaseModel):
    """
    When the path for missing answers is taken. Where that path shares its URL with answers, it arrives there.
    """

    id: Annotated[
        str,
        Field(
            description="The event's id: the same webhook has the same one, whenever and wherever it arrives."
        ),
    ]
    type: Annotated[Literal['message.timed_out'], Field(description='What happened.')]
    schema_version: Annotated[
        Literal[1], Field(description='Changes inside a version only add.')
    ]
    source: Annotated[
        str,
        Field(
            description="The account at Treble, as the bridge's configuration names it."
        ),
    ]
    occurred_at: Annotated[
        AwareDatetime,
        Field(
            description='When it happened; where the body has no time of its own, when it arrived.'
        ),
    ]
    received_at: Annotated[
        AwareDatetime, Field(description='When the webhook arrived.')
    ]
    contact: Contact | None = None
    session_id: Annotated[
        str, Field(description="Treble's id of the conversation. Opaque.")
    ]
    flow_id: Annotated[
        str | None, Field(description="Treble's id of the flow. Opaque.")
    ] = None
    session_keys: SessionKeys | None = None
    data: MessageTimedOutData
    notes: Annotated[
        list[str] | None,
        Field(
            description='What was lenient about this body: a kind, or `kind:detail`. Absent where nothing was.'
        ),
    ] = None
    raw: Annotated[
        Any | None,
        Field(
            description='The body as Treble sent it. Absent where the configuration leaves it out.'
        ),
    ] = None


class TrebleEvents(BaseModel):
    """
    Every event type, with the event that has it.
    """

    condition_evaluated: Annotated[
        ConditionEvaluatedEvent | None, Field(alias='condition.evaluated')
    ] = None
    contact_opted_out: Annotated[
        ContactOptedOutEvent | None, Field(alias='contact.opted_out')
    ] = None
    conversation_closed: Annotated[
        ConversationClosedEvent | None, Field(alias='conversation.closed')
    ] = None
    deployment_failed: Annotated[
        DeploymentFailedEvent | None, Field(alias='deployment.failed')
    ] = None
    hsm_status_changed: Annotated[
        HsmStatusChangedEvent | None, Field(alias='hsm.status_changed')
    ] = None
    message_delivered: Annotated[
        MessageDeliveredEvent | None, Field(alias='message.delivered')
    ] = None
    message_read: Annotated[MessageReadEvent | None, Field(alias='message.read')] = None
    message_responded: Annotated[
        MessageRespondedEvent | None, Field(alias='message.responded')
    ] = None
    message_timed_out: Annotated[
        MessageTimedOutEvent | None, Field(alias='message.timed_out')
    ] = None
    unknown: UnknownEvent | None = None
