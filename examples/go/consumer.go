// Reads events of treble-bridge from Kafka, and prints a line for each: a consumer to start your own from.
//
// Order: events of one session share a key, so inside a topic they come in the order in which they arrived. Between two
// topics there is no order: where the story counts, sort by occurred_at, or route those types to one topic.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/treble-events-consumer/events"
)

// eventID is what tells one event from another.
type eventID struct{ source, kind, id string }

// remembered holds the last events that were handled. It forgets the oldest, and all of them when the process ends.
//
// A real service keeps the ids where its work goes: a table with a unique key on (source, type, id), written in the same
// database transaction as the work, so that neither is there without the other.
type remembered struct {
	ids   map[eventID]struct{}
	order []eventID // a ring: next is where the oldest stands
	next  int
}

func newRemembered(most int) *remembered {
	return &remembered{ids: make(map[eventID]struct{}, most), order: make([]eventID, most)}
}

func (r *remembered) has(id eventID) bool {
	_, found := r.ids[id]
	return found
}

func (r *remembered) add(id eventID) {
	delete(r.ids, r.order[r.next])
	r.ids[id], r.order[r.next] = struct{}{}, id
	r.next = (r.next + 1) % len(r.order)
}

func main() {
	log.SetFlags(0)
	if len(os.Args) < 2 {
		log.Fatal("usage: go run . TOPIC...")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := consume(ctx, os.Args[1:]); err != nil {
		log.Fatal(err)
	}
	log.Print("stopped")
}

func consume(ctx context.Context, topics []string) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(cmp.Or(os.Getenv("KAFKA_BOOTSTRAP_SERVERS"), "localhost:9092"), ",")...),
		kgo.ConsumerGroup(cmp.Or(os.Getenv("GROUP_ID"), "treble-events-example")),
		kgo.ConsumeTopics(topics...),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // the bridge's transactions: what it took back is never seen
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(), // partitions stay ours from a poll until its work is committed
	)
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance() // leaves the group, so that its partitions move on at once
	seen := newRemembered(10_000)
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		fetches.EachError(func(topic string, partition int32, err error) {
			log.Printf("%s/%d: %v", topic, partition, err) // the client goes on trying
		})
		for _, record := range fetches.Records() {
			take(record, seen)
		}
		// After the work: after a crash before this line the same records come again. A stop must not cancel it.
		if err := client.CommitUncommittedOffsets(context.WithoutCancel(ctx)); err != nil {
			return err
		}
		client.AllowRebalance()
	}
}

// take handles one record, once.
func take(record *kgo.Record, seen *remembered) {
	var id eventID
	for _, header := range record.Headers {
		switch header.Key {
		case "ce_source":
			id.source = string(header.Value)
		case "ce_type":
			id.kind = string(header.Value)
		case "ce_id":
			id.id = string(header.Value)
		}
	}
	if seen.has(id) {
		return
	}
	if err := work(record.Value); err != nil {
		// A type of a later version, or no event at all: a real service sets it aside in a topic of its own.
		log.Printf("skipped %s/%d@%d: %v", record.Topic, record.Partition, record.Offset, err)
		return
	}
	if id != (eventID{}) { // in the format `plain` there is none: use the envelope's own
		seen.add(id)
	}
}

var errUnknownType = errors.New("a type that this consumer does not know")

// work is what your service is for.
func work(envelope []byte) error {
	var head struct {
		Type       string          `json:"type"`
		OccurredAt time.Time       `json:"occurred_at"`
		Contact    *events.Contact `json:"contact"`
	}
	if err := json.Unmarshal(envelope, &head); err != nil {
		return err
	}
	told, err := tell(head.Type, envelope)
	if err != nil {
		return err
	}
	phone := "-"
	if head.Contact != nil {
		phone = masked(head.Contact.Phone)
	}
	fmt.Println(head.OccurredAt.UTC().Truncate(time.Second).Format(time.RFC3339), head.Type, phone, told)
	return nil
}

// masked: +573005550134 → +57******34
func masked(phone *string) string {
	if p := value(phone); len(p) > 6 {
		return p[:3] + "******" + p[len(p)-2:]
	}
	return "-"
}

func value(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}
