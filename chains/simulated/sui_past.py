"""Transactions after a simulated Sui service's checkpoint: lists, balance changes, versions.

``Past.transactions`` are what happened, oldest first. An address's list names those that it sent,
paid or received coins by. ``canary`` sends one in every checkpoint.

Dangerous knobs: ``first_kept`` (older transactions are gone, and not a word about it in a list),
``claims`` (what the service says of that), ``says_nothing`` (no range at all), ``index_ends``
(the index lags behind), ``index_drops`` (checkpoints that it left out), ``last_page`` (lists end
after so many pages), ``goes_round`` (pages repeat), ``most`` (transactions in a page),
``empty_pages`` (a page without transactions before each), ``no_changes`` (``null``),
``lost_changes`` (an empty list), ``most_changes`` (in a page of them), ``changes_go_round``,
``no_gas`` (only what was sent is recorded), ``repeats`` (each page begins with the last one's
end), ``prunes_after`` (so many pages, transactions are dropped), ``zeros`` (balances are zero in
answers that have a list of transactions), ``lists_deposits`` (``False``: what others pay into an
address balance is in nobody's list), ``objects`` (addresses that are objects), ``lost`` (a
transaction that is listed and not held), ``cut_objects`` (not all changed objects are told).
Names and types follow
https://github.com/MystenLabs/ts-sdks/blob/main/packages/sui/src/graphql/generated/schema.graphql.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b, sha256
from typing import Any, Protocol

import msgspec

from chains.addresses.base58 import bytes_to_base58

SUI = "0x2::sui::SUI"
CANARY = bytes.fromhex("5e" * 32)
_LIST = re.compile(
    r"(\w+):transactions\((first|last):(\d+)(?:,after:\"([^\"]*)\")?,filter:"
    r"\{affectedAddress:\"0x(\w{64})\",(after|at)Checkpoint:(\d+)\}\)"
)
_ONE = re.compile(
    r"(\w+):transaction\(digest:\"(\w+)\"\)\{digest effects\{balanceChanges"
    r"\(first:(\d+),after:\"(\w+)\""
)
_OBJECT = re.compile(r"(\w+):object\(address:\"0x(\w{64})\"(?:,atCheckpoint:(\d+))?\)")
_VERSIONS = re.compile(r"(\w+):objectVersions\(address:\"0x(\w{64})\",last:1\)")
_RANGE = re.compile(r"(\w+):availableRange\(type:\"(\w+)\",field:\"(\w+)\"")


class Service(Protocol):
    """What is asked of the service itself."""

    checkpoint: int
    address_balances: dict[bytes, int]


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """What happened in a checkpoint: MIST and units by account and coin.

    ``deposits`` go to address balances. ``kinds`` are types of changed objects. Who pays the gas
    is ``payer``, else the sender; nobody sent a system's own. ``made_up`` is recorded and not true.
    """

    at: int
    sender: bytes | None = CANARY
    payer: bytes | None = None
    changes: Mapping[tuple[bytes, str], int] = {}
    deposits: Mapping[bytes, int] = {}
    kinds: tuple[str, ...] = ()
    gas: int = 0
    made_up: Mapping[tuple[bytes, str], int] = {}

    @property
    def digest(self) -> str:
        """Return the name."""
        return bytes_to_base58(sha256(msgspec.msgpack.encode(repr(self))).digest())

    @property
    def pays(self) -> bytes | None:
        """Return who paid the gas."""
        return self.payer or self.sender

    def moved(self, account: bytes, coin: str) -> int:
        """Return what came in as coins, less the gas."""
        gas = self.gas if account == self.pays and coin == SUI else 0
        return self.changes.get((account, coin), 0) - gas

    def entries(self, *, gas: bool) -> list[tuple[bytes, str, int]]:
        """Return the balance changes that are recorded."""
        keys = dict.fromkeys(self.changes)
        if self.pays is not None and gas:
            keys[(self.pays, SUI)] = None
        found = [(who, coin, self.moved(who, coin)) for who, coin in keys]
        if not gas:
            found = [(who, coin, self.changes[(who, coin)]) for who, coin in keys]
        found += [(who, SUI, units) for who, units in self.deposits.items()]
        return found + [(who, coin, units) for (who, coin), units in self.made_up.items()]


class Past:
    """A list of transactions whose knobs are plain attributes."""

    def __init__(self, transactions: Sequence[Transaction] = ()) -> None:
        self.transactions = list(transactions)
        self.canary: bytes | None = CANARY
        self.first_kept = 0
        self.claims: int | None = None
        self.says_nothing = False
        self.index_ends: int | None = None
        self.index_drops: set[int] = set()
        self.last_page: int | None = None
        self.goes_round = False
        self.most = 50
        self.empty_pages = False
        self.no_changes = False
        self.lost_changes = False
        self.most_changes = 50
        self.changes_go_round = False
        self.no_gas = False
        self.repeats = False
        self.prunes_after: int | None = None
        self.zeros = False
        self.lists_deposits = True
        self.objects: set[bytes] = set()
        self.lost = False
        self.cut_objects = False

    def moved(self, account: bytes, coin: str, after: int, until: int) -> int:
        """Return what came in as coins in checkpoints after one."""
        return sum(one.moved(account, coin) for one in self.transactions if after < one.at <= until)

    def deposited(self, account: bytes, after: int, until: int) -> int:
        """Return what came into an address balance."""
        every = [one for one in self.transactions if after < one.at <= until]
        return sum(one.deposits.get(account, 0) for one in every)

    def fields(self, of: Service, number: int, query: str) -> dict[str, Any]:
        """Answer the fields that are about the past, as of a checkpoint."""
        found: dict[str, Any] = {}
        if "t:transactions(" in query and self.prunes_after is not None:
            self.prunes_after -= 1
            self.first_kept = number if self.prunes_after < 0 else self.first_kept
        kept = self._kept(number)
        for alias, *_ in _RANGE.findall(query):
            found.setdefault("serviceConfig", {})[alias] = kept
        for alias, end, count, after, who, side, bound in _LIST.findall(query):
            account, low = bytes.fromhex(who), int(bound) - (side == "at")
            listed = self._listed(account, low, int(bound) if side == "at" else number)
            if end == "last" or side == "at":
                newest = listed[-1:] if end == "last" else listed[:1]
                found[alias] = {"nodes": [{"digest": one.digest} for one in newest]}
            else:
                found[alias] = self._page(
                    listed, int(count), after, objects="objectChanges" in query
                )
        for alias, digest, count, after in _ONE.findall(query):
            one = next(one for one in self.transactions if one.digest == digest)
            changes = self._changes(one, int(count), after)
            found[alias] = {"digest": digest, "effects": {"balanceChanges": changes}}
        for alias, who, at in _OBJECT.findall(query):
            found[alias] = self._object(of, bytes.fromhex(who), int(at or number))
        for alias, who in _VERSIONS.findall(query):
            found[alias] = self._versions(of, bytes.fromhex(who), number)
        return found

    def _kept(self, number: int) -> dict[str, Any] | None:
        if self.says_nothing:
            return None
        first = self.first_kept if self.claims is None else self.claims
        return {"first": {"sequenceNumber": first}, "last": {"sequenceNumber": number}}

    def _listed(self, account: bytes, after: int, until: int) -> list[Transaction]:
        if account == self.canary:
            every = [Transaction(at=until, gas=0)]
        else:
            every = [one for one in self.transactions if self._names(one, account)]
        return [
            one
            for one in every
            if max(after, self.first_kept - 1) < one.at <= until
            and (self.index_ends is None or one.at <= self.index_ends)
            and one.at not in self.index_drops
        ]

    def _names(self, one: Transaction, account: bytes) -> bool:
        named = {one.sender, one.pays, *(who for who, _ in (*one.changes, *one.made_up))}
        return account in named | (set(one.deposits) if self.lists_deposits else set())

    def _page(
        self, listed: Sequence[Transaction], first: int, after: str, *, objects: bool
    ) -> dict[str, Any]:
        text = after.rstrip("e")
        start, count = int(text or 0), min(first, self.most)
        if self.empty_pages and not after.endswith("e") and listed:
            info = {"hasNextPage": True, "endCursor": f"{start}e"}
            return {"pageInfo": info, "nodes": []}
        start -= 1 if self.repeats and start else 0
        end = start + count
        more = end < len(listed)
        if self.last_page is not None and end >= self.last_page * count:
            more = False
        cursor = str(0 if self.goes_round else end)
        if self.goes_round:
            more = True
        nodes = [self._node(one, objects=objects) for one in listed[start:end]]
        return {"pageInfo": {"hasNextPage": more, "endCursor": cursor}, "nodes": nodes}

    def _node(self, one: Transaction, *, objects: bool) -> dict[str, Any]:
        effects: dict[str, Any] = {
            "status": None if self.lost else "SUCCESS",
            "checkpoint": {"sequenceNumber": one.at},
            "balanceChanges": None if self.no_changes else self._changes(one, 50, ""),
        }
        if objects:
            states = [
                {"asMoveObject": {"contents": {"type": {"repr": kind}}}} for kind in one.kinds
            ]
            nodes = [{"inputState": None, "outputState": state} for state in states]
            effects["objectChanges"] = {
                "pageInfo": {"hasNextPage": self.cut_objects},
                "nodes": nodes,
            }
        return {
            "digest": one.digest,
            "sender": None if one.sender is None else {"address": _text(one.sender)},
            "gasInput": {"gasSponsor": {"address": _text(one.pays or bytes(32))}},
            "effects": effects,
        }

    def _changes(self, one: Transaction, first: int, after: str) -> dict[str, Any]:
        every = [] if self.lost_changes else one.entries(gas=not self.no_gas)
        start, count = int(after or 0), min(first, self.most_changes)
        nodes = [
            {"owner": {"address": _text(who)}, "coinType": {"repr": _whole(coin)},
             "amount": str(units)}
            for who, coin, units in every[start : start + count]
        ]  # fmt: skip
        more = start + count < len(every) or self.changes_go_round
        cursor = str(len(every) if self.changes_go_round else start + count)
        return {"pageInfo": {"hasNextPage": more, "endCursor": cursor}, "nodes": nodes}

    def _object(self, of: Service, name: bytes, at: int) -> dict[str, Any] | None:
        owner = self._owner(of, name)
        if owner is not None:
            held = of.address_balances.get(owner, 0) + self.deposited(owner, of.checkpoint, at)
            return {"version": 7} if held else None
        return {"version": 3} if name in self.objects else None

    def _owner(self, of: Service, name: bytes) -> bytes | None:
        """Return whose SUI in an address balance is held by an object."""
        every = {*of.address_balances, *(who for one in self.transactions for who in one.deposits)}
        return next((who for who in every if balance_object(who) == name), None)

    def _versions(self, of: Service, name: bytes, number: int) -> dict[str, Any]:
        owner = self._owner(of, name)
        held = of.address_balances.get(owner, 0) if owner is not None else 0
        paid = [of.checkpoint - 5] if held else []
        for one in self.transactions:
            if owner is not None and owner in one.deposits and one.at <= number:
                held += one.deposits[owner]
                paid += [one.at] if held else []  # an object that is gone has no version
        last = {"version": 7, "previousTransaction": {"effects": {"checkpoint": None}}}
        if paid:
            last["previousTransaction"] = {"effects": {"checkpoint": {"sequenceNumber": paid[-1]}}}
        return {"nodes": [last] if paid else []}


def balance_object(account: bytes) -> bytes:
    """Return the id of the object that holds an account's address balance of SUI."""
    framework = bytes(31) + b"\x02"
    coin = b"\x07" + framework + b"\x03sui\x03SUI\x00"
    balance = b"\x07" + framework + b"\x07balance\x07Balance\x01" + coin
    kind = b"\x07" + framework + b"\x0baccumulator\x03Key\x01" + balance
    root = bytes(30) + b"\x0a\xcc"
    size = len(account).to_bytes(8, "little")
    return blake2b(b"\xf0" + root + size + account + kind, digest_size=32).digest()


def _text(account: bytes) -> str:
    return "0x" + account.hex()


def _whole(coin: str) -> str:
    """Return a type as a service writes it, with the whole address."""
    package, _, name = coin.partition("::")
    return f"0x{package[2:]:0>64}::{name}"
