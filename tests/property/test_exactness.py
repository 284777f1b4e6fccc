"""Totals are exact, and nothing about the way there changes them."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.model import Exchange, Extract, Gap, QueryKind, Request
from crawler.asking.plan import questions as plan_questions
from crawler.asking.plan import shards
from crawler.counting.ledger import build
from crawler.counting.reconciled import judged_rows, row_tolerance, scales
from crawler.counting.units import percent, to_text
from crawler.crawling.evidence import FORMAT, Header, PackWriter, read_pack
from crawler.lists.amounts import AmountError, parse_amount
from crawler.model import Rounding
from crawler.settings import Policy
from tests.unit.ledger_rows import (
    ETH,
    EVM,
    EXACT,
    WORLD,
    added,
    balances,
    claim,
    examined,
    judged,
    ledger_of,
    ledger_row,
)

pytestmark = pytest.mark.property

quick = settings(max_examples=80, deadline=None)
few = settings(max_examples=25, deadline=None)

AMOUNTS = st.one_of(
    st.integers(0, 10**20),
    st.integers(0, 2**256 - 1),
    st.sampled_from([0, 1, 2**64 - 1, 2**64, 2**256 - 1, 2**256, 10**100]),
)
DECIMALS = st.one_of(st.sampled_from([6, 8, 18]), st.integers(0, 77))
VERDICTS = st.sampled_from(
    [
        ("bound", "key-derives-address"),
        ("controlled", "owner-in-control"),
        ("bound", "message-not-pinned"),
        ("signer-only", "control-unobserved"),
        ("unsigned", "no-signature"),
        ("unsupported", "unknown-scheme"),
        ("refuted", "wrong-key"),
    ]
)
OWNED = {("bound", "key-derives-address"), ("controlled", "owner-in-control")}


@st.composite
def rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    found = []
    for row in range(draw(st.integers(1, 12))):
        status, reason = draw(VERDICTS)
        observed = draw(st.one_of(st.none(), AMOUNTS))
        found.append(
            ledger_row(
                row,
                counts_as=draw(st.sampled_from(["ETH", "BTC"])),
                decimals=draw(DECIMALS),
                claimed=str(draw(AMOUNTS)),
                observed=None if observed is None else str(observed),
                status=status,
                reason=reason,
                validity=draw(st.sampled_from(["valid", "valid", "repeat-of:1", "conflict:1"])),
            )
        )
    return found


def coins(entry: dict[str, Any], name: str) -> Fraction:
    return Fraction(int(entry[name] or 0), 10 ** entry["decimals"])


@quick
@given(rows())
def test_totals_equal_those_of_exact_fractions(entries: list[dict[str, Any]]) -> None:
    scale, _, totals = judged(ledger_of(*entries))
    for coin, total in totals.items():
        line = total.line(WORLD, scale)
        mine = [entry for entry in entries if entry["counts_as"] == coin]
        counted = [entry for entry in mine if entry["validity"] == "valid"]
        seen = [entry for entry in counted if entry["observed"] is not None]
        owned = [entry for entry in seen if (entry["status"], entry["reason"]) in OWNED]
        claimed, held = (
            sum((coins(entry, name) for entry in some), Fraction())
            for some, name in ((counted, "claimed"), (seen, "observed"))
        )
        looked_at = sum((coins(entry, "claimed") for entry in seen), Fraction())
        assert Fraction(line.claimed) == claimed
        assert (line.observed is None) == (line.owned is None) == (not seen)
        assert Fraction(line.observed or 0) == held
        assert Fraction(line.owned or 0) == sum((coins(e, "observed") for e in owned), Fraction())
        assert Fraction(line.unobserved) == claimed - looked_at
        assert Fraction(line.excluded) == sum(
            (coins(entry, "claimed") for entry in mine if entry["validity"] != "valid"), Fraction()
        )
        groups = line.reconciliation.values()
        assert sum(Fraction(group.difference or 0) for group in groups) == held - looked_at
        assert sum(Fraction(group.claimed) for group in groups) == claimed
        assert line.coverage == percent(looked_at, claimed)
        for parts in (line.networks, line.classes.values()):
            assert sum(Fraction(part.claimed) for part in parts) == claimed
            assert sum(Fraction(part.observed or 0) for part in parts) == held


@quick
@given(rows(), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_no_total(
    entries: list[dict[str, Any]], order: random.Random
) -> None:
    def lines(some: Sequence[dict[str, Any]]) -> Any:
        scale, _, totals = judged(ledger_of(*some), Policy(conflict="smaller"))
        return {coin: total.line(WORLD, scale) for coin, total in totals.items()}

    mixed = list(entries)
    order.shuffle(mixed)
    assert lines(mixed) == lines(entries)


SAID = st.one_of(AMOUNTS, st.just(Gap("timeout", retryable=True)))
PUBLISHED = st.one_of(
    st.integers(0, 10**30).map(str),
    st.integers(0, 10**30).map(lambda n: to_text(n, 18)),
    st.sampled_from(["", "oops", "-1", "1.50", "0.0000000000000000001"]),
)


@few
@given(
    st.lists(st.tuples(st.integers(0, 5), PUBLISHED), min_size=1, max_size=12),
    st.lists(SAID, min_size=6, max_size=6),
    st.integers(1, 5),
    st.integers(1, 4),
)
def test_batches_of_the_list_and_sizes_of_shards_change_no_result(
    listed: list[tuple[int, str]], said: list[int | Gap], batch: int, size: int
) -> None:
    accounts = [bytes([number]) * 20 for number in range(6)]
    held = dict(zip(accounts, said, strict=True))
    claims = [
        claim(row, "0x" + accounts[number].hex(), amount)
        for row, (number, amount) in enumerate(listed, start=1)
    ]

    def result(batch: int, size: int) -> Any:
        found, signatures = examined(claims, batch=batch)
        asked = plan_questions(WORLD, [(found, signatures)])
        answered = [
            balances(ETH, {account: held[account] for account in piece.accounts})
            for piece in shards(asked, {EVM: size})
            if piece.kind is QueryKind.BALANCE
        ]
        ledger, _ = build(WORLD, found, signatures, answered[::-1], {})
        scale = scales([ledger])
        totals = added(judged_rows(ledger, Policy(), EXACT, scale))
        kept = [name for name in ledger.schema.names if name not in ("shard", "extract")]
        lines = {coin: total.line(WORLD, scale) for coin, total in totals.items()}
        return ledger.select(kept).to_pylist(), lines

    assert result(batch, size) == result(0, 1000)


@quick
@given(st.integers(-(10**120), 10**120), st.integers(0, 77))
def test_text_of_base_units_is_exact_and_canonical(units: int, decimals: int) -> None:
    text = to_text(units, decimals)
    assert Fraction(text) == Fraction(units, 10**decimals)
    whole, point, rest = text.partition(".")
    assert bool(point) == bool(rest)
    assert not rest.endswith("0")
    assert str(int(whole)) == whole.replace("-0", "0")
    assert "e" not in text.lower()


@quick
@given(st.integers(0, 10**90), st.integers(0, 77))
def test_text_is_read_back_to_the_same_base_units(units: int, decimals: int) -> None:
    assert parse_amount(to_text(units, decimals), decimals) == units


@quick
@given(st.integers(1, 10**90), st.integers(0, 77))
def test_no_list_can_claim_a_negative_amount(units: int, decimals: int) -> None:
    with pytest.raises(AmountError):
        parse_amount(to_text(-units, decimals), decimals)


@quick
@given(st.integers(0, 10**60), st.integers(1, 10**60))
def test_percent_is_cut_at_four_places(part: int, whole: int) -> None:
    found = Fraction(percent(part, whole) or "")
    exact = Fraction(part, whole) * 100
    assert found <= exact < found + Fraction(1, 10**4)


@quick
@given(
    st.integers(0, 10**30),
    st.integers(0, 18),
    st.sampled_from(["nearest", "down", "unknown"]),
    st.integers(0, 4),
    st.sampled_from(["0", "0.01", "0.5", "1"]),
)
def test_rounding_never_buys_more_than_a_place_or_than_either_cap(
    units: int, places: int, direction: str, most: int, share: str
) -> None:
    text = to_text(units // 10 ** (18 - places) * 10 ** (18 - places), 18)
    claimed = parse_amount(text, 18)
    policy = Policy(max_rounding_last_places=most, max_rounding_share=share)
    rounding = Rounding(places="as-written", direction=direction)
    bought = row_tolerance(text, claimed, 18, rounding, policy)
    last = 10 ** (18 - len(text.partition(".")[2]))
    assert 0 <= bought < last or bought == 0
    assert bought <= most * last
    assert bought <= Fraction(share) * claimed
    if direction == "nearest":
        assert 2 * bought <= last
    assert row_tolerance(text, claimed, 18, EXACT, policy) == 0


TEXT = st.text(max_size=20)
EXCHANGES = st.builds(
    Exchange,
    request=st.builds(
        Request,
        method=st.sampled_from(["POST", "GET", "FILE"]),
        path=TEXT,
        body=st.binary(max_size=200),
    ),
    endpoint=TEXT,
    own_node=st.booleans(),
    status=st.integers(0, 599),
    body=st.one_of(st.binary(max_size=300), TEXT.map(str.encode)),
    failure=st.sampled_from(["", "timeout", "refused"]),
    retryable=st.booleans(),
)
EXTRACTS = st.builds(
    Extract,
    positions=st.lists(st.integers(0, 2**31 - 1), max_size=5),
    decoder=TEXT,
    exchanges=st.lists(EXCHANGES, max_size=3).map(tuple),
)


HEADERS = st.builds(
    Header,
    format=st.just(FORMAT),
    subject=TEXT,
    attempt=st.integers(1, 9),
    witness=st.booleans(),
)


@quick
@given(st.lists(EXTRACTS, max_size=4), HEADERS)
def test_evidence_of_any_bytes_comes_back_exactly(extracts: list[Extract], header: Header) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pack"
        pack = PackWriter(path, header)
        for extract in extracts:
            pack.add(extract)
        pack.close()
        assert list(read_pack(path)) == [header, *extracts]
