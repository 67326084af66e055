"""Key → partition, as Java's client computes it: murmur2 with Kafka's seed, the sign bit cleared, modulo partitions.

aiokafka has the same function; this one reads four bytes a step instead of one and costs half (a test compares them).
"""

import struct

_SEED = 0x9747B28C
_M = 0x5BD1E995
_MASK = 0xFFFFFFFF
_WORDS = tuple(struct.Struct(f"<{n}I") for n in range(65))


def murmur2(data: bytes) -> int:
    """MurmurHash2 of `data` as an unsigned 32-bit number."""
    length = len(data)
    h = _SEED ^ length
    words = length >> 2
    layout = _WORDS[words] if words < len(_WORDS) else struct.Struct(f"<{words}I")
    for k in layout.unpack_from(data):
        mixed = k * _M & _MASK
        h = (h * _M & _MASK) ^ ((mixed ^ (mixed >> 24)) * _M & _MASK)
    tail = data[words << 2 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partition_of(key: bytes, partitions: int) -> int:
    """The partition of `key` in a topic of so many `partitions`."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
