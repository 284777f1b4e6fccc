"""Targets that read binary forms: tries, messages, transactions, dumps, accounts, numbers."""

from __future__ import annotations

import contextlib
from base64 import b64decode
from hashlib import blake2b

from chains.adapters.aelf import protobuf as aelf_protobuf
from chains.adapters.bip122 import dump, scan, set_hash, transactions
from chains.adapters.eip155 import multicall, rlp
from chains.adapters.eip155 import trie as evm_trie
from chains.adapters.hedera import keys
from chains.adapters.solana import layouts, wire
from chains.adapters.substrate import storage
from chains.adapters.substrate import trie as substrate_trie
from chains.adapters.tvm import cells
from chains.errors import Malformed
from chains.model import Gap
from chains.protobuf import BadMessage, fields
from chains.simulated.bip122 import SimulatedCoin, write_dump, write_old_dump
from chains.words import WORD, Words
from tests.fuzz.target import Target, file_with, place, split

COINS = [
    SimulatedCoin(txid=f"{n // 2:064x}", vout=n, height=n + 1, units=units, script=script)
    for n, (units, script) in enumerate(
        [
            (5000, b"\x76\xa9\x14" + b"\x07" * 20 + b"\x88\xac"),
            (10**12, b"\x00\x14" + b"\x08" * 20),
            (1, b"\x51\x20" + b"\x09" * 32),
            (123456789, b"\x52" * 40),
        ]
    )
]


def dump_seeds() -> list[bytes]:
    path = place() / "dump"
    made = []
    for write in (write_dump, write_old_dump):
        write(path, COINS, block_hash="ab" * 32)
        made.append(path.read_bytes())
    return made


def set_seeds() -> list[bytes]:
    seeds = dump_seeds()
    set_hash.set_hash(file_with(seeds[0], "dump"), plain=False)  # compiles, for some seconds
    return seeds


def utxo_set_hash(data: bytes) -> None:
    """Hash the coins of a dump in both ways, which must say the same."""
    path = file_with(data, "dump")
    found: list[str | None] = []
    for plain in (True, False):
        try:
            found.append(set_hash.set_hash(path, plain=plain))
        except Malformed:
            found.append(None)
    assert found[0] == found[1]


def utxo_dump(data: bytes) -> None:
    """Scan a dump: no more money than there can be, and each match within the total."""
    wanted = sorted({coin.script for coin in COINS})
    with contextlib.suppress(Malformed):
        found = scan.scan_dump(file_with(data, "dump"), wanted, plain=True)
        assert 0 <= int(found.total_units) <= dump.MAX_MONEY
        assert sum(int(one.units) for one in found.matched) <= int(found.total_units)


def bag_of_cells(data: bytes) -> None:
    with contextlib.suppress(cells.CellError):
        cell = cells.parse(data)
        cells.address(cell)


def bags() -> list[bytes]:
    return [b64decode(cells.address_bag(b"\0" + b"\x07" * 32))]


PAIRS = (  # of hex-prefixed paths: a leaf, an extension
    [b"\x20" + b"\x11" * 32, b"\x01"],
    [b"\x00" + b"\x11" * 31, [b""] * 16 + [b"\x02"]],
    [b""] * 17,
)


