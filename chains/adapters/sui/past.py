"""What a service shows of the time after a checkpoint: transactions, balances as of a later one.

All is asked as of one later checkpoint: what a service answers then ends there, however far it
has come since. Lists of transactions begin where the service's records do, without a word about
it: ``availableRange`` has to reach back, and stands in every answer. The list of an address need
not name what came into its address balance (SIP-58), so that the object which holds this balance
is looked at, too.

Spec: https://docs.sui.io/references/sui-api/sui-graphql/beta/reference
(``Query.transactions``, ``TransactionFilter``, ``TransactionEffects.balanceChanges``,
``Query.objectVersions``, ``ServiceConfig.availableRange``),
https://github.com/MystenLabs/sui/tree/main/crates/sui-indexer-alt-graphql/src/api/types
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chains.adapters.sui import fields, wire
from chains.model import Gap, Request

PAGE = 50
"""The most transactions of an answer. Source: MystenLabs/sui graphql-rpc.mdx (limits)"""
OBJECTS_PAGE = 10
"""With the objects that each changed, up to 2,048: an answer may have a million nodes."""
_RANGE = "fragment R on AvailableRange{first{sequenceNumber} last{sequenceNumber}}"
_CHANGES = (
    "fragment C on BalanceChangeConnection"
    "{pageInfo{hasNextPage endCursor}nodes{owner{address}coinType{repr}amount}}"
)
_KIND = "asMoveObject{contents{type{repr}}}"
_STATES = f"inputState{{{_KIND}}}outputState{{{_KIND}}}"
_OBJECTS = f"objectChanges{{pageInfo{{hasNextPage}}nodes{{{_STATES}}}}}"
_VERSION = "{nodes{version previousTransaction{effects{checkpoint{sequenceNumber}}}}}"
_KEPT = (
    'serviceConfig{kt:availableRange(type:"Query",field:"transactions",'
    'filters:["affectedAddress"]){...R} '
    'kb:availableRange(type:"TransactionEffects",field:"balanceChanges"){...R} '
    'kv:availableRange(type:"Query",field:"objectVersions"){...R}}'
)
_STAKES = ("::staking_pool::StakedSui", "::staking_pool::FungibleStakedSui")
_SIGNED = re.compile(r"-?[0-9]{1,39}", re.ASCII)
_BAD = "a transaction that cannot be read"


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """What a transaction did to one account's coin.

    ``recorded``: how many balance changes of anybody were read, ``own``: of the account in this
    coin. ``pays``: the account paid the gas. ``staked``: a stake was made, moved or ended.
    ``rest`` is the cursor of further balance changes.
    """

    digest: str
    at: int
    units: int
    own: int
    recorded: int
    pays: bool
    is_system: bool
    staked: bool
    rest: str


class Page(msgspec.Struct, frozen=True):
    """Transactions of an account in their order, and the cursor after which it goes on."""

    moved: tuple[Moved, ...]
    cursor: str


class Asked(msgspec.Struct, frozen=True):
    """The checkpoint that is meant, a later one, and the coin."""

    height: int
    later: int
    coin: str

    @property
    def is_native(self) -> bool:
        """Tell whether the coin is SUI, of which a part may be at stake."""
        return self.coin == wire.SUI


def ends(asked: Asked, late: Sequence[bytes], early: Sequence[bytes]) -> Request:
    """Ask for canaries: SUI of accounts, and whether the index lists who sent at both ends."""
    parts = [_KEPT, *(f"c{i}:{wire.held(one, _quoted(wire.SUI))}" for i, one in enumerate(late))]
    parts += [_sent(f"s{i}", one, asked.later) for i, one in enumerate(late)]
    parts += [_sent(f"l{i}", one, asked.height + 1) for i, one in enumerate(early)]
    return wire.query(f"{wire.as_of(asked.later, parts)}{wire.BALANCE_FRAGMENT}{_RANGE}")


def _sent(alias: str, account: bytes, checkpoint: int) -> str:
    wanted = f'affectedAddress:"{wire.text(account)}",atCheckpoint:{checkpoint}'
    return f"{alias}:transactions(first:1,filter:{{{wanted}}}){{nodes{{digest}}}}"


def first_page(asked: Asked, account: bytes, canary: bytes) -> Request:
    """Ask for a balance as of the later checkpoint and what moved it, beside a canary's SUI."""
    name = wire.text(account)
    field = wire.text(fields.address_balance(asked.coin, account) or bytes(32))
    parts = [
        _KEPT,
        f"{wire.CANARY}:{wire.held(canary, _quoted(wire.SUI))}",
        f"a0:{wire.held(account, '$t')}",
        f'o:object(address:"{name}"){{version}}',
        f'h:object(address:"{field}",atCheckpoint:{asked.height}){{version}}',
        f'f:objectVersions(address:"{field}",last:1){_VERSION}',
        f"z:transactions(last:1,filter:{_filter(asked, account)}){{nodes{{digest}}}}",
        _listed(asked, account, ""),
    ]
    if not asked.is_native:
        parts.append(f"{wire.COIN}:coinMetadata(coinType:$t){{decimals}}")
    text = f"query($t:String!){wire.as_of(asked.later, parts)}{wire.BALANCE_FRAGMENT}"
    return wire.query(f"{text}{_RANGE}{_CHANGES}", t=asked.coin)


