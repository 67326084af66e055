"""Batches are compressed fast, and read back as they were written."""

from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record import MemoryRecords

from bridge.kafka import aiokafka_patches

LZ4 = 3


def built(values: list[bytes]) -> bytes:
    builder = BatchBuilder(1 << 20, LZ4, is_transactional=0)
    for value in values:
        builder.append(timestamp=1, key=b"k", value=value, headers=[("h", b"v")])
    return bytes(builder._build())


def test_the_compiled_builder_uses_the_fast_level() -> None:
    calls: list[int] = []
    aiokafka_patches.use_fast_lz4()
    from aiokafka.record._crecords import default_records as compiled  # noqa: PLC0415 - what is replaced

    original = compiled.lz4_encode
    assert original is aiokafka_patches.lz4_encode

    def counting(payload: bytes) -> bytes:
        calls.append(len(payload))
        return aiokafka_patches.lz4_encode(payload)

    try:
        compiled.lz4_encode = counting
        built([b"x" * 5000])
    finally:
        compiled.lz4_encode = original
    assert calls, "aiokafka no longer looks its lz4 function up in this module: see bridge.kafka.aiokafka_patches"


def test_a_batch_is_read_back_as_it_was_written() -> None:
    aiokafka_patches.use_fast_lz4()
    values = [f"value {i} ".encode() * 50 for i in range(100)]
    raw = built(values)
    assert len(raw) < sum(map(len, values)) / 3
    records = MemoryRecords(raw)
    batch = records.next_batch()
    assert [record.value for record in batch] == values
