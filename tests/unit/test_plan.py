"""Claims become questions: distinct, sorted, cut into shards, the same from any order of rows."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest

from chains.addresses.bech32 import BECH32, bytes_to_digits, digits_to_bech32
from chains.model import AssetId, ChainId, QueryKind, Questions
from crawler.asking import plan
from crawler.asking.plan import (
    Moment,
    asset_namespace,
    asset_reference,
    is_token,
    shard_digest,
    shards,
    unread_heights,
    why_not,
)
from tests.unit.ledger_rows import (
    ACCOUNT_A,
    ACCOUNT_B,
    ACCOUNT_C,
    ATOM,
    BNB,
    BTC,
    ETH,
    EVM,
    HEIGHT,
    NAMED,
    STRANGE,
    USDT,
    USDT_BNB,
    WORLD,
    A,
    B,
    C,
    claim,
    examined,
    questions,
    with_signatures,
)

pytestmark = pytest.mark.unit

TOKEN = bytes.fromhex("dac17f958d2ee523a2206206994597c13d831ec7")
WAITING = ("signer-only", "control-unobserved")


def asked(*claims: dict[str, Any], waiting: tuple[int, ...] = ()) -> list[Questions]:
    found, signatures = examined(claims)
    signatures = with_signatures(signatures, dict.fromkeys(waiting, WAITING), ACCOUNT_B)
    return plan.questions(WORLD, [(found, signatures)])


def test_an_account_is_asked_once_however_many_rows_rest_on_it() -> None:
    rows = (claim(1, ACCOUNT_B), claim(2), claim(3, "0x" + A.hex().upper()), claim(4, amount="9"))
    assert asked(*rows) == [questions(QueryKind.BALANCE, ETH, [A, B])]


def test_accounts_are_in_ascending_order_of_their_bytes() -> None:
    rows = [claim(i, address) for i, address in enumerate((ACCOUNT_C, ACCOUNT_A, ACCOUNT_B))]
    (found,) = asked(*rows)
    assert found.accounts == (A, B, C)


@pytest.mark.parametrize("status", ["unsigned", "refuted", "unsupported"])
def test_rows_are_asked_owned_or_not(status: str) -> None:
    found, signatures = examined([claim(1)])
    signatures = with_signatures(signatures, {0: (status, "x")})
    assert len(plan.questions(WORLD, [(found, signatures)])) == 1


def test_a_token_is_asked_for_its_own_facts_once_per_moment() -> None:
    rows = [claim(i, address, asset="USDT") for i, address in enumerate((ACCOUNT_A, ACCOUNT_B))]
    other = claim(3, asset="USDT", height="101")
    assert asked(*rows, other) == [
        questions(QueryKind.ASSET_FACT, USDT, [TOKEN]),
        questions(QueryKind.BALANCE, USDT, [A, B]),
        questions(QueryKind.ASSET_FACT, USDT, [TOKEN], 101),
        questions(QueryKind.BALANCE, USDT, [A], 101),
    ]


def proving(most: int, *claims: dict[str, Any], params: dict[str, Any]) -> list[Questions]:
    found, signatures = examined(claims)
    chain = msgspec.structs.replace(WORLD.chains[EVM], params={"chain_id": 1, **params})
    world = msgspec.structs.replace(WORLD, chains={**WORLD.chains, EVM: chain})
    asked_ = plan.questions(world, [(found, signatures), (found, signatures)], most)
    return [q for q in asked_ if q.kind is QueryKind.PROOF]


@pytest.mark.parametrize(
    ("most", "expected"), [(0, []), (1, [[B]]), (2, [[A, B]]), (plan.ALL, [[A, B, C]])]
)
def test_proofs_are_asked_for_the_largest_claims(most: int, expected: list[list[bytes]]) -> None:
    rows = (
        claim(1, amount="5"),
        claim(2, ACCOUNT_B, amount="4"),
        claim(3, ACCOUNT_C, amount="1"),
        claim(4, ACCOUNT_B, amount="9"),
    )
    found = proving(most, *rows, params={"proofs": True})
    assert found == [questions(QueryKind.PROOF, ETH, accounts) for accounts in expected]


def test_proofs_are_not_asked_where_the_network_is_not_known_to_have_any() -> None:
    assert proving(plan.ALL, claim(1), params={}) == []
    assert proving(plan.ALL, claim(1, network="BSC", asset="ETH"), params={"proofs": True}) == []


def test_control_is_asked_only_for_rows_that_wait_for_it_and_by_the_native_asset() -> None:
    rows = (claim(1, asset="USDT"), claim(2, ACCOUNT_B), claim(3, ACCOUNT_C))
    found = asked(*rows, waiting=(0, 2))
    control = [q for q in found if q.kind is QueryKind.CONTROL]
    assert control == [questions(QueryKind.CONTROL, ETH, [A, C])]


def test_control_is_not_asked_where_the_adapter_cannot_answer_it() -> None:
    address = digits_to_bech32(b"\x00" + bytes_to_digits(A), "bc", BECH32)
    found, signatures = examined([claim(1, address, network="BTC", asset="BTC")])
    signatures = with_signatures(signatures, {0: WAITING}, "x")
    asked_ = plan.questions(WORLD, [(found, signatures)])
    assert [q.kind for q in asked_] == [QueryKind.BALANCE]


@pytest.mark.parametrize(
    "more",
    [
        {"kind": "signer"},
        {"kind": "malformed"},
        {"address": "0xNO"},
        {"network": "NOWHERE"},
        {"asset": "WHAT"},
        {"asset": "CAT"},
        {"network": "COSMOS", "asset": "ATOM"},
        {"height": ""},
    ],
)
def test_what_cannot_be_asked_is_not_in_the_plan(more: dict[str, str]) -> None:
    assert asked(claim(1, **more)) == []


def test_the_questions_are_the_same_from_any_order_of_rows() -> None:
    rows = [
        claim(1, ACCOUNT_A),
        claim(2, ACCOUNT_B, asset="USDT"),
        claim(3, ACCOUNT_C, network="BSC", asset="USDT"),
        claim(4, ACCOUNT_B, height="7"),
        claim(5, ACCOUNT_A, amount="4"),
    ]
    expected = asked(*rows)
    places = [(q.chain, q.height, q.kind, q.asset) for q in expected]
    assert places == sorted(places)
    for order in itertools.permutations(rows):
        assert asked(*order) == expected


@pytest.mark.parametrize("together", [1, 3, 1000])
def test_the_accounts_of_many_parts_are_those_of_one_set(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    monkeypatch.setattr(plan, "TOGETHER", together)
    chosen = random.Random(together)
    addresses = [f"0x{chosen.randbytes(1).hex() * 20}" for _ in range(300)]
    heights = [str(chosen.randrange(2)) for _ in addresses]
    rows = [claim(i, one, height=heights[i]) for i, one in enumerate(addresses)]
    parts = [examined(rows[start : start + 10]) for start in range(0, 300, 10)]
    wanted: dict[int, set[bytes]] = {0: set(), 1: set()}
    for address, height in zip(addresses, heights, strict=True):
        wanted[int(height)].add(bytes.fromhex(address[2:]))
    assert plan.questions(WORLD, parts) == [
        questions(QueryKind.BALANCE, ETH, sorted(wanted[height]), height) for height in (0, 1)
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_shards_cover_every_account_exactly_once_in_order(size: int) -> None:
    accounts = [bytes([n]) * 20 for n in range(10)]
    whole = questions(QueryKind.BALANCE, ETH, accounts)
    pieces = list(shards([whole], {EVM: size}))
    assert [a for piece in pieces for a in piece.accounts] == accounts
    assert all(1 <= len(piece.accounts) <= size for piece in pieces)
    assert {(p.kind, p.chain, p.height, p.asset) for p in pieces} == {
        (QueryKind.BALANCE, EVM, HEIGHT, ETH)
    }


def test_each_chain_has_its_own_size_of_shards() -> None:
    both = [questions(QueryKind.BALANCE, asset, [A, B, C]) for asset in (USDT, USDT_BNB)]
    found = list(shards(both, {EVM: 1, BNB: 2}))
    assert [(q.chain, len(q.accounts)) for q in found] == [
        (EVM, 1),
        (EVM, 1),
        (EVM, 1),
        (BNB, 2),
        (BNB, 1),
    ]


def test_a_digest_depends_on_everything_that_was_asked() -> None:
    base = questions(QueryKind.BALANCE, ETH, [A, B])
    changed = [
        msgspec.structs.replace(base, kind=QueryKind.CONTROL),
        msgspec.structs.replace(base, chain=BNB),
        msgspec.structs.replace(base, height=HEIGHT + 1),
        msgspec.structs.replace(base, asset=USDT),
        msgspec.structs.replace(base, accounts=(A,)),
        msgspec.structs.replace(base, accounts=(A, B, C)),
        msgspec.structs.replace(base, accounts=(B, A)),
        msgspec.structs.replace(base, accounts=(A + B,)),
        msgspec.structs.replace(base, accounts=(A[:-1], A[-1:] + B)),
    ]
    digests = [shard_digest(base, "block")] + [shard_digest(q, "block") for q in changed]
    digests += [shard_digest(base, "other"), shard_digest(base, "")]
    assert len(set(digests)) == len(digests)
    assert shard_digest(msgspec.structs.replace(base), "block") == digests[0]


def test_a_digest_depends_on_the_version_of_the_decoders(monkeypatch: pytest.MonkeyPatch) -> None:
    asked_ = questions(QueryKind.BALANCE, ETH, [A])
    before = shard_digest(asked_, "block")
    monkeypatch.setattr(plan, "DECODER_VERSION", plan.DECODER_VERSION + "x")
    assert shard_digest(asked_, "block") != before


def test_a_digest_is_that_of_earlier_releases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "DECODER_VERSION", "1")
    expected = "d1cf518817e0502b9d93a6ca0d6cb1440d34398aa05b591611fa535e5d7dd5ab"
    assert shard_digest(questions(QueryKind.BALANCE, ETH, [A, B]), "block") == expected


@pytest.mark.parametrize(
    ("chain", "asset", "height", "reason"),
    [
        (EVM, ETH, 1, ""),
        (EVM, USDT, 0, ""),
        ("", "", 1, "unknown-network"),
        ("eip155:999", ETH, 1, "unknown-network"),
        (EVM, "", 1, "unknown-label"),
        (NAMED, ATOM, 1, "no-adapter"),
        (EVM, STRANGE, 1, "asset-unsupported"),
        (EVM, ETH, None, "no-height"),
    ],
)
def test_why_a_row_cannot_be_asked(chain: str, asset: str, height: int | None, reason: str) -> None:
    assert why_not(WORLD, chain, asset, height) == reason


def test_a_height_that_cannot_be_read_is_told_from_none() -> None:
    texts = ["1", "", "-", " ", "20000000.0", "-5"]
    claims, _ = examined([claim(i, height=text) for i, text in enumerate(texts)])
    assert unread_heights(claims).tolist() == [False] * 4 + [True] * 2
    assert why_not(WORLD, EVM, ETH, None, unread=True) == "bad-height"
    assert why_not(WORLD, EVM, ETH, 1, unread=True) == ""


def test_parts_of_an_asset_id() -> None:
    assert (asset_namespace(USDT), asset_reference(USDT)[:4]) == ("erc20", "0xdA")
    assert [is_token(asset) for asset in (ETH, BTC, USDT, AssetId("a:b/native:c"))] == [
        False,
        False,
        True,
        False,
    ]


def test_moments_sort_and_have_a_key() -> None:
    found = [Moment(ChainId("b"), 1), Moment(ChainId("a"), 10), Moment(ChainId("a"), 9)]
    random.Random(1).shuffle(found)
    assert [moment.key for moment in sorted(found)] == ["a@9", "a@10", "b@1"]
