"""What is sent to a Sui GraphQL service, and how its answers are read.

``checkpoint(sequenceNumber: N) { query { … } }`` evaluates as of that checkpoint, and the digest of
the checkpoint stands in the same answer. A field that failed is ``null`` and ``errors`` says why;
``null`` is never a zero.

Spec: https://docs.sui.io/references/sui-api/sui-graphql,
https://github.com/MystenLabs/sui/tree/main/crates/sui-indexer-alt-graphql
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from chains import rest
from chains.addresses import AddressError
from chains.addresses.base58 import base58_to_bytes
from chains.addresses.sui import LENGTH, decode
from chains.jsonrpc import failure
from chains.model import Exchange, Gap, Request

SUI = "0x2::sui::SUI"
SENDERS = 20
CANARY, COIN = "canary", "coin"
"""Names under which a group's evidence stands in its answer; the accounts are ``a0``, ``a1``…"""
BALANCE_FRAGMENT = "fragment B on Balance{totalBalance coinBalance addressBalance}"
STAKES = "0x3::staking_pool"
"""The module of stakes and of pool tokens: a filter may name a module.

Source: MystenLabs/sui crates/sui-indexer-alt-graphql/schema.graphql (ObjectFilter)
"""
STAKE, POOL_TOKENS = "StakedSui", "FungibleStakedSui"
COIN_OBJECT = "0x2::coin::Coin"
PAGE = 50
"""The most objects of one answer. Source: MystenLabs/sui graphql-rpc.mdx (limits)"""
_OBJECTS = (
    "fragment O on MoveObjectConnection"
    "{pageInfo{hasNextPage endCursor}nodes{address contents{type{repr}json}}}"
)
_LARGEST = 2**128 - 1
_LONGEST = 39
_OUTSIDE = "outside consistent range"
NO_HISTORY = Gap(
    "no-history",
    detail="the service keeps balances for minutes to hours; a capture at the checkpoint or a "
    "replay of balance changes would answer it",
)
_REASONS = {
    "FEATURE_UNAVAILABLE": "method-missing",
    "GRAPHQL_VALIDATION_FAILED": "method-missing",
    "GRAPHQL_PARSE_FAILED": "method-missing",
    "REQUEST_TIMEOUT": "timeout",
    "INTERNAL_SERVER_ERROR": "server-error",
}


class Answer(msgspec.Struct, frozen=True):
    """The data of an answer, and why fields of it are ``null``."""

    data: Mapping[str, Any]
    errors: Sequence[Any]

    def missing(self, alias: str = "") -> Gap:
        """Say why a field is ``null``: by the error of its path, else by the first."""
        of_path = [one for one in self.errors if alias and alias in _path(one)]
        listed = of_path or self.errors
        return _gap(listed[0]) if listed else Gap("malformed-answer", detail=f"no {alias}")

    def blames(self, alias: str) -> bool:
        """Tell whether an error is about a field."""
        return any(alias in _path(one) for one in self.errors)


class Balance(msgspec.Struct, frozen=True):
    """Units in coin objects, and units in the address balance (SIP-58)."""

    coins: int
    address: int

    @property
    def units(self) -> int:
        """The sum."""
        return self.coins + self.address


def text(account: bytes) -> str:
    """Return an address with all its digits."""
    return "0x" + account.hex()


def moment(checkpoint: int) -> Request:
    """Ask for the network, the newest checkpoint and the one that is meant."""
    return query(
        "{chainIdentifier tip:checkpoint{sequenceNumber} "
        f"checkpoint(sequenceNumber:{checkpoint})"
        "{sequenceNumber digest timestamp previousCheckpointDigest}}"
    )


def kept() -> Request:
    """Ask for which checkpoints the service holds balances."""
    return query(
        '{serviceConfig{availableRange(type:"Address",field:"balance")'
        "{first{sequenceNumber} last{sequenceNumber}}}}"
    )


def senders(checkpoint: int) -> Request:
    """Ask who sent the transactions of a checkpoint."""
    return query(
        f"{{checkpoint(sequenceNumber:{checkpoint}){{transactions(last:{SENDERS})"
        "{nodes{sender{address}}}}}"
    )