def next_page(asked: Asked, account: bytes, cursor: str) -> Request:
    """Ask for further transactions of an account."""
    parts = [_KEPT, _listed(asked, account, cursor)]
    return wire.query(f"{wire.as_of(asked.later, parts)}{_RANGE}{_CHANGES}")


def rest(asked: Asked, digest: str, cursor: str) -> Request:
    """Ask for further balance changes of a transaction."""
    inner = f"balanceChanges(first:{PAGE},after:{_quoted(cursor)}){{...C}}"
    parts = [_KEPT, f'x:transaction(digest:"{digest}"){{digest effects{{{inner}}}}}']
    return wire.query(f"{wire.as_of(asked.later, parts)}{_RANGE}{_CHANGES}")


def _listed(asked: Asked, account: bytes, cursor: str) -> str:
    after = f",after:{_quoted(cursor)}" if cursor else ""
    count, objects = (OBJECTS_PAGE, _OBJECTS) if asked.is_native else (PAGE, "")
    effects = f"status checkpoint{{sequenceNumber}} balanceChanges(first:{PAGE}){{...C}}{objects}"
    return (
        f"t:transactions(first:{count}{after},filter:{_filter(asked, account)})"
        "{pageInfo{hasNextPage endCursor}nodes{digest sender{address}"
        f"gasInput{{gasSponsor{{address}}}}effects{{{effects}}}}}}}"
    )


def _filter(asked: Asked, account: bytes) -> str:
    return f'{{affectedAddress:"{wire.text(account)}",afterCheckpoint:{asked.height}}}'


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()


def reach(asked: Asked, answer: wire.Answer, said: Mapping[str, Any]) -> Gap | None:
    """Say why the records do not cover all that was asked, if they do not."""
    config = said.get("serviceConfig")
    lowest = {"kt": asked.height + 1, "kb": asked.height + 1, "kv": asked.height}
    for alias, wanted in lowest.items():
        kept = config.get(alias) if isinstance(config, dict) else None
        if not isinstance(kept, dict):
            return answer.missing(alias) if answer.errors else _unreached("says nothing of")
        first, last = wire.sequence(kept.get("first")), wire.sequence(kept.get("last"))
        if first is None or last is None:
            return _unreached("says nothing of")
        if first > wanted:
            return _unreached(f"has them from checkpoint {first} on only, which is past")
        if last < asked.later:
            return Gap("node-behind", retryable=True, detail=f"its records end at {last}")
    return None


def _unreached(how: str) -> Gap:
    return Gap(
        "no-history",
        detail=f"the service {how} the start of the transactions after the checkpoint; a service "
        "that keeps older ones, or a capture at the checkpoint, would answer",
    )


def newest(answer: wire.Answer, said: Mapping[str, Any], alias: str) -> str | Gap:
    """Return the digest in a list of at most one transaction, empty where there is none."""
    page = said.get(alias)
    if page is None:
        return answer.missing(alias)
    nodes = page.get("nodes") if isinstance(page, dict) else None
    if not isinstance(nodes, list) or len(nodes) > 1:
        return Gap("malformed-answer", detail="a list of one transaction was expected")
    digest = nodes[0].get("digest") if nodes and isinstance(nodes[0], dict) else None
    if not nodes:
        return ""
    return str(digest) if wire.digest(digest) else Gap("malformed-answer", detail=_BAD)


