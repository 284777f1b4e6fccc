"""Mutations without a guide: what coverage-guided fuzzers call havoc, deterministic by seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

PIECES = (
    *(b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x80" * 9, b"\n", b'"', b"{", b"}", b"[", b"]"),
    *(b",", b":", b"-", b"-1", b"1e999", b"1e99999999999", b"NaN", b"Infinity", b"null", b"true"),
    *(b"0x", b"9" * 400, b"[" * 3000, b'{"a":' * 3000, b"a." * 3000, b"\xe2\x80\xae", b"\xed\xa0"),
    *(b"=1+1", b"<script>", b"../", b"&a", b"*a", b"<<: *a", b"!!int ", b"\xef\xbb\xbf", b"PK\3\4"),
)
"""Bytes that parsers trip over."""
LONGEST = 1 << 18


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Change one seed in one to six places."""
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        at = rng.randint(0, len(data))
        match rng.randrange(8):
            case 0 if data:
                data[at % len(data)] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at % len(data)] = rng.randrange(256)
            case 2:
                del data[at : at + rng.choice((1, 2, 4, 16, 256))]
            case 3:
                data[at:at] = rng.choice(PIECES)
            case 4:
                data[at : at + rng.randint(1, 8)] = rng.choice(PIECES)
            case 5:
                begin = rng.randint(0, len(data))
                data[at:at] = data[begin : begin + rng.choice((1, 8, 64, 1024))]
            case 6:
                other = rng.choice(seeds)
                begin = rng.randint(0, len(other))
                data[at:] = other[begin:]
            case _:
                del data[at:]
    return bytes(data[:LONGEST])
