"""Mutations: of bytes what fuzzers call havoc, and of JSON one value; deterministic by seed."""

from __future__ import annotations

import random
from collections.abc import Sequence

from tests.fuzz.contract import EMPTY, NONSENSE, NUMBERS, Raw, parse, places, put, spell, value_at

PIECES = (
    *(b"\x00", b"\xff", b"\xff\xff\xff\xff", b"\x80" * 9, b"\n", b'"', b"{", b"}", b"[", b"]"),
    *(b",", b":", b"-", b"-1", b"1e999", b"1e99999999999", b"NaN", b"Infinity", b"null", b"true"),
    *(b"0x", b"9" * 400, b"[" * 3000, b'{"a":' * 3000, b"a." * 3000, b"\xe2\x80\xae", b"\xed\xa0"),
    *(b"=1+1", b"<script>", b"../", b"&a", b"*a", b"<<: *a", b"!!int ", b"\xef\xbb\xbf", b"PK\3\4"),
)
"""Bytes that parsers trip over."""
LONGEST = 1 << 18
ODD = (*NONSENSE, *NUMBERS, *EMPTY, Raw("1e" + "9" * 20), Raw("-1e-" + "9" * 30))
"""Values that no answer should have, and some that it may."""
SPELLED = tuple(one for one in ODD if len(str(one)) < 6000)
LONGEST_TREE = 1 << 14
"""Bytes of JSON that are taken apart; longer ones are changed as bytes."""
MOST_BEFORE = 4
"""So many bytes may stand before JSON: they choose what it is said to."""


def mutated(seeds: Sequence[bytes], rng: random.Random) -> bytes:
    """Change one seed: a value, where there is JSON in it, or bytes in one to six places."""
    seed = rng.choice(seeds)
    if rng.randrange(3) == 0:
        changed = with_another_value(seed, rng)
        if changed is not None:
            return changed[:LONGEST]
    return _havoc(bytearray(seed), seeds, rng)


def with_another_value(data: bytes, rng: random.Random) -> bytes | None:
    """Change one value in a line of JSON, ``None`` where there is none."""
    lines = data.split(b"\n") if len(data) < LONGEST_TREE else []
    if len(lines) > 1 and lines[0].strip() in (b"{", b"["):  # one document over many lines
        lines = [data]
    number = rng.randrange(len(lines)) if lines else 0
    line = lines[number] if lines else b""
    begins = [at for at in (line.find(b"{"), line.find(b"[")) if 0 <= at <= MOST_BEFORE]
    if not begins:
        return None
    start = min(begins)
    try:
        tree = parse(line[start:])
        found = list(places(tree))
        place = rng.choice(found)
        match rng.randrange(5):
            case 0:
                new = put(tree, place)
            case 1:
                new = put(tree, place, value_at(tree, rng.choice(found)))
            case 2:
                new = put(tree, place, value_at(tree, place), rng.choice(SPELLED))
            case _:
                new = put(tree, place, rng.choice(SPELLED))
        lines[number] = line[:start] + spell(new).encode("utf-8", "surrogatepass")
    except (ValueError, RecursionError):
        return None
    return b"\n".join(lines)


def _havoc(data: bytearray, seeds: Sequence[bytes], rng: random.Random) -> bytes:
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