def balances(
    checkpoint: int, coin: str, accounts: Sequence[bytes], canary: bytes | None = None
) -> Request:
    """Ask for balances, beside them for a canary's SUI and for the coin's metadata.

    A balance is a "rich" query, of which a service allows 21 in a request unless it is told
    otherwise. Source: MystenLabs/sui crates/sui-indexer-alt-graphql/src/config.rs
    """
    fields = [f"a{i}:{held(one, '$t')}" for i, one in enumerate(accounts)]
    if canary is not None:
        fields.insert(0, f"{CANARY}:{held(canary, msgspec.json.encode(SUI).decode())}")
    if coin != SUI:
        fields.insert(0, f"{COIN}:coinMetadata(coinType:$t){{decimals}}")
    return query(f"query($t:String!){as_of(checkpoint, fields)}{BALANCE_FRAGMENT}", t=coin)


def stakes(
    checkpoint: int, pages: Sequence[tuple[bytes, str]], canary: bytes | None = None
) -> Request:
    """Ask for stakes and pool tokens, each from a cursor on, and whether a canary owns any coin.

    Spec: https://docs.sui.io/references/sui-api/sui-graphql (``Address.objects``)
    """
    fields = [f"a{i}:{_owned(who, STAKES, PAGE, cursor)}" for i, (who, cursor) in enumerate(pages)]
    if canary is not None:
        fields.insert(0, f"{CANARY}:{_owned(canary, COIN_OBJECT, 1)}")
    return query(f"{as_of(checkpoint, fields)}{_OBJECTS}")


def _owned(account: bytes, kind: str, count: int, cursor: str = "") -> str:
    after = f",after:{msgspec.json.encode(cursor).decode()}" if cursor else ""
    asked = f'objects(filter:{{type:"{kind}"}},first:{count}{after}){{...O}}'
    return f'address(address:"{text(account)}"){{{asked}}}'


def metadata(checkpoint: int, coin: str) -> Request:
    """Ask for decimals and symbol of a coin."""
    fields = [f"{COIN}:coinMetadata(coinType:$t){{decimals symbol}}"]
    return query(f"query($t:String!){as_of(checkpoint, fields)}", t=coin)


def as_of(checkpoint: int, fields: Sequence[str]) -> str:
    """Write a question for fields as of a checkpoint, which names it."""
    inner = " ".join(fields)
    return f"{{checkpoint(sequenceNumber:{checkpoint}){{sequenceNumber digest query{{{inner}}}}}}}"


def held(account: bytes, coin: str) -> str:
    """Write the field of a balance; ``coin`` is quoted, or a variable."""
    return f'address(address:"{text(account)}"){{balance(coinType:{coin}){{...B}}}}'


def query(text: str, **variables: str) -> Request:
    """Build a request."""
    return rest.post("", {"query": text, "variables": variables} if variables else {"query": text})


def read(exchange: Exchange | None) -> Answer | Gap:
    """Return data and errors; a ``Gap`` where there is no data at all."""
    if exchange is None:
        return Gap("not-answered")
    gap = failure(exchange)
    if gap is not None and not (gap.reason == "refused" and exchange.body):
        return gap
    said = rest.body(exchange)
    if isinstance(said, Gap):
        return said
    errors = said.get("errors") if isinstance(said, dict) else None
    data = said.get("data") if isinstance(said, dict) else None
    listed = errors if isinstance(errors, list) else []
    if gap is None and isinstance(data, dict):
        return Answer(data, listed)
    if listed:
        return _gap(listed[0])
    return gap or Gap("malformed-answer", detail="neither data nor errors")


def _gap(error: object) -> Gap:
    """Say what an error object means."""
    said = error if isinstance(error, dict) else {}
    extensions = said.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    spoken = said.get("message")
    message = spoken[:200] if isinstance(spoken, str) else ""
    if _OUTSIDE in message:
        return NO_HISTORY
    reason = _REASONS.get(code, "rpc-error") if isinstance(code, str) else "rpc-error"
    return Gap(reason, retryable=reason in ("timeout", "server-error"), detail=message)


def _path(error: object) -> Sequence[Any]:
    path = error.get("path") if isinstance(error, dict) else None
    return path if isinstance(path, list) else []


def within(answer: Answer, checkpoint: int, digest: str) -> Mapping[str, Any] | Gap:
    """Return the fields as of the checkpoint; a ``Gap`` where the answer names another."""
    said = answer.data.get("checkpoint")
    if said is None:
        return answer.missing("checkpoint") if answer.errors else NO_HISTORY
    if not isinstance(said, dict):
        return Gap("malformed-answer", detail="a checkpoint was expected")
    if said.get("sequenceNumber") != checkpoint or said.get("digest") != digest:
        return Gap("wrong-block")
    fields = said.get("query")
    return fields if isinstance(fields, dict) else answer.missing("query")


