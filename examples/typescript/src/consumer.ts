/**
 * Reads events of treble-bridge from Kafka, and prints a line for each: a consumer to start your own from.
 *
 * Order: events of one session share a key, so inside a topic they come in the order in which they arrived. Between two
 * topics there is no order: where the story counts, sort by `occurred_at`, or route those types to one topic.
 */
import kafkajs, { type EachBatchPayload, type KafkaMessage } from "kafkajs";
import { compressFrame, decompressFrame } from "lz4-napi";
import type { TrebleEvents } from "./events.js";

type TrebleEvent = NonNullable<TrebleEvents[keyof TrebleEvents]>;

const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;

// What the bridge compresses with, unless it is told otherwise. kafkajs brings gzip only.
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder: { buffer: Buffer }) => compressFrame(encoder.buffer),
  decompress: (buffer: Buffer) => decompressFrame(buffer),
});

/**
 * The last events that were handled. It forgets the oldest, and all of them when the process ends.
 *
 * A real service keeps the ids where its work goes: a table with a unique key on (source, type, id), written in the same
 * database transaction as the work, so that neither is there without the other.
 */
class Remembered {
  private readonly ids = new Set<string>(); // in the order in which they were added

  constructor(private readonly most = 10_000) {}

  has(id: string): boolean {
    return this.ids.has(id);
  }

  add(id: string): void {
    this.ids.add(id);
    if (this.ids.size > this.most) {
      for (const oldest of this.ids) {
        this.ids.delete(oldest);
        break;
      }
    }
  }
}

const remembered = new Remembered();

/** Handle the records of one partition, then say how far we are: after a crash in between they come again. */
async function takeBatch(payload: EachBatchPayload): Promise<void> {
  const { batch, isRunning, isStale, resolveOffset, heartbeat, commitOffsetsIfNecessary, uncommittedOffsets } = payload;
  for (const message of batch.messages) {
    if (!isRunning() || isStale()) break;
    await take(message, `${batch.topic}/${batch.partition}@${message.offset}`);
    resolveOffset(message.offset);
    await heartbeat();
  }
  await commitOffsetsIfNecessary(uncommittedOffsets());
}

/** Handle one record, once. */
async function take(message: KafkaMessage, where: string): Promise<void> {
  const id = ["ce_source", "ce_type", "ce_id"].map((name) => message.headers?.[name]?.toString() ?? "").join(" ");
  if (remembered.has(id)) return;
  let event: TrebleEvent;
  try {
    event = JSON.parse(message.value?.toString() ?? "") as TrebleEvent;
  } catch {
    console.error(`skipped ${where}: not JSON`); // a real service sets it aside in a topic of its own
    return;
  }
  await work(event);
  if (message.headers?.ce_id) remembered.add(id); // in the format `plain` there is none: use the envelope's own
}

/** What your service is for. It is done when the promise is; console.log would not say when. */
async function work(event: TrebleEvent): Promise<void> {
  const at = `${new Date(event.occurred_at).toISOString().slice(0, 19)}Z`;
  const line = `${at} ${event.type} ${masked(event.contact?.phone)} ${told(event)}\n`;
  await new Promise<void>((done, failed) => {
    process.stdout.write(line, (error) => (error ? failed(error) : done()));
  });
}

/** What the type's own fields say. Most of them may be absent. */
function told(event: TrebleEvent): string {
  switch (event.type) {
    case "message.delivered":
      return `after=${seconds(event.data.sent_at, event.data.delivered_at)}`;
    case "message.read":
      return `after=${seconds(event.data.sent_at, event.data.read_at)}`;
    case "message.responded":
      return `answer=${event.data.classified_answer ?? event.data.actual_response}`;
    case "message.timed_out":
      return `question=${event.data.question?.text}`;
    case "contact.opted_out":
      return `reason=${event.data.reason}`;
    case "condition.evaluated": {
      const { variable, condition } = event.data;
      return `${variable?.name}=${variable?.value} ${condition?.operator} ${condition?.value}`;
    }
    case "conversation.closed":
      return `messages=${event.data.messages?.length ?? 0}`;
    case "hsm.status_changed":
      return `template=${event.data.template} status=${event.data.status}`;
    case "deployment.failed":
      return `reason=${event.data.failure_reason}`;
    default: // `unknown`, and what a later version of the bridge sends
      return "";
  }
}

function seconds(start?: string, end?: string): string {
  return start && end ? `${Math.floor((Date.parse(end) - Date.parse(start)) / 1000)}s` : "?";
}

/** `+573005550134` → `+57******34` */
function masked(phone?: string): string {
  return phone && phone.length > 6 ? `${phone.slice(0, 3)}******${phone.slice(-2)}` : "-";
}

const topics = process.argv.slice(2);
if (topics.length === 0) {
  console.error("usage: node dist/consumer.js TOPIC...");
  process.exit(2);
}
const brokers = (process.env.KAFKA_BOOTSTRAP_SERVERS ?? "localhost:9092").split(",");
const consumer = new Kafka({ clientId: "treble-events-example", brokers, logLevel: logLevel.WARN }).consumer({
  groupId: process.env.GROUP_ID ?? "treble-events-example",
  readUncommitted: false, // the bridge's transactions: what it took back is never seen
  maxWaitTimeInMs: 1000, // a stop waits for the fetch that runs
});

consumer.on(consumer.events.CRASH, ({ payload }) => {
  if (!payload.restart) process.exitCode = 1; // the work failed for good: nothing of the batch was committed
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await consumer.disconnect(); // ends the batch at hand, commits it, leaves the group
    console.error("stopped");
  });
}
await consumer.connect();
await consumer.subscribe({ topics, fromBeginning: true });
await consumer.run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: takeBatch });
