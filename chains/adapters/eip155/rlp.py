"""RLP, the serialisation of headers, accounts and trie nodes: only its one canonical form.

Spec: https://ethereum.org/developers/docs/data-structures-and-encoding/rlp/
"""

from __future__ import annotations

Item = bytes | list["Item"]

MOST_DEPTH = 4
"""Lists within lists: an account or a header has one, a node that holds a small one two."""
_SHORT = 55


def encode(item: Item) -> bytes:
    """Return the bytes of a text or of a list."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:  # noqa: PLR2004
            return item
        return _head(0x80, len(item)) + item
    body = b"".join(encode(one) for one in item)
    return _head(0xC0, len(body)) + body


def decode(raw: bytes) -> Item:
    """Return what ``raw`` is, all of it; raises ``ValueError`` unless it is canonical."""
    item, end = _read(raw, 0, len(raw), MOST_DEPTH)
    if end != len(raw):
        raise ValueError("bytes after the end")
    return item


def quantity(item: Item) -> int:
    """Return the number behind a text without leading zeros; raises ``ValueError``."""
    if not isinstance(item, bytes) or item[:1] == b"\0":
        raise ValueError("no canonical number")
    return int.from_bytes(item, "big")


def number(value: int) -> bytes:
    """Return the text of a number: big-endian, without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _head(base: int, size: int) -> bytes:
    if size <= _SHORT:
        return bytes((base + size,))
    length = number(size)
    return bytes((base + _SHORT + len(length),)) + length


def _read(raw: bytes, start: int, stop: int, depth: int) -> tuple[Item, int]:
    """Return the item that begins at ``start`` and where it ends, at most at ``stop``."""
    if start >= stop:
        raise ValueError("an item is cut off")
    first = raw[start]
    if first < 0x80:  # noqa: PLR2004
        return raw[start : start + 1], start + 1
    is_list = first >= 0xC0  # noqa: PLR2004
    size, begin = _size(raw, start, stop, first - (0xC0 if is_list else 0x80))
    end = begin + size
    if end > stop:
        raise ValueError("an item is cut off")
    if not is_list:
        if size == 1 and raw[begin] < 0x80:  # noqa: PLR2004
            raise ValueError("a small byte in long form")
        return raw[begin:end], end
    if not depth:
        raise ValueError("lists too deep within lists")
    items: list[Item] = []
    while begin < end:
        item, begin = _read(raw, begin, end, depth - 1)
        items.append(item)
    return items, end


def _size(raw: bytes, start: int, stop: int, code: int) -> tuple[int, int]:
    """Return the length that a head tells, and where the contents begin."""
    if code <= _SHORT:
        return code, start + 1
    begin = start + 1 + code - _SHORT
    length = raw[start + 1 : begin]
    if begin > stop or length[:1] == b"\0":
        raise ValueError("a length that is cut off or not canonical")
    size = int.from_bytes(length, "big")
    if size <= _SHORT:
        raise ValueError("a short length in long form")
    return size, begin
