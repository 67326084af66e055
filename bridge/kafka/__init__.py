"""The sink: everything that speaks Kafka, and the only place that knows aiokafka.

sink         a batch of the forwarder → one transaction (or an idempotent send)
positions    the compacted topic that holds how far each journal was forwarded
ends         whether Kafka has ended a transaction in each of its partitions
producer     one producer's life: send and commit with our own time limits
batches      records → one batch per partition
stamps       the time that a record carries, where its topic refuses old ones
partitioner  key → partition, as Java's client does
history      a topic from its beginning to its end
reading      records as a consumer sees them, for the command line
topics       create, verify, probe: with cluster, topic_differences, topic_commands
security     settings → options of every client: with oauth
errors       aiokafka's exceptions → bridge.errors, once
diagnosis    why no connection comes about

What aiokafka does not offer by itself, and so by its private names: ends, replicas, abandon, compression.
"""