def evm_nodes(data: bytes) -> None:
    """Follow a path through nodes, the first of which is the root, whatever it says."""
    which, rest = split(data, 3)
    size = max(1, len(rest) // (which + 1))
    nodes = [rest[at : at + size] for at in range(0, len(rest), size)]
    with contextlib.suppress(evm_trie.Unproven):
        known = evm_trie.by_hash(nodes)
        root = evm_trie.keccak(nodes[0]) if nodes else b""
        for key in (b"\x11" * 32, bytes(32)):
            found = evm_trie.look_up(root, key, known)
            assert found is None or isinstance(found, bytes)


def rlp_item(data: bytes) -> None:
    """Read an item: it is written as it was read, and no number has two spellings."""
    with contextlib.suppress(ValueError):
        item = rlp.decode(data)
        assert rlp.encode(item) == data
        if isinstance(item, bytes):
            assert rlp.number(rlp.quantity(item)) == item


def substrate_nodes(data: bytes) -> None:
    """Follow a key through a node that is the root, whatever it says, and one below it."""
    at, rest = split(data, 256)
    nodes = [one for one in (rest[:at], rest[at:]) if one]
    known = substrate_trie.by_name(nodes)
    root = blake2b(nodes[0], digest_size=32).digest() if nodes else bytes(32)
    for key in (b"", b"\x11", b"\x11" * 32):
        with contextlib.suppress(substrate_trie.Unproven):
            found = substrate_trie.look_up(root, key, known)
            assert found is None or isinstance(found, bytes)


def substrate_values(data: bytes) -> None:
    """Read what may stand in a Substrate state: an amount is never below zero."""
    for read in (storage.read_account, storage.read_asset_account, storage.read_metadata):
        read(data)
    at = storage.read_time(data)
    assert isinstance(at, Gap) or at >= 0


def message(data: bytes) -> None:
    """Read protocol buffers in three ways; a key is read alike twice."""
    with contextlib.suppress(BadMessage):
        for number, value in fields(data):
            assert number >= 0
            assert isinstance(value, bytes) or value >= 0
    with contextlib.suppress(ValueError):
        parsed = aelf_protobuf.parse(data)
        aelf_protobuf.one_integer(parsed, 1)
        aelf_protobuf.one_bytes(parsed, 2)
    with contextlib.suppress(keys.BadKey):
        assert keys.nested(data) == keys.nested(data)


def transaction(data: bytes) -> None:
    """Read a raw transaction under its own id: it moves no other coins than it says."""
    for tokens in (False, True):
        with contextlib.suppress(Malformed):
            transactions.read_moves(data, "00" * 32, cash_tokens=tokens)
    with contextlib.suppress(transactions.Refused):
        found = transactions.read_transaction(data)
        wanted = transactions.txid(found)[::-1].hex()
        for tokens in (False, True):
            with contextlib.suppress(Malformed):
                moves = transactions.read_moves(data, wanted, cash_tokens=tokens)
                assert sum(units for _, units in moves.pays) == sum(
                    one.units for one in found.outputs
                )


def aggregate(data: bytes) -> None:
    """Read the results of many calls: as many as were asked, each a part of the answer."""
    count, raw = split(data, 8)
    with contextlib.suppress(ValueError):
        found = multicall.results(raw, count)
        assert len(found) == count
        assert all(one is None or one in raw for one in found)
        assert len(multicall.multicall_words(raw, count)) == count


def words(data: bytes) -> None:
    """Read a column of numbers: one by one, in one text, and sliced they are the same."""
    raw = data[: len(data) // WORD * WORD]
    column = Words(raw)
    numbers = [int.from_bytes(raw[at : at + WORD], "big") for at in range(0, len(raw), WORD)]
    assert list(column) == numbers
    assert column.texts().to_pylist() == [str(number) for number in numbers]
    assert list(column[1:3]) == numbers[1:3]
    assert all(number in column for number in numbers)


def solana_account(data: bytes) -> None:
    """Read an account of any program: amounts are not negative, and parts are all there is."""
    which, raw = split(data, 4)
    owner = (*layouts.TOKEN_PROGRAMS, "x")[which % (len(layouts.TOKEN_PROGRAMS) + 1)]
    held = wire.Held(lamports=10**10, owner=owner, space=len(raw) + (which == 3), data=raw)
    found = layouts.token_account(held)
    assert found is None or found.amount >= 0
    if not isinstance(layouts.mint_decimals(held), Gap):
        assert layouts.supply(held) >= 0
    for epoch in (None, 5):
        parts = layouts.stake_parts(held, epoch)
        assert isinstance(parts, Gap) or sum(part.units for part in parts) == held.lamports


INPUT = bytes(32) + b"\xff" * 4 + b"\1\x51" + b"\xff" * 4
OUTPUT = (50).to_bytes(8, "little") + b"\1\x51"
RAW = b"\2\0\0\0" + b"\1" + INPUT + b"\1" + OUTPUT + bytes(4)
MWEB = b"\2\0\0\0" + b"\0\x08" + b"\1" + INPUT + b"\1" + OUTPUT + bytes(1) + bytes(4)
RESULTS = b"".join(
    number.to_bytes(WORD, "big") for number in (WORD, 1, WORD, 1, 2 * WORD, WORD, 10**18)
)
TARGETS = (
    Target("utxo dump", dump_seeds, utxo_dump),
    Target("utxo set hash", set_seeds, utxo_set_hash),
    Target("bag of cells", bags, bag_of_cells),
    Target("evm trie", lambda: [b"\0" + rlp.encode(one) for one in PAIRS], evm_nodes),
    Target("rlp", lambda: [rlp.encode(one) for one in PAIRS], rlp_item),
    Target("substrate trie", lambda: [b"\xff\x43\x11\x11\x08\1\2", b"\x04\xc1\x10\0\0\x41\1"],
           substrate_nodes),
    Target("substrate values", lambda: [bytes(80), b"\4" * 16, b"\x08ab\x08cd\x0c\0" * 3],
           substrate_values),
    Target("protocol buffers", lambda: [b"\x12\x20" + b"\7" * 32, b"\x08\x01\x12\x01a",
                                        b"\x32\x06\x0a\x04\x12\x02ab"], message),
    Target("transaction", lambda: [RAW, MWEB], transaction),
    Target("multicall", lambda: [b"\1" + RESULTS], aggregate),
    Target("words", lambda: [bytes(31) + b"\5" + b"\xff" * 32, b"\x0f" * 96], words),
    Target("solana accounts", lambda: [b"\0" + bytes(108) + b"\1" + bytes(56), b"\1" + bytes(82),
                                       b"\2\2" + bytes(199)], solana_account),
)  # fmt: skip
