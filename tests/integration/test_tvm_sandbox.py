"""The TON adapter against contracts that TON's own virtual machine runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
from account_crawl import asked as asked_coins
from test_tvm_simulated import CHAIN, asked, connected, pinned, units
from ton_sandbox import Sandbox, SandboxTon, account, running

from chains import control
from chains.adapters.tvm import NAMESPACE, cells
from chains.adapters.tvm import control as wallets
from chains.addresses.ton import encode
from chains.model import AssetId, Observation, Part, PartKind, QueryKind
from chains.signatures.ton_wallets import WALLETS, accounts

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("ton-sandbox")]

SEQNO = 39_984_096
TON = 10**9
ALICE, BOB, CAROL = "wallet-v4r2", "wallet-v3r2", "wallet-v5r1"
NEVER = b"\0" + b"\x55" * 32


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def owners(sandbox: Sandbox) -> Mapping[str, bytes]:
    shown = sandbox.deployed["wallets"]
    return {name: account(one["address"]) for name, one in shown.items()}


def jetton(sandbox: Sandbox) -> AssetId:
    master = account(sandbox.deployed["jetton"]["master"])
    return AssetId(f"{CHAIN}/{NAMESPACE}:{encode(master, {}).replace('_', '%5F')}")


async def test_coins_are_those_of_the_machine(sandbox, owners):
    waiting = account(sandbox.deployed["waiting"])
    node = SandboxTon(SEQNO, sandbox)
    async with connected(node) as adapter:
        at = await pinned(adapter, SEQNO)
        found = units(await asked_coins(adapter, at, *owners.values(), waiting, NEVER))
    balances = {one: int(sandbox.state(one)["balance"]) for one in owners.values()}
    assert found == {**balances, waiting: 3 * TON, NEVER: 0}
    assert all(50 * TON < one < 99 * TON for one in balances.values())


async def test_jettons_are_what_the_wallets_of_the_master_compute(sandbox, owners):
    async with connected(SandboxTon(SEQNO, sandbox)) as adapter:
        at = await pinned(adapter, SEQNO)
        given = (*owners.values(), NEVER)
        found = units(await asked(adapter, at, jetton(sandbox), given))
    held = {owners[ALICE]: 10**20 + 1 - 40, owners[BOB]: 500, owners[CAROL]: 40}
    assert found == {one: held.get(one, 0) for one in given}


async def test_a_wallet_of_jettons_is_found_by_its_master_not_by_what_it_says(sandbox, owners):
    """The jetton wallet of another owner, asked as if it were an owner, holds nothing."""
    wallet = account(sandbox.deployed["jetton"]["wallet"])
    async with connected(SandboxTon(SEQNO, sandbox)) as adapter:
        at = await pinned(adapter, SEQNO)
        found = units(await asked(adapter, at, jetton(sandbox), (wallet, owners[ALICE])))
    assert found == {wallet: 0, owners[ALICE]: 10**20 + 1 - 40}


async def test_what_is_no_jetton_answers_nothing(sandbox, owners):
    """Every get method of a wallet contract but its own ends in an exit code."""
    other = AssetId(f"{CHAIN}/{NAMESPACE}:{encode(owners[BOB], {}).replace('_', '%5F')}")
    async with connected(SandboxTon(SEQNO, sandbox)) as adapter:
        at = await pinned(adapter, SEQNO)
        found = units(await asked(adapter, at, other, (owners[ALICE],)))
    assert found == {owners[ALICE]: "call-failed"}


def test_the_codes_that_signatures_and_control_know_are_those_of_the_contracts(sandbox, owners):
    codes = {name: cells.of_text(sandbox.state(one)["code"]).digest for name, one in owners.items()}
    codes["highload-v3"] = bytes.fromhex(sandbox.deployed["highload"])
    known = {one.name: one.code_hash for one in WALLETS}
    assert {name: codes[name] for name in known} == known
    assert set(codes.values()) <= set(wallets.PLACES)


def test_the_addresses_that_we_derive_of_a_key_are_where_the_wallets_stand(sandbox, owners):
    for name in ("wallet-v3r2", "wallet-v4r2", "wallet-v5r1"):
        key = bytes.fromhex(sandbox.deployed["wallets"][name]["key"])
        assert accounts(key)[owners[name]] == name


async def test_every_wallet_obeys_the_key_in_its_data(sandbox, owners):
    async with connected(SandboxTon(SEQNO, sandbox)) as adapter:
        at = await pinned(adapter, SEQNO)
        found = await asked_coins(adapter, at, *owners.values(), kind=QueryKind.CONTROL)
    for name, one in owners.items():
        answer = found[one]
        assert isinstance(answer, Observation)
        (way,) = control.decode(answer.facts).ways
        assert set(way.weights) == {"0x" + sandbox.deployed["wallets"][name]["key"]}


async def test_stake_in_a_pool_is_a_part_of_what_its_nominator_holds(sandbox, owners):
    """Of 31 that were sent the pool keeps one as its fee."""
    pool = account(sandbox.deployed["pool"])
    async with connected(SandboxTon(SEQNO, sandbox), nominator_pools=[encode(pool, {})]) as adapter:
        at = await pinned(adapter, SEQNO)
        found = await asked_coins(adapter, at, owners[ALICE], owners[BOB], pool)
    liquid = int(sandbox.state(owners[ALICE])["balance"])
    alice, bob = found[owners[ALICE]], found[owners[BOB]]
    assert isinstance(alice, Observation)
    assert alice.parts == (Part(PartKind.LIQUID, liquid), Part(PartKind.STAKED, 30 * TON))
    assert isinstance(bob, Observation)
    assert [part.kind for part in bob.parts] == [PartKind.LIQUID]
    assert units({pool: found[pool]}) == {pool: "shared-account"}


async def test_a_pool_of_another_code_leaves_every_balance_open(sandbox, owners):
    pools = [encode(owners[CAROL], {})]
    async with connected(SandboxTon(SEQNO, sandbox), nominator_pools=pools) as adapter:
        at = await pinned(adapter, SEQNO)
        found = units(await asked_coins(adapter, at, owners[ALICE]))
    assert found == {owners[ALICE]: "no-contract"}
