"""One row of a run for a terminal: what ``crawler.rowview`` found, as lines under headings.

Texts of the list and of endpoints are made visible; amounts are exact. Of many movements or
exchanges the first and the last stand here, the rest is counted and all are in the JSON form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from chains.workings import Clock, Rule
from crawler.model import NO_HEIGHT
from crawler.reasons import sentence
from crawler.reports import display
from crawler.reports.display import visible
from crawler.rowview.records import (
    Amount,
    AnswerLines,
    Balance,
    Evidence,
    Moment,
    MovementLine,
    Ownership,
    RowView,
    WorkingLines,
)

MOST_SHOWN = 3
"""Movements or exchanges shown from either end of a long list."""
_PER_SECOND = {Clock.MILLISECONDS: 10**3, Clock.NANOSECONDS: 10**9}

Line = tuple[str, str]


def render(view: RowView) -> str:
    """Write the view as text; nothing in it can act on a terminal."""
    sections: list[tuple[str, list[Line]]] = [
        (
            f"Line {view.published.row} of {view.list_name}, in the run {view.run}",
            list(_head(view)),
        ),
        ("What the list says", list(_published(view))),
        ("What it was taken for", list(_meaning(view))),
        ("Whose it is", list(_ownership(view.ownership))),
        ("The pinned block", list(_moment(view.moment))),
    ]
    sections += [
        (f"Question: {_ABOUT.get(one.kind, one.kind)}", list(_answer(one))) for one in view.answers
    ]
    if view.balance is not None:
        sections.append(("The balance", list(_parts(view.balance))))
        sections += [(_title(one), list(_working(one))) for one in view.balance.workings]
    sections.append(("What became of it", list(_outcome(view))))
    return "\n".join(_section(title, lines) for title, lines in sections)


_ABOUT = {
    "balance": "the balance",
    "proof": "a proof of the balance",
    "asset-fact": "decimals and symbol of the asset",
    "control": "who controls an account",
    "signature": "does the contract accept the signature",
}


def _section(title: str, lines: Sequence[Line]) -> str:
    width = max((len(what) for what, _ in lines), default=0)
    shown = "".join(f"  {what:<{width}}  {visible(value)}".rstrip() + "\n" for what, value in lines)
    return f"{visible(title)}\n{shown}"


def _head(view: RowView) -> Iterator[Line]:
    yield "sha256 of the list", view.list_sha256


def _published(view: RowView) -> Iterator[Line]:
    one = view.published
    fields = ("kind", "exchange", "network", "asset", "type", "address", "amount", "height")
    yield from _given((name, getattr(one, name)) for name in (*fields, "scheme", "problem"))
    yield "signatures", str(one.signatures)
    yield from _given([("message", one.message), ("owners", " | ".join(one.owners))])


def _given(lines: Any) -> Iterator[Line]:
    """Yield the lines that have a value."""
    for what, value in lines:
        if value:
            yield what, str(value)


def _meaning(view: RowView) -> Iterator[Line]:
    one = view.meaning
    named = f"{one.chain} ({one.chain_name})" if one.chain_name else one.chain
    yield "chain", named or "not known"
    yield "asset", one.asset_id or "not known"
    if one.asset_id:
        yield "counts as", f"{one.counts_as}, {one.asset_class}, {one.decimals} decimals"
    else:
        yield "counts as", f"{one.counts_as}; its decimals are not known: a base unit here is the "
        yield "", f"place {one.decimals} behind the point, which no chain knows"
    yield "account", one.account or "the address does not decode"
    yield from _given([("in canonical text", one.address)])
    yield "height", _height(one.height, view.published.height)
    yield "claimed", _amount(one.claimed, "no usable amount")


def _height(height: int | None, published: str) -> str:
    if height is not None:
        return str(height)
    return "none" if published.strip() in NO_HEIGHT else f"{published}: {sentence('bad-height')}"


def _amount(amount: Amount | None, missing: str = "not known") -> str:
    if amount is None:
        return missing
    return f"{display.amount(amount.coin, None)} ({amount.base} base units)"


def _ownership(one: Ownership) -> Iterator[Line]:
    yield "status", one.status
    yield "reason", f"{one.reason}: {one.sentence}"
    yield from _given(
        [
            ("scheme", one.scheme),
            ("variant", one.variant),
            ("keys that signed", " | ".join(one.keys)),
            ("owners that signed", " | ".join(one.signers)),
            ("named, cannot sign", " | ".join(one.silent)),
        ]
    )
    if one.keys or one.signers:
        yield "text", "one that was expected" if one.expected_text else "not one that was expected"
    if one.carried:
        yield "judged by", "an earlier run, whose result was used again"
    if one.before != (one.status, one.reason):
        yield "before asking the chain", f"{one.before[0]}, {one.before[1]}"
    for answer in one.rests_on:
        yield "rests on", f"{_ABOUT.get(answer.kind, answer.kind)}, {answer.account}"
        yield from ((f"  {what}", value) for what, value in _answer(answer))


def _moment(one: Moment | None) -> Iterator[Line]:
    if one is None:
        yield "block", "none: nothing could be asked about this row"
        return
    yield "chain and height", f"{one.chain} at {one.height}"
    if one.reason:
        yield "not pinned", f"{one.reason}: {sentence(one.reason)}"
        return
    yield "hash", one.block_hash
    yield "time", display.moment(one.time)
    yield "named by", ", ".join(one.endpoints) or "nobody now"
    for name, reason in one.rejected.items():
        yield "rejected", f"{name}: {reason}"
    yield from _given([("evidence", one.evidence)])


def _answer(one: AnswerLines) -> Iterator[Line]:
    yield "shard", f"{one.shard}, question {one.position}, round {one.round}"
    if one.kind == "asset-fact":
        yield "about", one.account
    if one.subject != one.account:
        yield "resolved to", f"{one.subject}, another name or the owner of {one.account}"
    if one.gap:
        yield "gap", f"{one.gap}: {sentence(one.gap)} {one.detail}".rstrip()
    else:
        yield "answered by", f"{one.endpoint} ({one.source})"
        yield "method", one.method
        yield from _given([("base units", "" if one.facts is not None else one.units)])
    if one.facts is not None:
        yield "shown", msgspec.json.encode(one.facts).decode()
    asked = f"{one.attempt} of {one.attempts}" if one.attempt else "none: nobody was asked"
    yield "attempt", asked
    if one.shard.startswith("captured/"):
        yield "taken", "at the height, by another run that this one was given"
    if one.stands:
        yield "stands", "the row rests on this answer"
    yield from _evidence("evidence", one.evidence)
    yield from _evidence("witness", one.witness)


def _evidence(what: str, one: Evidence | None) -> Iterator[Line]:
    if one is None:
        return
    named = [each for each in one.exchanges if each.names_account]
    yield what, f"{one.pack}, line {one.line}, rule {one.decoder}"
    counted = display.count(len(one.exchanges), "exchange")
    about = display.count(one.answers, "question")
    yield "", f"{counted} for {about}; the account stands in {len(named)} of them"
    for each in _ends(named or one.exchanges):
        if each is None:
            yield "", "…"
            continue
        failure = f" {each.failure}" if each.failure else ""
        yield "", f"exchange {each.place}: sha256 {each.sha256}"
        asked = f"{each.method} {each.path}".rstrip()
        yield "", f"  {each.endpoint} {asked}, status {each.status}{failure}"


def _ends(items: Sequence[Any]) -> Iterator[Any]:
    """Yield the first and the last items, and ``None`` for those in between."""
    if len(items) <= 2 * MOST_SHOWN + 1:
        yield from items
        return
    yield from items[:MOST_SHOWN]
    yield None
    yield from items[-MOST_SHOWN:]


def _parts(balance: Balance) -> Iterator[Line]:
    for part in balance.parts:
        yield part.kind, _amount(part.units) + ("" if part.counted else ", does not belong to it")
    yield "sum", _amount(balance.sum)


_RULES = {
    Rule.BACK: "How it was taken back to the height",
    Rule.FORWARD: "How it was added up to the height",
    Rule.BETWEEN: "How the records around the height state it",
    Rule.UNTOUCHED: "Why it is that of the height",
}


def _title(one: WorkingLines) -> str:
    return _RULES[one.rule] + (f": {one.of}" if one.of else "")


def _working(one: WorkingLines) -> Iterator[Line]:
    at = "" if one.start_at is None else f", at {_when(one.clock, one.start_at)}"
    if one.start is not None:
        yield "balance read", f"{_amount(one.start)}{at}"
    yield "the height is", _when(one.clock, one.at)
    if one.rule in (Rule.BACK, Rule.FORWARD):
        yield "movements", display.count(len(one.movements), "movement")
        sign = ("-", "+") if one.rule is Rule.BACK else ("+", "-")
        yield f"came in ({sign[0]})", _amount(one.came)
        yield f"went out ({sign[1]})", _amount(one.went)
    for each in _ends(one.movements):
        yield "" if each is None else _when(one.clock, each.at), _movement(each)
    if one.last is not None:
        yield (
            "last change before",
            f"{_when(one.clock, one.last.at)} {_movement(one.last)}".rstrip(),
        )
    yield "result", _amount(one.result)
    yield from _given([("shown by", one.shown)])
    if not one.whole:
        yield "covers", "only what is named above; the rest was read for the block itself"


def _movement(one: MovementLine | None) -> str:
    if one is None:
        return "…"
    parts = [one.what]
    if one.found is not None and one.left is not None:
        parts.append(f"found {_amount(one.found)}, left {_amount(one.left)}")
    elif one.units is not None:
        parts.append(f"{'' if one.units.base.startswith('-') else '+'}{one.units.base} base units")
    parts.append(one.id)
    return " ".join(part for part in parts if part)


def _when(clock: Clock, at: int) -> str:
    if clock in _PER_SECOND:
        return f"{display.moment(at // _PER_SECOND[clock])} ({at} {clock.value})"
    return f"{'block' if clock is Clock.HEIGHT else 'slot'} {at}"


def _outcome(view: RowView) -> Iterator[Line]:
    one = view.outcome
    if one.gap:
        yield "gap", f"{one.gap}: {one.gap_sentence}"
    else:
        yield "observed", f"{_amount(one.observed)}, {one.source}/{one.method}"
    yield "claimed", _amount(view.meaning.claimed, "no usable amount")
    if one.reconciliation:
        yield "reconciliation", one.reconciliation
    if one.difference is not None:
        yield "difference", _amount(one.difference)
        yield "rounding may explain", _amount(one.tolerance)
    kind = one.validity.partition(":")[0]
    words = sentence(kind) if kind in _VALIDITY else ""
    yield "validity", f"{one.validity}: {words}" if words else one.validity
    if one.same_account:
        yield "same account and asset", "lines " + ", ".join(map(str, one.same_account[:20]))
    yield "counts", "yes" if one.counts else "no"
    yield "counts as owned", "yes" if one.owned else "no"
    yield from _contribution(view.meaning.counts_as, one.added, one.coin_totals)


_VALIDITY = ("repeat-of", "conflict", "bad-amount")


def _contribution(
    coin: str, added: Mapping[str, Amount], totals: Mapping[str, str | None]
) -> Iterator[Line]:
    for name, amount in added.items():
        total = totals.get(name)
        of = display.UNSAID if total is None else display.amount(total, None)
        yield f"adds to {name}", f"{_amount(amount)} of {of} {coin}"
    if not added:
        yield "adds", "nothing to any total"
