package com.example.treble;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.datatype.jsr310.JavaTimeModule;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads events of treble-bridge from Kafka, and prints a line for each: a consumer to start your own from.
 *
 * <p>Order: events of one session share a key, so inside a topic they come in the order in which they arrived. Between
 * two topics there is no order: where the story counts, sort by {@code occurred_at}, or route those types to one topic.
 */
public final class Consumer {
    private static final ObjectMapper JSON = JsonMapper.builder()
            .addModule(new JavaTimeModule())
            .disable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES) // a schema version may gain fields
            .build();

    private final Remembered remembered = new Remembered(10_000);

    public static void main(String[] topics) throws InterruptedException {
        if (topics.length == 0) {
            System.err.println("usage: java -jar target/consumer.jar TOPIC...");
            System.exit(2);
        }
        var main = Thread.currentThread();
        var kafka = new KafkaConsumer<byte[], byte[]>(settings());
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            kafka.wakeup();
            try {
                main.join(10_000); // the process ends when the hooks have
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
        }));
        try (kafka) { // closing leaves the group, so that its partitions move on at once
            kafka.subscribe(List.of(topics));
            new Consumer().consume(kafka);
        } catch (WakeupException e) {
            System.err.println("stopped");
        }
    }

    private static Properties settings() {
        var settings = new Properties();
        settings.put(ConsumerConfig.BOOTSTRAP_SERVERS_CONFIG, environment("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"));
        settings.put(ConsumerConfig.GROUP_ID_CONFIG, environment("GROUP_ID", "treble-events-example"));
        // The bridge's transactions: what it took back is never seen.
        settings.put(ConsumerConfig.ISOLATION_LEVEL_CONFIG, "read_committed");
        settings.put(ConsumerConfig.ENABLE_AUTO_COMMIT_CONFIG, false);
        settings.put(ConsumerConfig.AUTO_OFFSET_RESET_CONFIG, "earliest");
        settings.put(ConsumerConfig.KEY_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        settings.put(ConsumerConfig.VALUE_DESERIALIZER_CLASS_CONFIG, ByteArrayDeserializer.class);
        return settings;
    }

    private void consume(KafkaConsumer<byte[], byte[]> kafka) {
        while (true) {
            var records = kafka.poll(Duration.ofSeconds(1)); // a stop arrives here, as WakeupException
            for (var record : records) {
                take(record);
            }
            if (!records.isEmpty()) {
                commit(kafka);
            }
        }
    }

    /** Say how far we are, after the work: after a crash before this line the same records come again. */
    private static void commit(KafkaConsumer<byte[], byte[]> kafka) {
        try {
            kafka.commitSync();
        } catch (WakeupException e) { // a stop: the work is done, so the commit must be too
            kafka.commitSync();
            throw e;
        } catch (CommitFailedException e) {
            System.err.println("the partitions went to another member, which reads the last records again");
        }
    }

    /** Handle one record, once. */
    private void take(ConsumerRecord<byte[], byte[]> record) {
        String id = String.join(" ", header(record, "ce_source"), header(record, "ce_type"), header(record, "ce_id"));
        if (remembered.containsKey(id)) {
            return;
        }
        TrebleEvent event;
        try {
            event = JSON.readValue(record.value(), TrebleEvent.class);
        } catch (IOException | IllegalArgumentException e) {
            // A type of a later version, or no event at all: a real service sets it aside in a topic of its own.
            // The exception's text would show the values.
            String kind = e.getClass().getSimpleName();
            System.err.printf("skipped %s/%d@%d: %s%n", record.topic(), record.partition(), record.offset(), kind);
            return;
        }
        work(event);
        if (!id.isBlank()) { // in the format `plain` there is none: use the envelope's own
            remembered.put(id, true);
        }
    }

    /** What your service is for. */
    private static void work(TrebleEvent event) {
        System.out.println(Line.of(event));
    }

    private static String header(ConsumerRecord<byte[], byte[]> record, String name) {
        var header = record.headers().lastHeader(name);
        return header != null ? new String(header.value(), StandardCharsets.UTF_8) : "";
    }

    private static String environment(String name, String otherwise) {
        return System.getenv().getOrDefault(name, otherwise);
    }

    /**
     * The last events that were handled. It forgets the oldest, and all of them when the process ends.
     *
     * <p>A real service keeps the ids where its work goes: a table with a unique key on (source, type, id), written in
     * the same database transaction as the work, so that neither is there without the other.
     */
    private static final class Remembered extends LinkedHashMap<String, Boolean> {
        private final int most;

        Remembered(int most) {
            this.most = most;
        }

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Boolean> eldest) {
            return size() > most;
        }
    }
}
