"""SPL tokens against simulated nodes: every account of an owner, and what must not be a zero."""

from __future__ import annotations

import msgspec
import pytest
from solana_nodes import CHAIN, asked, connected, pinned, short

from chains.adapters.solana import wire
from chains.adapters.solana.derive import associated
from chains.model import AssetId, Method, Observation, Part, PartKind, QueryKind, Questions
from chains.simulated.solana import SimulatedSolana
from chains.simulated.solana_ledger import (
    RENT,
    TOKEN,
    TOKEN_2022,
    Happened,
    Mint,
    Side,
    TokenAccount,
    extension,
)
from crawler.asking.forecast import load_of
from crawler.settings import load_world
from tests.forecasts import check_about, received

pytestmark = pytest.mark.integration

SLOT = 300_000_000
MINT, OTHER_MINT, HOLDER, ALICE, BOB, CAROL, NOBODY, EXTRA, GONE = (
    bytes((i,)) * 32 for i in range(10, 19)
)
BIG = 2**53 + 1


def asset(mint: bytes = MINT) -> AssetId:
    return AssetId(f"{CHAIN}/token:{wire.key(mint)}")


def home(owner: bytes, program: str = TOKEN) -> bytes:
    return associated(owner, MINT, program)


def made(program: str = TOKEN, *, finalized: int | None = None) -> SimulatedSolana:
    """Return a node on which ALICE holds tokens in two accounts and BOB's are frozen."""
    node = SimulatedSolana(SLOT, {ALICE: 10**9, BOB: 10**9, CAROL: 10**9}, finalized=finalized)
    node.mints = {MINT: Mint(program=program), OTHER_MINT: Mint()}
    node.tokens = {
        home(HOLDER, program): TokenAccount(MINT, HOLDER, 2**63),
        home(ALICE, program): TokenAccount(MINT, ALICE, BIG),
        EXTRA: TokenAccount(MINT, ALICE, 5),
        home(BOB, program): TokenAccount(MINT, BOB, 70, state=2),
        b"\x77" * 32: TokenAccount(OTHER_MINT, CAROL, 1000),
    }
    return node


async def found(node: SimulatedSolana, *accounts: bytes, **params: object) -> dict[bytes, object]:
    async with connected(node, **params) as adapter:
        answers = await asked(adapter, await pinned(adapter, SLOT), accounts, asset())
    return {account: short(one) for account, one in answers.items()}


@pytest.mark.parametrize("program", [TOKEN, TOKEN_2022])
@pytest.mark.parametrize(("finalized", "method"), [(SLOT, "state"), (SLOT + 50, "untouched")])
async def test_every_account_of_an_owner_counts(program, finalized, method):
    node = made(program, finalized=finalized)
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        answers = await asked(adapter, at, (ALICE, BOB, CAROL, NOBODY, HOLDER), asset())
    assert {one: short(answer) for one, answer in answers.items()} == {
        ALICE: BIG + 5,
        BOB: 70,
        CAROL: 0,
        NOBODY: 0,
        HOLDER: 2**63,
    }
    assert {one.method for one in answers.values() if isinstance(one, Observation)} == {
        Method(method)
    }
    bob = answers[BOB]
    assert isinstance(bob, Observation)
    assert bob.parts == (Part(PartKind.LIQUID, 0), Part(PartKind.FROZEN, 70))


async def test_a_list_may_name_a_token_account_itself():
    assert await found(made(), EXTRA, home(BOB), NOBODY) == {EXTRA: 5, home(BOB): 70, NOBODY: 0}


