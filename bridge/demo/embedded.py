"""A Kafka without an installation: librdkafka's mock cluster, in a process of its own.

`python -m bridge.demo.embedded` says where it listens on its first line of output. Then it makes each topic that a
line of input names, and repeats the name. It ends with its input. A process of its own can be frozen (SIGSTOP): a
broker that is away, with all that it holds. What it does not do: transactions, fencing, making topics by request,
knowing a batch that it has already.
"""

import sys

BROKERS = 1
ANSWER_S = 10.0


def main() -> None:
    """Run until the input ends."""
    from confluent_kafka import Producer  # noqa: PLC0415 - the extra [demo]

    # The cluster lives as long as this handle. The address is never asked: a mock cluster takes its place.
    handle = Producer({"bootstrap.servers": "localhost:1", "test.mock.num.brokers": BROKERS, "log_level": 0})
    brokers = handle.list_topics(timeout=ANSWER_S).brokers.values()
    print(",".join(f"{broker.host}:{broker.port}" for broker in brokers), flush=True)
    for line in sys.stdin:
        handle.list_topics(line.strip(), timeout=ANSWER_S)  # a topic comes into being by being asked for
        print(line.strip(), flush=True)


if __name__ == "__main__":
    main()
