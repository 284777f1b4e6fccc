"""Bags of cells of other tools, and damaged ones."""

from __future__ import annotations

from base64 import b64decode

import pytest
from tvm_answers import (
    BYTES,
    ELECTOR,
    EMPTY,
    SAME,
    USDT,
    WHOLE,
)

from chains.adapters.tvm import cells
from chains.addresses.ton import decode, encode

pytestmark = pytest.mark.unit


def test_addresses_in_cells_are_those_of_other_tools():
    """Bags of Trust Wallet, STON.fi and a server; with a checksum, an index, wide fields."""
    account = decode("UQBjKqthWBE6GEcqb_epTRFrQ1niS6Z1Z1MHMwR-mnAYRoYr", {})
    bags = (
        "te6cckEBAQEAJAAAQ4AMZVVsKwInQwjlTf71KaItaGs8SXTOrOpg5mCP004DCNAptHQU",
        "te6ccgICAAEAAQAAACQAAABDgAxlVWwrAidDCOVN/vUpoi1oazxJdM6s6mDmYI/TTgMI0A==",
        cells.address_bag(account),
    )
    assert {cells.address(cells.of_text(bag)) for bag in bags} == {account}
    indexed = "te6ccsEBAQEAJAAAAEOAAhPiXVKvsD1hxGhnnmesB49ksyqyDn0xoH/5PQAiWc0QY+4g6g=="
    found = cells.address(cells.of_text(indexed))
    assert encode(found, {}) == "EQAQnxLqlX2B6w4jQzzzPWA8eyWZVZBz6Y0D_8noARLOaB3i"


@pytest.mark.parametrize("account", [ELECTOR, USDT, b"\0" * 33, b"\xff" * 33])
def test_an_address_comes_back_from_its_bag(account):
    assert cells.address(cells.of_text(cells.address_bag(account))) == account


def test_the_checksum_is_the_published_one():
    assert cells.crc32c(bytes(32)) == 0x8A9136AA
    assert cells.crc32c(b"123456789") == 0xE3069283


@pytest.mark.parametrize(
    "bag",
    [
        "", "AA", "!!!!", "te6ccg==", EMPTY[:-4], EMPTY + "AAAA", "\u0665", 5, None, ["te6c"],
        "te6cckEBAQEAJAAAQ4AMZVVsKwInQwjlTf71KaItaGs8SXTOrOpg5mCP004DCNApt"+"HQV",
        "te6ccgEBAQEAJAAAQ4AMZVVsKwInQwjlTf71KaItaGs8SXTOrOpg5mCP004DCAAA",
    ],
)  # fmt: skip
def test_a_damaged_bag_is_refused(bag):
    with pytest.raises(cells.CellError):
        cells.address(cells.of_text(bag))


def bag_of(*made: tuple[bytes, list[int]]) -> bytes:
    """Return a bag whose cells refer to each other as told."""
    raw = b"".join(bytes((len(links), 2 * len(data))) + data + bytes(links) for data, links in made)
    head = bytes((1, 2, len(made), 1, 0))
    return cells.MAGIC + head + len(raw).to_bytes(2, "big") + b"\0" + raw


ADDRESS = (1 << 263).to_bytes(33, "big")
"""The first 264 bits of an address in a cell: 100, workchain 0 and a hash of zeros."""


@pytest.mark.parametrize(
    "made",
    [
        [(ADDRESS + b"\x10\0", [])],
        [(ADDRESS + b"\0", [1]), (b"", [])],
        [(ADDRESS, [])],
        [(b"\x20" + ADDRESS[1:] + b"\0", [])],
    ],
)
def test_a_cell_with_more_or_less_than_an_address_is_none(made):
    with pytest.raises(cells.CellError):
        cells.address(cells.parse(bag_of(*made)))


def test_an_address_with_a_reference_behind_it_is_none():
    own = b64decode(cells.address_bag(USDT))[-36:]
    raw = bytes((1, own[1])) + own[2:] + bytes((1, 0, 0))
    bag = cells.MAGIC + bytes((1, 1, 2, 1, 0, len(raw), 0)) + raw
    assert cells.parse(bag).bits == cells.ADDRESS_BITS
    with pytest.raises(cells.CellError):
        cells.address(cells.parse(bag))


@pytest.mark.parametrize(
    ("bag", "digest"),
    [
        (EMPTY, "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7"),
        (WHOLE, "ac5ef91092c62cc6e8f8ec4efc1b0aa66e7e80f92ca432f2b92e9183cd49a384"),
        (BYTES, "17428f34aa8bf004b81692a5d9581c0fe84f6c00d9c65c7432b3d4a51000e165"),
    ],
)
def test_hashes_of_cells_are_those_of_another_tool(bag, digest):
    assert cells.of_text(bag).digest.hex() == digest


def test_a_special_cell_is_no_address():
    raw = bytearray(b64decode(cells.address_bag(USDT)))
    raw[-36] |= 8
    special = cells.parse(bytes(raw))
    assert special.is_special
    with pytest.raises(cells.CellError):
        cells.address(special)


@pytest.mark.parametrize(
    "raw",
    [
        bag_of((b"a", [])) + b"\0",
        bag_of((b"a", []))[:-1],
        cells.MAGIC + bytes((1, 1, 1, 2, 0, 2, 0)) + bytes(2),
        cells.MAGIC + bytes((1, 1, 1, 1, 1, 2, 0)) + bytes(2),
        cells.MAGIC + bytes((1, 1, 1, 1, 0, 2, 1)) + bytes(2),
        cells.MAGIC + bytes((1, 1, 2, 1, 0, 2, 0)) + bytes(2),
        cells.MAGIC + bytes((1, 1, 1, 1, 0, 2, 0)) + bytes((0x20, 0)),
    ],
)
def test_a_bag_that_is_not_one_tree_is_refused(raw):
    with pytest.raises(cells.CellError):
        cells.parse(raw)


@pytest.mark.parametrize(
    "bag",
    [
        bag_of((b"a", [0])),
        bag_of((b"a", [1]), (b"b", [0])),
        bag_of((b"a", [2]), (b"b", [])),
        bag_of((b"a", [1] * 5), (b"b", [])),
    ],
)
def test_references_that_lead_back_or_nowhere_are_refused(bag):
    with pytest.raises(cells.CellError):
        cells.parse(bag)


def test_a_chain_of_cells_ends():
    deep = [(b"a", [i + 1]) for i in range(200)]
    assert len(cells.snake(*_start(cells.parse(bag_of(*deep, (b"z", [])))))) == 201
    raw = b"".join(bytes((1, 0)) + (i + 1).to_bytes(2, "big") for i in range(600)) + bytes(2)
    head = bytes((2, 2)) + (601).to_bytes(2, "big") + b"\0\1\0\0" + len(raw).to_bytes(2, "big")
    with pytest.raises(cells.CellError, match="deeply"):
        cells.parse(cells.MAGIC + head + b"\0\0" + raw)


def _start(cell: cells.Cell) -> tuple[cells.Cell, cells.Reader]:
    return cell, cells.Reader(cell)


def test_dictionaries_of_another_tool_read():
    root = cells.of_text(BYTES)
    for key in range(256):
        found = cells.lookup(root, key, 8)
        assert (found is not None) == (key % 7 == 0)
        assert found is None or found.take(8) == 255 - key
    root = cells.of_text(SAME)
    for key in (0, 1, 2**63, 2**64 - 1):
        found = cells.lookup(root, key, 64)
        assert found is not None
        assert found.take(8) == key % 251
    assert cells.lookup(root, 2, 64) is None
