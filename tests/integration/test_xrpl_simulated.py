"""The XRP Ledger adapter against simulated servers: parts, control, identity, and the traps."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import account_crawl
import pytest
from account_crawl import asked, short
from coincurve import PrivateKey
from nacl.bindings import crypto_sign, crypto_sign_seed_keypair

from chains import signatures
from chains.adapters import xrpl
from chains.addresses.xrpl import encode
from chains.control import ControlFacts, decode
from chains.errors import ChainError, ConfigError, NodeBehind, WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Method,
    Observation,
    Part,
    PartKind,
    QueryKind,
    Snapshot,
)
from chains.signatures.model import SignedAddress
from chains.signatures.secp256k1 import hash160
from chains.signatures.xrpl import half_sha512
from chains.simulated.xrpl import KNOWN, SimulatedXrpl
from crawler.asking.control import judge_signers

pytestmark = pytest.mark.integration

CHAIN = ChainId("xrpl:0")
NATIVE = AssetId(f"{CHAIN}/slip44:144")
INDEX = 90_000_000
RICH, OWNER, POOR, NEVER, OTHER, KEY, MEMBER = (bytes((i,)) * 20 for i in range(1, 8))
BALANCES = {RICH: 2**53 + 1, OWNER: 50_000_000, POOR: 700_000, MEMBER: 5_000_000}
R = {account: encode(account, {}) for account in (*BALANCES, NEVER, OTHER, KEY)}


def locked(
    kind: str, owner: bytes, to: bytes, drops: int, number: int, **more: Any
) -> dict[str, Any]:
    return {
        "LedgerEntryType": kind,
        "Account": R[owner],
        "Destination": R[to],
        "Amount": str(drops),
        "index": f"{number:064X}",
        **more,
    }


OBJECTS = (
    locked("Escrow", OWNER, OWNER, 1_000, 1),
    locked("Escrow", OWNER, OTHER, 20_000, 2),
    locked("Escrow", OTHER, OWNER, 300_000, 3),
    locked("PayChannel", OWNER, OTHER, 4_000_000, 4, Balance="1000000"),
)


def spec_of(**params: object) -> ChainSpec:
    known = {"index": KNOWN, "hash": SimulatedXrpl(INDEX, {}).hash_of(KNOWN)}
    return ChainSpec(
        id=CHAIN,
        name="XRP Ledger",
        adapter="xrpl",
        address="xrpl",
        native=NATIVE,
        params={"network_id": 0, "known_ledger": known, **params},
    )


def connected(*nodes: SimulatedXrpl, **params: object) -> AbstractAsyncContextManager[xrpl.Adapter]:
    return account_crawl.connected(xrpl.Adapter, spec_of(**params), *nodes)


async def pinned(adapter: xrpl.Adapter, index: int = INDEX) -> Snapshot:
    return adapter.snapshot(index, await adapter.pin(index))


async def balances(node: SimulatedXrpl, *accounts: bytes) -> list[int | str]:
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), *accounts)
    return [short(found[account]) for account in accounts]


def clio(**more: Any) -> SimulatedXrpl:
    return SimulatedXrpl(INDEX, BALANCES, is_clio=True, **more)


@pytest.mark.parametrize("is_clio", [False, True])
async def test_parts_add_up_to_what_is_the_owners_own(is_clio):
    node = SimulatedXrpl(INDEX, BALANCES, objects=OBJECTS, is_clio=is_clio)
    node.page = 1
    async with connected(node) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at, RICH, OWNER, POOR, NEVER)
    assert at.time == 946_684_800 + 410_325_670 + 4 * (INDEX - KNOWN)
    assert {account: short(one) for account, one in found.items()} == {
        RICH: 2**53 + 1,
        OWNER: 50_000_000 + 1_000,
        POOR: 700_000,
        NEVER: 0,
    }
    owner, poor = found[OWNER], found[POOR]
    assert isinstance(owner, Observation)
    assert isinstance(poor, Observation)
    assert owner.parts == (
        Part(PartKind.LIQUID, 50_000_000 - 1_600_000),
        Part(PartKind.RESERVED, 1_600_000),
        Part(PartKind.ESCROWED, 1_000),
        Part(PartKind.ESCROWED, 20_000, counted=False),
        Part(PartKind.ESCROWED, 3_000_000, counted=False),
    )
    assert poor.parts == (Part(PartKind.LIQUID, 0), Part(PartKind.RESERVED, 700_000))
    assert owner.method is Method.STATE
    assert node.calls["account_objects"] == 2 * 5  # an empty page, then four of one object


async def test_reserves_of_old_ledgers_and_of_market_makers():
    node = SimulatedXrpl(INDEX, BALANCES, roots={RICH: {"AMMID": "00" * 32}})
    node.has_old_fees = True
    async with connected(node) as adapter:
        found = await asked(adapter, await pinned(adapter), RICH, OWNER)
    owner, maker = found[OWNER], found[RICH]
    assert isinstance(owner, Observation)
    assert isinstance(maker, Observation)
    assert owner.parts[1] == Part(PartKind.RESERVED, 20_000_000)
    assert maker.parts == (Part(PartKind.LIQUID, 2**53 + 1),)


@pytest.mark.parametrize("is_clio", [False, True])
@pytest.mark.parametrize(
    ("knobs", "code"),
    [
        ({"knows_nobody": True}, "canary-wrong"),
        ({"drifts": 1}, "wrong-block"),
        ({"forwards": True}, "wrong-block"),
        ({"error": "slowDown"}, "rate-limited"),
        ({"error": "noCurrent"}, "node-behind"),
        ({"error": "lgrNotFound"}, "state-pruned"),
        ({"complete": f"{INDEX + 1}-{INDEX + 50}"}, "state-pruned"),
    ],
)
async def test_a_server_that_changes_after_the_pin_answers_nothing(is_clio, knobs, code):
    node = SimulatedXrpl(INDEX, BALANCES, is_clio=is_clio)
    async with connected(node) as adapter:
        at = await pinned(adapter)
        for name, value in knobs.items():
            setattr(node, name, value)
        found = await asked(adapter, at, RICH, NEVER)
    assert {short(one) for one in found.values()} == {code}


async def test_a_missing_account_counts_only_where_the_answer_says_of_which_ledger():
    silent = clio()
    silent.copies = False
    assert await balances(silent, RICH, NEVER) == [2**53 + 1, "no-record"]


async def test_a_load_warning_is_no_failure():
    node = clio()
    node.warns = True
    assert await balances(node, RICH, NEVER) == [2**53 + 1, 0]


async def test_pages_that_repeat_are_not_added_twice():
    node = SimulatedXrpl(INDEX, BALANCES, objects=OBJECTS)
    node.repeats = True
    assert await balances(node, OWNER, RICH) == ["malformed-answer", 2**53 + 1]


async def test_more_pages_than_are_read_are_a_gap():
    many = tuple(locked("Escrow", OWNER, OTHER, 1, number) for number in range(60))
    node = SimulatedXrpl(INDEX, BALANCES, objects=many)
    node.page = 1
    assert await balances(node, OWNER, RICH) == ["answer-too-large", 2**53 + 1]


async def test_objects_that_cannot_be_read_leave_the_balance_open():
    node = SimulatedXrpl(INDEX, BALANCES, objects=OBJECTS)
    async with connected(node) as adapter:
        at = await pinned(adapter)
        del node._methods["account_objects"]
        found = await asked(adapter, at, OWNER, RICH)
    assert (short(found[OWNER]), short(found[RICH])) == ("method-missing", 2**53 + 1)


@pytest.mark.parametrize(
    ("complete", "code"),
    [
        (f"{KNOWN}-{INDEX - 1}", "node-behind"),
        ("empty", "node-behind"),
        (f"{INDEX + 1}-{INDEX + 9}", "state-pruned"),
    ],
)
async def test_a_server_without_the_ledger_is_rejected(complete, code):
    lacking = SimulatedXrpl(INDEX, BALANCES)
    lacking.complete = complete
    async with connected(lacking, SimulatedXrpl(INDEX, BALANCES)) as adapter:
        at = await pinned(adapter)
    assert at.rejected == {"n0": code}
    async with connected(lacking) as adapter:
        exchanges = await adapter.pin(INDEX)
        with pytest.raises(ChainError) as caught:
            adapter.snapshot(INDEX, exchanges)
    assert caught.value.code == code
    assert isinstance(caught.value, NodeBehind) == (code == "node-behind")


async def test_complete_ledgers_without_the_height_reject_a_server_that_shows_it():
    node = SimulatedXrpl(INDEX, BALANCES)
    real = node._info
    async with connected(node) as adapter:
        node._methods["server_info"] = lambda params: {
            "info": real(params)["info"] | {"complete_ledgers": f"5-{INDEX - 1}"}
        }
        at = await pinned(adapter)
    assert at.rejected == {"n0": "node-behind"}


async def test_an_empty_canary_is_rejected():
    node = SimulatedXrpl(INDEX, BALANCES)
    async with connected(node, canaries=[R[NEVER]]) as adapter:
        at = await pinned(adapter)
    assert at.rejected == {"n0": "canary-failed"}


@pytest.mark.parametrize("knobs", [{"network": 1}, {"seed": "test net"}])
async def test_another_network_stops_the_run(knobs):
    stranger = SimulatedXrpl(INDEX, BALANCES)
    for name, value in knobs.items():
        setattr(stranger, name, value)
    async with connected(stranger) as adapter:
        exchanges = await adapter.pin(INDEX)
        with pytest.raises(WrongChain):
            adapter.snapshot(INDEX, exchanges)


@pytest.mark.parametrize(
    ("network", "has_known", "rejected"),
    [(None, True, {}), (0, False, {}), (None, False, {"n0": "identity-unproven"})],
)
async def test_identity_by_number_or_by_an_old_ledger(network, has_known, rejected):
    node = SimulatedXrpl(INDEX, BALANCES)
    node.network, node.has_known = network, has_known
    async with connected(node) as adapter:
        at = await pinned(adapter)
    assert at.rejected == rejected


async def test_a_server_that_shows_the_hash_of_one_that_proved_itself_is_of_the_same_chain():
    silent, full = (SimulatedXrpl(INDEX, BALANCES) for _ in range(2))
    silent.network, silent.has_known = None, False
    async with connected(silent, full) as adapter:
        assert (await pinned(adapter)).endpoints == ("n0", "n1")
    full.complete = f"{KNOWN}-{INDEX - 1}"
    async with connected(silent, full) as adapter:
        at = await pinned(adapter)
    assert at.rejected == {"n0": "identity-unproven", "n1": "node-behind"}


def test_the_known_ledger_must_be_declared():
    with pytest.raises(ConfigError):
        xrpl.Adapter(spec_of(known_ledger={"index": KNOWN}), None)  # type: ignore[arg-type]


MASTER_OFF = {"Flags": 0x00100000}


async def facts_of(node: SimulatedXrpl, account: bytes) -> ControlFacts | str:
    async with connected(node) as adapter:
        at = await pinned(adapter)
        found = (await asked(adapter, at, account, kind=QueryKind.CONTROL))[account]
    return found.reason if isinstance(found, Gap) else decode(found.facts)


def signed(facts: ControlFacts | str, *who: bytes) -> tuple[str, str]:
    assert isinstance(facts, ControlFacts)
    return judge_signers([R[one] for one in who], (), facts)


@pytest.mark.parametrize("is_clio", [False, True])
async def test_keys_and_lists_of_signers(is_clio):
    node = SimulatedXrpl(
        INDEX,
        BALANCES,
        roots={RICH: {"RegularKey": R[KEY]}, OWNER: MASTER_OFF | {"RegularKey": R[KEY]}},
        signer_lists={POOR: (3, {OTHER: 2, KEY: 1, MEMBER: 1})},
        is_clio=is_clio,
    )
    rich = await facts_of(node, RICH)
    assert isinstance(rich, ControlFacts)
    assert [way.kind for way in rich.ways] == ["master-key", "regular-key"]
    assert signed(rich, KEY) == ("controlled", "owner-in-control")
    assert signed(rich, OTHER) == ("refuted", "owner-not-in-control")
    owner = await facts_of(node, OWNER)
    assert isinstance(owner, ControlFacts)
    assert [way.kind for way in owner.ways] == ["regular-key"]
    assert owner.notes == {"master-key": "disabled"}
    assert signed(owner, OWNER) == ("refuted", "owner-not-in-control")
    poor = await facts_of(node, POOR)
    assert signed(poor, OTHER, KEY) == ("controlled", "owner-in-control")
    assert signed(poor, OTHER) == ("signer-only", "owners-below-threshold")
    assert signed(poor, KEY, MEMBER) == ("signer-only", "owners-below-threshold")
    assert await facts_of(node, NEVER) == ControlFacts(exists=False)


async def test_members_sign_with_the_keys_that_the_ledger_takes_for_them():
    lists = {POOR: (3, {OTHER: 2, MEMBER: 1})}
    node = SimulatedXrpl(
        INDEX, BALANCES, roots={MEMBER: {"RegularKey": R[KEY]}}, signer_lists=lists
    )
    facts = await facts_of(node, POOR)
    assert signed(facts, OTHER, KEY) == ("controlled", "owner-in-control")
    assert signed(facts, OTHER, MEMBER) == ("controlled", "owner-in-control")
    node.roots[MEMBER] = MASTER_OFF | {"RegularKey": R[KEY]}
    facts = await facts_of(node, POOR)
    assert signed(facts, OTHER, KEY) == ("controlled", "owner-in-control")
    assert signed(facts, OTHER, MEMBER) == ("refuted", "owner-not-in-control")


async def test_a_list_of_signers_that_is_kept_back_or_half_asked_is_a_gap():
    node = SimulatedXrpl(INDEX, BALANCES, signer_lists={POOR: (1, {OTHER: 1, KEY: 1})})
    node.keeps_signers = False
    assert await facts_of(node, POOR) == "malformed-answer"
    node = clio(signer_lists={POOR: (1, {OTHER: 1})})
    node.copies = False
    assert await facts_of(node, POOR) == "no-record"


@pytest.mark.parametrize("scheme", ["xrpl-secp256k1", "xrpl-ed25519"])
async def test_a_row_signed_by_a_regular_key_is_controlled(scheme):
    text = "the text of the list"
    if scheme == "xrpl-ed25519":
        public, private = crypto_sign_seed_keypair(b"\x22" * 32)
        key = b"\xed" + public
        signature = crypto_sign(text.encode(), private)[:64]
    else:
        secret = PrivateKey(b"\x21" * 32)
        key = secret.public_key.format()
        signature = secret.sign(half_sha512(text), hasher=None)
    outcome = signatures.judge(
        SignedAddress(
            spec=spec_of(),
            address=R[RICH],
            account=RICH,
            message=text,
            signatures=(signature.hex(),),
            public_key=key.hex(),
            schemes=(scheme,),
        )
    )
    assert (outcome.reason, outcome.signers) == ("link-unobserved", (encode(hash160(key), {}),))
    node = SimulatedXrpl(INDEX, BALANCES, roots={RICH: {"RegularKey": encode(hash160(key), {})}})
    facts = await facts_of(node, RICH)
    assert isinstance(facts, ControlFacts)
    assert judge_signers(outcome.signers, (), facts) == ("controlled", "owner-in-control")
    facts = await facts_of(node, OWNER)
    assert isinstance(facts, ControlFacts)
    assert judge_signers(outcome.signers, (), facts) == ("refuted", "owner-not-in-control")