async def test_withheld_fees_do_not_count_and_encrypted_balances_are_gaps():
    node = made(TOKEN_2022)
    withheld = extension(7, b"") + extension(2, (9).to_bytes(8, "little"))
    unused, used = bytes(295), bytes(40) + b"\x01" + bytes(254)
    kinds = {ALICE: withheld, BOB: extension(5, unused), CAROL: extension(5, used)}
    node.tokens = {home(HOLDER, TOKEN_2022): node.tokens[home(HOLDER, TOKEN_2022)]} | {
        home(owner, TOKEN_2022): TokenAccount(MINT, owner, 40, extensions=extensions)
        for owner, extensions in kinds.items()
    }
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        answers = await asked(adapter, at, (ALICE, BOB, CAROL), asset())
    alice, bob = answers[ALICE], answers[BOB]
    assert isinstance(alice, Observation)
    assert alice.units == 40
    assert alice.parts == (
        Part(PartKind.LIQUID, 40),
        Part(PartKind.RESERVED, 9, counted=False),
    )
    assert (short(bob), short(answers[CAROL])) == (40, "balance-hidden")


async def test_an_associated_account_that_belongs_to_another_is_not_counted():
    node = made()
    node.tokens[home(CAROL)] = TokenAccount(MINT, ALICE, 3)
    assert await found(node, ALICE, CAROL) == {ALICE: BIG + 8, CAROL: 0}


async def test_a_list_that_lacks_the_associated_account_is_no_answer():
    node = made()
    node.unlisted = {home(ALICE)}
    assert await found(node, ALICE, NOBODY) == {ALICE: "canary-wrong", NOBODY: 0}


async def test_an_empty_index_answers_nothing():
    node = made()
    node.lists_nothing = True
    assert set((await found(node, ALICE, CAROL, NOBODY)).values()) == {"canary-wrong"}


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ("getTokenLargestAccounts", {ALICE: BIG + 5, NOBODY: "zero-without-canary"}),
        ("getTokenAccountsByOwner", {ALICE: "method-missing", NOBODY: "method-missing"}),
        ("getSignaturesForAddress", {ALICE: "method-missing", NOBODY: "method-missing"}),
    ],
)
async def test_a_method_that_is_not_offered_is_no_zero(missing, expected):
    node = made()
    node.method_missing = {missing}
    assert await found(node, ALICE, NOBODY) == expected


async def test_a_configured_holder_stands_for_the_largest_account():
    node = made()
    node.method_missing = {"getTokenLargestAccounts"}
    holders = {wire.key(MINT): wire.key(HOLDER)}
    assert await found(node, ALICE, NOBODY, token_canaries=holders) == {ALICE: BIG + 5, NOBODY: 0}


async def test_a_mint_that_is_none_is_a_gap():
    node = made()
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        for mint in (NOBODY, ALICE, home(ALICE)):
            answers = await asked(adapter, at, (ALICE, NOBODY), asset(mint))
            assert {short(one) for one in answers.values()} == {"no-contract"}
            facts = await asked(adapter, at, (mint,), asset(mint), QueryKind.ASSET_FACT)
            assert short(facts[mint]) == "no-contract"


async def test_the_facts_of_a_mint_are_its_decimals():
    node = made(TOKEN_2022)
    node.mints[MINT] = Mint(9, TOKEN_2022, extensions=extension(10, bytes(52)))
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        facts = await asked(adapter, at, (MINT,), asset(), QueryKind.ASSET_FACT)
        other = await asked(adapter, at, (ALICE,), AssetId(f"{CHAIN}/token:x"))
    one = facts[MINT]
    assert isinstance(one, Observation)
    assert msgspec.json.decode(one.facts) == {"decimals": 9, "symbol": ""}
    assert short(other[ALICE]) == "asset-unsupported"


def moved(slot: int, before: int, after: int, *, owner: bytes = ALICE, **more: object) -> Happened:
    """Return a transaction that moves ALICE's tokens without naming her."""
    account = more.pop("account", home(ALICE))
    sides = (Side(MINT, owner, before), Side(MINT, owner, after))
    return Happened(
        slot=slot,
        lamports={account: (RENT, RENT)},
        tokens={account: sides},
        **more,  # type: ignore[arg-type]
    )


