"""The sink: everything that speaks Kafka, and the only place that knows aiokafka.

partitioner  key → partition, as Java's client does
errors       aiokafka's exceptions → bridge.errors, once
security     settings → options of every client
producer     one producer's life: send and commit with our own time limits
batches      records → one batch per partition
positions    the compacted topic that holds how far each journal was forwarded
sink         a batch of the forwarder → one transaction (or an idempotent send)
topics       create, verify, probe
"""