def is_there(answer: wire.Answer, said: Mapping[str, Any], alias: str) -> bool | Gap:
    """Tell whether there is an object; a ``null`` with an error says nothing."""
    if alias not in said or answer.blames(alias):
        return answer.missing(alias)
    found = said[alias]
    if found is None:
        return False
    version = found.get("version") if isinstance(found, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        return Gap("malformed-answer", detail="an object and its version were expected")
    return True


def last_change(answer: wire.Answer, said: Mapping[str, Any]) -> int | Gap | None:
    """Return the checkpoint of the newest version of an object, ``None`` where there is none."""
    page = said.get("f")
    if page is None:
        return answer.missing("f")
    bad = Gap("malformed-answer", detail="the newest version of an object was expected")
    nodes = page.get("nodes") if isinstance(page, dict) else None
    if not isinstance(nodes, list) or len(nodes) > 1:
        return bad
    if not nodes:
        return None
    made = _inside(nodes[0], "previousTransaction", "effects", "checkpoint")
    number = wire.sequence(made)
    return bad if number is None else number


def _inside(node: object, *path: str) -> object:
    for name in path:
        node = node.get(name) if isinstance(node, dict) else None
    return node


def read_page(
    asked: Asked, account: bytes, answer: wire.Answer, said: Mapping[str, Any]
) -> Page | Gap:
    """Read a page of an account's transactions."""
    page = said.get("t")
    if page is None:
        return answer.missing("t")
    nodes = page.get("nodes") if isinstance(page, dict) else None
    cursor = _cursor(page)
    if not isinstance(nodes, list) or cursor is None:
        return Gap("malformed-answer", detail="a page of transactions was expected")
    found: list[Moved] = []
    for one in nodes:
        moved = _moved(asked, account, one)
        if isinstance(moved, Gap):
            return answer.missing("t") if answer.blames("t") else moved
        found.append(moved)
    return Page(tuple(found), cursor)


def _cursor(page: object) -> str | None:
    """Return where a connection goes on, empty at its end; ``None`` where it does not say so."""
    info = page.get("pageInfo") if isinstance(page, dict) else None
    more = info.get("hasNextPage") if isinstance(info, dict) else None
    if not isinstance(info, dict) or not isinstance(more, bool):
        return None
    after = info.get("endCursor")
    if not more:
        return ""
    return after if isinstance(after, str) and after else None


def _moved(asked: Asked, account: bytes, node: object) -> Moved | Gap:
    bad = Gap("malformed-answer", detail=_BAD)
    digest, effects = _inside(node, "digest"), _inside(node, "effects")
    number = wire.sequence(_inside(effects, "checkpoint"))
    if wire.digest(digest) is None or number is None:
        return bad
    if _inside(effects, "status") not in ("SUCCESS", "FAILURE"):
        return Gap("no-record", detail=f"the service does not hold transaction {digest}")
    if not asked.height < number <= asked.later:
        return Gap("malformed-answer", detail=f"transaction {digest} is of another time")
    changes = _changes(asked, account, _inside(effects, "balanceChanges"))
    staked = _stakes(_inside(effects, "objectChanges")) if asked.is_native else False
    if isinstance(changes, Gap):
        return changes
    if isinstance(staked, Gap):
        return staked
    units, own, recorded, after = changes
    payer = wire.address(_inside(node, "gasInput", "gasSponsor", "address"))
    return Moved(
        digest=str(digest), at=number, units=units, own=own, recorded=recorded, rest=after,
        pays=payer == account, is_system=_inside(node, "sender") is None, staked=staked,
    )  # fmt: skip


def read_rest(
    asked: Asked, account: bytes, answer: wire.Answer, said: Mapping[str, Any], before: Moved
) -> Moved | Gap:
    """Add further balance changes to what was read of a transaction."""
    node = said.get("x")
    if node is None or answer.blames("x"):
        return answer.missing("x")
    if _inside(node, "digest") != before.digest:
        return Gap("malformed-answer", detail="another transaction than the one asked for")
    changes = _changes(asked, account, _inside(node, "effects", "balanceChanges"))
    if isinstance(changes, Gap):
        return changes
    units, own, recorded, after = changes
    return msgspec.structs.replace(
        before, units=before.units + units, own=before.own + own,
        recorded=before.recorded + recorded, rest=after,
    )  # fmt: skip


def _changes(asked: Asked, account: bytes, page: object) -> tuple[int, int, int, str] | Gap:
    """Return what came in, of how many entries of the account, of how many, and the cursor."""
    if page is None:
        return Gap("no-record", detail="a transaction without its balance changes")
    bad = Gap("malformed-answer", detail="balance changes that cannot be read")
    nodes, after = _inside(page, "nodes"), _cursor(page)
    if not isinstance(nodes, list) or after is None:
        return bad
    units = own = 0
    coin = fields.normal(asked.coin)
    for one in nodes:
        repr_, amount = _inside(one, "coinType", "repr"), _inside(one, "amount")
        who = wire.address(_inside(one, "owner", "address"))
        if not isinstance(repr_, str) or who is None:
            return bad
        if not isinstance(amount, str) or not _SIGNED.fullmatch(amount):
            return bad
        if who == account and fields.normal(repr_) == coin:
            units, own = units + int(amount), own + 1
    return units, own, len(nodes), after


def _stakes(page: object) -> bool | Gap:
    """Tell whether stakes are among the objects that a transaction changed."""
    nodes = _inside(page, "nodes")
    if not isinstance(nodes, list) or _cursor(page) != "":
        return Gap("no-record", detail="a transaction without all of the objects that it changed")
    found = False
    for state in (_inside(one, side) for one in nodes for side in ("inputState", "outputState")):
        if _inside(state, "asMoveObject") is None:
            continue  # nothing before or after, or a package
        kind = _inside(state, "asMoveObject", "contents", "type", "repr")
        if not isinstance(kind, str):
            return Gap("no-record", detail="a transaction with an object of an unknown type")
        found = found or kind.endswith(_STAKES)
    return found