async def test_a_token_account_that_was_touched_is_rolled_back():
    node = made()
    node.happened = [moved(SLOT - 4, 0, 900), moved(SLOT + 1, 900, BIG)]
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        answers = await asked(adapter, at, (ALICE, BOB, NOBODY), asset())
    assert [short(answers[one]) for one in (ALICE, BOB, NOBODY)] == [905, 70, 0]
    methods = [one.method for one in answers.values() if isinstance(one, Observation)]
    assert sorted(methods) == [Method.ROLLED_BACK, Method.UNTOUCHED, Method.UNTOUCHED]
    node = made()
    node.happened = [moved(SLOT - 4, 0, 900), moved(SLOT + 1, 900, BIG)]
    assert (await found(node, home(ALICE)))[home(ALICE)] == 900


async def test_tokens_that_were_another_owners_at_the_slot_do_not_count():
    node = made()
    node.happened = [moved(SLOT - 4, 0, 900, owner=BOB), moved(SLOT + 1, 900, BIG, owner=BOB)]
    assert await found(node, ALICE) == {ALICE: 5}


@pytest.mark.parametrize(
    ("happened", "expected"),
    [
        ([moved(SLOT, 0, 900), moved(SLOT + 1, 901, BIG)], "no-history"),
        ([moved(SLOT, 0, 900, names_owners=False), moved(SLOT + 1, 900, BIG)], "no-history"),
        (
            [moved(SLOT, 0, 900), moved(SLOT + 1, 0, 0, names_program=False)],
            905,
        ),
        ([moved(SLOT + 1, 0, 0, names_program=False)], "no-history"),
        ([moved(SLOT + 1, 900, BIG)], 905),
    ],
)
async def test_what_the_transactions_do_not_state_is_not_made_up(happened, expected):
    node = made()
    node.happened = happened
    assert await found(node, ALICE) == {ALICE: expected}


def closed(slot: int) -> Happened:
    """Return the transaction in which CAROL empties and closes an account of her own."""
    return Happened(
        slot=slot,
        lamports={CAROL: (10**9, 10**9), GONE: (RENT, 0)},
        tokens={GONE: (Side(MINT, CAROL, 33), None)},
    )


async def test_an_account_that_the_owner_closed_since_is_found_in_its_transactions():
    node = made()
    opened = moved(SLOT - 3, 0, 33, owner=CAROL, account=GONE)
    node.happened = [opened, closed(SLOT + 2)]
    assert await found(node, CAROL) == {CAROL: 33}


async def test_an_owner_with_more_transactions_than_are_read_is_a_gap():
    node = made()
    busy = [Happened(slot=SLOT + i, lamports={CAROL: (1, 1)}) for i in range(1, 5)]
    node.happened = [moved(SLOT - 3, 0, 33, owner=CAROL, account=GONE), *busy, closed(SLOT + 5)]
    assert await found(node, CAROL, transactions=4) == {CAROL: "no-history"}
    node = made()
    node.happened = [moved(SLOT - 3, 0, 33, owner=CAROL, account=GONE), *busy, closed(SLOT + 5)]
    assert await found(node, CAROL, transactions=5) == {CAROL: 33}


async def test_a_lagging_list_of_transactions_says_nothing_about_tokens():
    node = made()
    node.index_lag = 1
    assert set((await found(node, ALICE, NOBODY)).values()) == {"node-behind"}


async def test_records_that_name_no_owner_state_nothing():
    node = made()
    node.happened = [
        moved(SLOT, 0, 900, names_owners=False),
        moved(SLOT + 1, 900, BIG, names_owners=False),
    ]
    assert await found(node, ALICE) == {ALICE: "no-history"}


async def test_a_holder_without_its_list_voids_balances_too():
    node = made()
    node.unlisted = {home(HOLDER)}
    assert await found(node, ALICE) == {ALICE: "canary-wrong"}


async def test_a_token_account_of_another_mint_holds_none_of_this_one():
    assert await found(made(), b"\x77" * 32) == {b"\x77" * 32: 0}


