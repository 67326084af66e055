package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"example.com/treble-events-consumer/events"
)

// tellers says, for each type, what its own fields hold. Most of them may be absent.
var tellers = map[string]func([]byte) (string, error){
	"message.delivered": as(func(e events.MessageDeliveredEvent) string {
		return "after=" + seconds(e.Data.SentAt, e.Data.DeliveredAt)
	}),
	"message.read": as(func(e events.MessageReadEvent) string {
		return "after=" + seconds(e.Data.SentAt, e.Data.ReadAt)
	}),
	"message.responded": as(func(e events.MessageRespondedEvent) string {
		return "answer=" + cmp.Or(value(e.Data.ClassifiedAnswer), value(e.Data.ActualResponse))
	}),
	"message.timed_out": as(func(e events.MessageTimedOutEvent) string {
		if e.Data.Question == nil {
			return "question="
		}
		return "question=" + value(e.Data.Question.Text)
	}),
	"contact.opted_out": as(func(e events.ContactOptedOutEvent) string {
		return "reason=" + value(e.Data.Reason)
	}),
	"condition.evaluated": as(func(e events.ConditionEvaluatedEvent) string {
		key, asked := e.Data.Variable, e.Data.Condition
		if key == nil || asked == nil {
			return ""
		}
		return fmt.Sprintf("%s=%s %s %s", value(key.Name), value(key.Value), value(asked.Operator), value(asked.Value))
	}),
	"conversation.closed": as(func(e events.ConversationClosedEvent) string {
		return fmt.Sprintf("messages=%d", len(e.Data.Messages))
	}),
	"hsm.status_changed": as(func(e events.HsmStatusChangedEvent) string {
		return fmt.Sprintf("template=%s status=%s", e.Data.Template, value(e.Data.Status))
	}),
	"deployment.failed": as(func(e events.DeploymentFailedEvent) string {
		return "reason=" + value(e.Data.FailureReason)
	}),
	"unknown": as(func(e events.UnknownEvent) string {
		return "event_type=" + value(e.Data.EventType)
	}),
}

func tell(eventType string, envelope []byte) (string, error) {
	teller, known := tellers[eventType]
	if !known {
		return "", errUnknownType
	}
	return teller(envelope)
}

// as makes a function of bytes out of one of a typed event.
func as[E any](tell func(E) string) func([]byte) (string, error) {
	return func(envelope []byte) (string, error) {
		var event E
		if err := json.Unmarshal(envelope, &event); err != nil {
			return "", err
		}
		return tell(event), nil
	}
}

func seconds(start, end *time.Time) string {
	if start == nil || end == nil {
		return "?"
	}
	return fmt.Sprintf("%ds", int(end.Sub(*start).Seconds()))
}
