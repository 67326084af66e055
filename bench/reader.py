"""Reads a topic `read_committed` from its end on, and says how long after its reception each record was readable.

Received is the record's timestamp, which is when the bridge took the webhook. Prints `ready` when it reads, and at the
end one line of JSON.
"""

import asyncio
import json
import sys
import time

from aiokafka import AIOKafkaConsumer


async def _read(bootstrap: str, topic: str, records: int, timeout_s: float) -> list[int]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        isolation_level="read_committed",
        enable_auto_commit=False,
        fetch_max_wait_ms=500,
    )
    await consumer.start()
    try:
        await consumer.seek_to_end()
        for partition in consumer.assignment():
            await consumer.position(partition)
        print("ready", flush=True)
        ages_ms: list[int] = []
        until_s = time.monotonic() + timeout_s
        while len(ages_ms) < records and time.monotonic() < until_s:
            found = await consumer.getmany(timeout_ms=200)
            now_ms = time.time_ns() // 1_000_000
            ages_ms.extend(now_ms - record.timestamp for batch in found.values() for record in batch)
        return ages_ms
    finally:
        await consumer.stop()


if __name__ == "__main__":
    ages_ms = sorted(asyncio.run(_read(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))))
    quantiles = {f"p{q}": ages_ms[min(len(ages_ms) - 1, len(ages_ms) * q // 100)] for q in (50, 99)} if ages_ms else {}
    print(json.dumps({"records": len(ages_ms), **quantiles}))
