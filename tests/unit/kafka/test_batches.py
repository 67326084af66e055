"""Keys land on the partition that Java's client would choose."""

import pytest
from aiokafka.partitioner import murmur2 as aiokafkas_murmur2
from hypothesis import given
from hypothesis import strategies as st

from bridge.kafka.batches import murmur2, partition_of

KNOWN = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("key", "javas"), KNOWN)
def test_the_hash_is_that_of_javas_client(key: bytes, javas: int) -> None:
    assert murmur2(key) == javas & 0xFFFFFFFF


@given(st.binary(max_size=400))
def test_the_hash_is_that_of_aiokafka_for_any_key(key: bytes) -> None:
    assert murmur2(key) == aiokafkas_murmur2(key)


@pytest.mark.parametrize(("key", "javas"), KNOWN)
def test_the_sign_bit_is_cleared_before_the_modulo(key: bytes, javas: int) -> None:
    assert partition_of(key, 6) == (javas & 0x7FFFFFFF) % 6