async def test_a_list_with_an_account_of_another_owner_is_refused():
    node = made()
    real = node._token_accounts
    node._methods["getTokenAccountsByOwner"] = lambda params: real([wire.key(ALICE), *params[1:]])
    holders = {wire.key(MINT): wire.key(ALICE)}
    answers = await found(node, ALICE, CAROL, token_canaries=holders)
    assert answers[CAROL] == "malformed-answer"


async def test_a_list_behind_the_accounts_is_no_answer():
    node = made()
    real = node._token_accounts
    behind = {"context": {"slot": SLOT + 49}}
    node._methods["getTokenAccountsByOwner"] = lambda params: real(params) | behind
    assert await found(node, ALICE) == {ALICE: "node-behind"}


async def test_tokens_that_move_between_the_questions_are_rolled_back():
    node = made(finalized=SLOT)
    real = node._token_accounts

    def then(params):
        node.finalized = SLOT + 1
        node.tokens[home(ALICE)] = TokenAccount(MINT, ALICE, 1)
        node.happened = [moved(SLOT - 1, 0, BIG), moved(SLOT + 1, BIG, 1)]
        return real(params)

    node._methods["getTokenAccountsByOwner"] = then
    assert await found(node, ALICE) == {ALICE: BIG + 5}


async def test_an_owner_with_too_many_accounts_is_not_looked_into():
    node = made()
    node.tokens |= {bytes((99, i)) * 16: TokenAccount(MINT, BOB, 1) for i in range(64)}
    assert await found(node, BOB, ALICE) == {BOB: "answer-too-large", ALICE: BIG + 5}


async def test_hundreds_of_owners_in_groups():
    node = made()
    owners = {i.to_bytes(32, "big"): i for i in range(1, 301)}
    node.tokens |= {home(owner): TokenAccount(MINT, owner, i) for owner, i in owners.items()}
    assert await found(node, *owners, calls=100) == owners
    assert node.calls["getTokenLargestAccounts"] == 10


@pytest.mark.parametrize(
    "value",
    [None, {}, [], [None], [{"pubkey": "x", "account": None}], {"context": {"slot": 2**70}}],
)
async def test_a_list_that_cannot_be_read_is_a_gap(value):
    node = made()
    node._methods["getTokenAccountsByOwner"] = lambda _: {
        "context": {"slot": node.finalized},
        "value": value,
    }
    answers = await found(node, ALICE, NOBODY)
    assert set(answers.values()) == {"canary-wrong" if value == [] else "malformed-answer"}


@pytest.mark.parametrize("is_moved", [False, True], ids=["untouched", "moved"])
async def test_tokens_are_asked_about_as_often_as_a_plan_says(*, is_moved: bool) -> None:
    owners = tuple(i.to_bytes(32, "big") for i in range(1000, 1064))
    node = made()
    node.tokens |= {home(one): TokenAccount(MINT, one, 71 if is_moved else 70) for one in owners}
    for one in owners if is_moved else ():
        node.happened.append(moved(SLOT - 9, 1, 70, owner=one, account=home(one)))
        node.happened.append(moved(SLOT + 1, 70, 71, owner=one, account=home(one)))
    async with connected(node) as adapter:
        at = await pinned(adapter, SLOT)
        pinning = received(node)
        answers = await asked(adapter, at, owners, asset())
        asking = received(node)
        world = msgspec.structs.replace(load_world(), chains={CHAIN: adapter.spec})
    method = Method.ROLLED_BACK if is_moved else Method.UNTOUCHED
    assert {(short(one), one.method) for one in answers.values()} == {(70, method)}
    questions = Questions(
        kind=QueryKind.BALANCE, chain=CHAIN, height=SLOT, asset=asset(), accounts=owners
    )
    said = load_of(world, questions, len(owners), [], late=is_moved)
    check_about(said, asking, pinning)
