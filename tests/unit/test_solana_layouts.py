"""Solana's derived addresses, the bytes of its accounts, and records of transactions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from chains.adapters.solana import history, layouts, past, tokens, wire
from chains.adapters.solana.derive import TOKEN, TOKEN_2022, associated, is_on_curve
from chains.adapters.solana.history import Halt
from chains.addresses.base58 import base58_to_bytes
from chains.model import Exchange, Gap, Part, PartKind, Request
from chains.simulated.solana_ledger import Mint, TokenAccount, extension, stake_account

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "solana"
SIGNATURE = (
    "2nBhEBYYvfaAe16UMNqRHre4YNSskvuYgx3M6E4JP1oDYvZEJHvoPzyUidNgNX5r9sTyN1J9UxtbCXy2rqYcuyuv"
)
PAYER = "3UVYmECPPMZSCqWKfENfuoTv51fTDTWicX9xmBD2euKe"
VOTER = "AjozzgE83A3x1sHNUR64hfH7zaEBWeMaFuAN9kQgujrc"
MINT, OWNER = b"\x01" * 32, b"\x02" * 32
FIELD = 2**255 - 19


@pytest.mark.parametrize(
    ("owner", "mint", "program", "expected"),
    [  # Source: solana-program/token clients/js-legacy; paulmillr/micro-sol-signer
        (
            "B8UwBUUnKwCyKuGMbFKWaG7exYdDk2ozZrPg72NyVbfj",
            "7o36UsWR1JQLpZ9PE2gn9L4SQ69CNNiWAXd4Jt7rqz9Z",
            TOKEN,
            "DShWnroshVbeUp28oopA3Pu7oFPDBtC1DBmPECXXAQ9n",
        ),
        (
            "22Wnk8PwyWZV7BfkZGJEKT9jGGdtvu7xY6EXeRh7zkBa",
            "2b1kV6DkPAnxd5ixfnxCpjxmKwqjjaYmCZfHsFu24GXo",
            TOKEN_2022,
            "5nu6HDY7t1Ds8oPNsArrhb1rzvRqmGubyteyAUncFyNb",
        ),
    ],
)
def test_associated_accounts_of_published_vectors(owner, mint, program, expected):
    found = associated(base58_to_bytes(owner), base58_to_bytes(mint), program)
    assert wire.key(found) == expected
    assert not is_on_curve(found)


@pytest.mark.parametrize(
    ("y", "expected"),
    [(1, True), (0, True), (FIELD - 1, True), (FIELD + 1, True), (2**255 + 1, True), (2, False)],
)
def test_what_decompresses_is_on_the_curve(y, expected):
    assert is_on_curve(y.to_bytes(32, "little")) is expected


def held(data: bytes, owner: str = TOKEN, *, lamports: int = 10**7, space: int = -1) -> wire.Held:
    length = len(data) if space < 0 else space
    return wire.Held(lamports=lamports, owner=owner, space=length, data=data)


def account(**more: Any) -> bytes:
    return TokenAccount(MINT, OWNER, 2**64 - 1, **more).data()


def test_token_accounts_are_read():
    plain = layouts.token_account(held(account()))
    assert plain == layouts.TokenAccount(wire.key(MINT), wire.key(OWNER), 2**64 - 1)
    frozen = layouts.token_account(held(account(state=2)))
    assert frozen is not None
    assert frozen.frozen
    fees = extension(7, b"") + extension(2, (77).to_bytes(8, "little"))
    extended = layouts.token_account(held(account(extensions=fees), TOKEN_2022))
    assert extended is not None
    assert (extended.withheld, extended.hidden) == (77, False)
    cut = layouts.token_account(held(account(extensions=fees), TOKEN_2022, space=2000))
    assert cut is not None
    assert cut.hidden


@pytest.mark.parametrize(
    "one",
    [
        None,
        held(account(), "1" * 32),
        held(account(state=0)),
        held(account()[:164]),
        held(account() + b"\x02"),
        held(account(extensions=bytes(189)), TOKEN_2022),
        held(Mint(extensions=extension(2, bytes(8))).data(), TOKEN_2022),
        held(Mint().data()),
        wire.Held(lamports=1, owner=TOKEN, space=165),
        held(account(extensions=extension(7, b"")), TOKEN),
    ],
)
def test_what_is_no_token_account_is_none(one):
    assert layouts.token_account(one) is None


def test_mints_are_read():
    assert layouts.mint_decimals(held(Mint(9).data())) == (TOKEN, 9)
    extended = held(Mint(6, extensions=extension(10, bytes(52))).data(), TOKEN_2022)
    assert layouts.mint_decimals(extended) == (TOKEN_2022, 6)
    uninitialized = Mint(6).data()[:45] + b"\0" + Mint(6).data()[46:]
    data = TokenAccount(MINT, MINT, 1, extensions=extension(7, b"")).data()
    other = held(data, TOKEN_2022)
    for bad in (None, held(account()), other, held(Mint().data(), "1" * 32), held(uninitialized)):
        found = layouts.mint_decimals(bad)
        assert isinstance(found, Gap)
        assert found.reason == "no-contract"


@pytest.mark.parametrize(
    ("until", "epoch", "kind"),
    [
        (2**64 - 1, 700, PartKind.STAKED),
        (700, None, PartKind.STAKED),
        (701, 700, PartKind.UNBONDING),
        (700, 700, PartKind.UNBONDING),
        (699, 700, PartKind.LIQUID),
    ],
)
def test_stake_accounts_are_split(until, epoch, kind):
    data = stake_account(OWNER, 100, until=until, reserve=10)
    assert layouts.stake_parts(held(data, lamports=117), epoch) == (
        Part(kind, 100),
        Part(PartKind.RESERVED, 10),
        Part(PartKind.LIQUID, 7),
    )


def test_stake_accounts_that_are_not_delegated_or_make_no_sense():
    initialized = (1).to_bytes(4, "little") + (10).to_bytes(8, "little") + bytes(188)
    assert layouts.stake_parts(held(initialized, lamports=17), 1) == (
        Part(PartKind.RESERVED, 10),
        Part(PartKind.LIQUID, 7),
    )
    empty = layouts.stake_parts(held(bytes(200), lamports=17), 1)
    assert empty == (Part(PartKind.LIQUID, 17),)
    too_much = held(stake_account(OWNER, 100, reserve=10), lamports=109)
    for bad in (too_much, held(bytes(195)), held(b"\x04" + bytes(199))):
        assert isinstance(layouts.stake_parts(bad, 1), Gap)


def exchange(request: Request, body: object) -> Exchange:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Exchange(request=request, endpoint="a", status=200, body=raw)


def documented() -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.json.decode((FIXTURES / "gettransaction.json").read_bytes())
    return shown


def read(body: object) -> past.Transaction | Gap:
    return past.read_transaction(exchange(past.transaction_request(SIGNATURE), body))


def test_a_documented_transaction_is_read():
    found = read(documented())
    assert isinstance(found, past.Transaction)
    assert (found.slot, found.signature) == (430, SIGNATURE)
    assert history.lamports(PAYER)(found) == (499998937500, 499998932500)
    assert history.lamports(VOTER)(found) == (26858640, 26858640)
    with pytest.raises(Halt):
        history.lamports(wire.key(MINT))(found)
    assert history.tokens(VOTER, wire.key(MINT), PAYER)(found) is None


def test_accounts_from_lookup_tables_follow_writable_ones_first():
    shown = documented()
    meta = shown["result"]["meta"]
    meta["loadedAddresses"] = {"readonly": ["r"], "writable": ["w"]}
    meta["preBalances"] += [8, 9]
    meta["postBalances"] += [80, 90]
    found = read(shown)
    assert isinstance(found, past.Transaction)
    assert history.lamports("w")(found) == (8, 80)
    assert history.lamports("r")(found) == (9, 90)


def balance(**more: object) -> dict[str, object]:
    return {"accountIndex": 1, "mint": "m", "owner": "o", "uiTokenAmount": {"amount": "7"}} | more


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("meta",), None),
        (("slot",), "430"),
        (("meta", "preBalances"), [1]),
        (("meta", "postBalances"), [1, 2, 3, 4, -1]),
        (("meta", "postBalances"), [1, 2, 3, 4, 2**64]),
        (("meta", "postBalances"), [1, 2, 3, 4, 5.0]),
        (("meta", "postBalances"), 5),
        (("meta", "loadedAddresses"), {"writable": ["w"], "readonly": []}),
        (("meta", "loadedAddresses"), 7),
        (("transaction", "signatures"), []),
        (("transaction", "signatures"), [5]),
        (("transaction", "message", "accountKeys"), [PAYER, PAYER, "a", "b", "c"]),
        (("transaction", "message", "accountKeys"), [1, 2, 3, 4, 5]),
        (("meta", "postTokenBalances"), [balance(), balance()]),
        (("meta", "postTokenBalances"), [balance(uiTokenAmount={"amount": "7.5"})]),
        (("meta", "postTokenBalances"), [balance(uiTokenAmount={"amount": "²"})]),
        (("meta", "postTokenBalances"), [balance(uiTokenAmount={"amount": str(2**64)})]),
        (("meta", "postTokenBalances"), [balance(uiTokenAmount={"amount": 7})]),
        (("meta", "postTokenBalances"), [balance(owner=5)]),
        (("meta", "postTokenBalances"), [balance(accountIndex=-1)]),
        (("meta", "postTokenBalances"), [5]),
        (("meta", "postTokenBalances"), {}),
        (("transaction", "message", "accountKeys"), "abcde"),
    ],
)
def test_what_is_not_a_transaction_is_a_gap(path, value):
    shown = documented()
    inner = shown["result"]
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    found = read(shown)
    assert isinstance(found, Gap)
    assert found.reason == "malformed-answer"


def test_a_transaction_that_is_not_held_is_pruned():
    found = read({"id": 0, "result": None})
    assert isinstance(found, Gap)
    assert found.reason == "state-pruned"


def test_an_account_of_another_mint_or_none_holds_nothing():
    shown = documented()
    shown["result"]["meta"]["postTokenBalances"] = [balance()]
    found = read(shown)
    assert isinstance(found, past.Transaction)
    assert history.tokens(VOTER, "m", "o")(found) == (0, 7)
    assert history.tokens(VOTER, "another", "o")(found) == (0, 0)
    assert history.tokens(VOTER, "m", "another")(found) == (0, 0)
    meta = shown["result"]["meta"] | {"postTokenBalances": []}
    meta["preBalances"][1] = meta["postBalances"][1] = 0
    absent = read({"id": 0, "result": shown["result"] | {"meta": meta}})
    assert isinstance(absent, past.Transaction)
    assert history.tokens(VOTER, "m", "o")(absent) == (0, 0)


def test_a_transaction_without_record_of_tokens_says_so():
    shown = documented()
    del shown["result"]["meta"]["preTokenBalances"]
    found = read(shown)
    assert isinstance(found, past.Transaction)
    assert found.tokens is None
    with pytest.raises(Halt):
        history.tokens(VOTER, "m", "o")(found)


@pytest.mark.parametrize(
    "result",
    [
        None,
        [{"slot": 5}],
        [{"slot": 5, "signature": ""}],
        [{"slot": 5, "signature": "a" * 89}],
        [{"slot": 5, "signature": "a"}, {"slot": 6, "signature": "b"}],
        [[]],
    ],
)
def test_what_is_not_a_page_is_a_gap(result):
    page = exchange(past.page_request(PAYER, 5), {"id": 0, "result": result})
    found = past.read_page(page)
    assert isinstance(found, Gap)
    assert found.reason == "malformed-answer"


def test_the_documented_largest_account_is_read():
    body = (FIXTURES / "gettokenlargestaccounts.json").read_bytes()
    found = tokens.read_largest(exchange(tokens.largest_request("m"), body))
    assert found == "FYjHNoFtSQ5uijKrZFyYAxvEr87hsKXkXcxkcmkBAf4r"
    for result in ({"value": []}, {"value": [{"address": "é" * 50}]}, [], None):
        bad = exchange(tokens.largest_request("m"), {"id": 0, "result": result})
        assert isinstance(tokens.read_largest(bad), Gap)