def balance(answer: Answer, fields: Mapping[str, Any], alias: str) -> Balance | Gap:
    """Read one balance; its halves must make the total."""
    node = fields.get(alias)
    held = node.get("balance") if isinstance(node, dict) else None
    if held is None:
        return answer.missing(alias)
    names = ("totalBalance", "coinBalance", "addressBalance")
    found = [units(held.get(name)) for name in names] if isinstance(held, dict) else []
    plain = [one for one in found if one is not None]
    if len(plain) != len(names) or plain[0] != plain[1] + plain[2]:
        return Gap("malformed-answer", detail="a balance and its two halves were expected")
    return Balance(plain[1], plain[2])


class Owned(msgspec.Struct, frozen=True):
    """A page of objects that an account owns: contents and types by address, where it goes on."""

    objects: Mapping[str, Any]
    kinds: Mapping[str, str]
    cursor: str


def owned(answer: Answer, fields: Mapping[str, Any], alias: str) -> Owned | Gap:
    """Read a page of an account's objects; a ``null`` is no empty page."""
    node = fields.get(alias)
    page = node.get("objects") if isinstance(node, dict) else None
    if page is None:
        return answer.missing(alias)
    bad = Gap("malformed-answer", detail="a page of objects was expected")
    nodes = page.get("nodes") if isinstance(page, dict) else None
    info = page.get("pageInfo") if isinstance(page, dict) else None
    if not isinstance(nodes, list) or not isinstance(info, dict):
        return bad
    more, cursor = info.get("hasNextPage"), info.get("endCursor")
    if not isinstance(more, bool) or (more and not (isinstance(cursor, str) and cursor)):
        return bad
    found: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    for one in nodes:
        name = one.get("address") if isinstance(one, dict) else None
        contents = one.get("contents") if isinstance(one, dict) else None
        if address(name) is None or name in found or not isinstance(contents, dict):
            return bad
        named = contents.get("type")
        kind = named.get("repr") if isinstance(named, dict) else None
        if not isinstance(kind, str):
            return bad
        found[str(name)], kinds[str(name)] = contents.get("json"), kind
    return Owned(found, kinds, str(cursor) if more else "")


def principal(stake: object) -> int | None:
    """Read the MIST that a StakedSui object was made with; ``None`` where it is none.

    Its ``Balance`` is written as an object with ``value``, or as the number alone.
    """
    held = stake.get("principal") if isinstance(stake, dict) else None
    value = held.get("value") if isinstance(held, dict) else held
    return units(value)


def units(value: object) -> int | None:
    """Read an integer written as decimal text."""
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST:
        return None
    if not (value.isascii() and value.isdigit()) or int(value) > _LARGEST:
        return None
    return int(value)


def sequence(node: object) -> int | None:
    """Read the number of a checkpoint object."""
    value = node.get("sequenceNumber") if isinstance(node, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def digest(value: object) -> bytes | None:
    """Read 32 bytes in base58."""
    try:
        raw = base58_to_bytes(value) if isinstance(value, str) and len(value) <= LENGTH * 2 else b""
    except AddressError:
        return None
    return raw if len(raw) == LENGTH else None


def seconds(value: object) -> int | None:
    """Read RFC 3339 in UTC as Unix seconds."""
    try:
        moment_of = datetime.fromisoformat(value) if isinstance(value, str) else None
        return int(moment_of.timestamp()) if moment_of and moment_of.tzinfo else None
    except (ValueError, OverflowError):
        return None


def who_sent(answer: Answer | Gap) -> list[bytes]:
    """Return the senders of a checkpoint's transactions, the newest first."""
    said = answer.data.get("checkpoint") if isinstance(answer, Answer) else None
    page = said.get("transactions") if isinstance(said, dict) else None
    nodes = page.get("nodes") if isinstance(page, dict) else None
    found: list[bytes] = []
    for node in reversed(nodes) if isinstance(nodes, list) else ():
        sender = node.get("sender") if isinstance(node, dict) else None
        account = address(sender.get("address")) if isinstance(sender, dict) else None
        if account is not None and any(account):
            found.append(account)
    return list(dict.fromkeys(found))


def address(value: object) -> bytes | None:
    """Read an address."""
    try:
        return decode(value, {}) if isinstance(value, str) else None
    except AddressError:
        return None
