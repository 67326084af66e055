"""The sink: everything that speaks Kafka, and the only place that knows aiokafka.

sink                 a batch of the forwarder → one transaction (or an idempotent send)
producer             one producer's life: send and commit with our own time limits
batches              records → one batch per partition, each record on the partition that Java's client would choose
positions            the compacted topic that holds how far each journal was forwarded
transaction_markers  whether Kafka has ended a transaction in each of its partitions
topics               topics as they are and as they should be: make, compare, probe
admin                one connection for questions about topics
consumer             records as a consumer sees them: for people, and for redrive
client               settings → options of every client, with tokens and certificates
errors               aiokafka's exceptions → bridge.errors, once; the pause before the next try
diagnosis            why no connection comes about
aiokafka_patches     what aiokafka has no public way for
"""
