"""The NEAR adapter against simulated nodes: balances, what is no zero, and control end to end."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from account_crawl import asked, connected, pinned, short, verdict
from nacl.signing import SigningKey

from chains.adapters.near import Adapter
from chains.addresses.base58 import bytes_to_base58
from chains.errors import Unanswerable
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Observation,
    PartKind,
    QueryKind,
    Snapshot,
)
from chains.signatures import judge
from chains.signatures.digests import OKX_HEADER, frame
from chains.signatures.model import SignedAddress
from chains.signatures.near_message import digest
from chains.simulated.near import AUTHOR, SimulatedNear

pytestmark = pytest.mark.integration

CHAIN = ChainId("near:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:397")
HEIGHT = 157_424_893
RICH, POOL, NEVER, EMPTY = "rich.near", "x.poolv1.near", "never.near", "empty.near"
BALANCES = {RICH: 2**53 + 1, POOL: 5, "k.near": 1}
SPEC = ChainSpec(
    id=CHAIN,
    name="NEAR",
    adapter="near",
    address="near",
    native=NATIVE,
)
FUNCTION_CALL = {"FunctionCall": {"allowance": "1", "receiver_id": "x.near", "method_names": []}}


def node_of(**fields: Any) -> SimulatedNear:
    return SimulatedNear(HEIGHT, BALANCES, staked={POOL: 7 * 10**30}, empty={EMPTY}, **fields)


async def named(
    adapter: Adapter, at: Snapshot, *names: str, kind: QueryKind = QueryKind.BALANCE
) -> Mapping[str, Observation | Gap]:
    found = await asked(adapter, at, *(name.encode() for name in names), kind=kind)
    return {account.decode(): answer for account, answer in found.items()}


async def found_of(node: SimulatedNear, *names: str) -> dict[str, int | str]:
    async with connected(Adapter, SPEC, node) as adapter:
        found = await named(adapter, await pinned(adapter, HEIGHT), *names)
    return {name: short(one) for name, one in found.items()}


async def test_liquid_and_staked_are_added_and_shown_apart():
    async with connected(Adapter, SPEC, node_of()) as adapter:
        found = await named(adapter, await pinned(adapter, HEIGHT), RICH, POOL, NEVER, EMPTY)
    assert {name: short(one) for name, one in found.items()} == {
        RICH: 2**53 + 1,
        POOL: 7 * 10**30 + 5,
        NEVER: 0,
        EMPTY: 0,
    }
    pool = found[POOL]
    assert isinstance(pool, Observation)
    assert [(part.kind, part.units) for part in pool.parts] == [
        (PartKind.LIQUID, 5),
        (PartKind.STAKED, 7 * 10**30),
    ]


async def test_an_unknown_account_that_is_not_named_is_no_zero():
    node = node_of()
    node.bare_errors = True
    assert await found_of(node, RICH, NEVER) == {RICH: 2**53 + 1, NEVER: "no-record"}


async def test_an_account_of_an_untracked_shard_is_no_zero():
    node = node_of()
    node.untracked = frozenset({POOL, NEVER})
    assert await found_of(node, RICH, POOL, NEVER) == {
        RICH: 2**53 + 1,
        POOL: "rpc-error",
        NEVER: "rpc-error",
    }


async def test_the_state_of_the_head_is_not_that_of_the_block():
    node = node_of()
    async with connected(Adapter, SPEC, node) as adapter:
        at = await pinned(adapter, HEIGHT)
        node.answers_head = True
        found = await named(adapter, at, RICH, NEVER)
    assert {short(one) for one in found.values()} == {"wrong-block"}


async def test_a_node_that_forgot_the_block_after_the_pin_is_no_zero():
    node = node_of()
    async with connected(Adapter, SPEC, node) as adapter:
        at = await pinned(adapter, HEIGHT)
        node.first_block = HEIGHT + 1
        found = await named(adapter, at, RICH, NEVER)
    assert {short(one) for one in found.values()} == {"state-pruned"}


async def test_a_producer_with_another_stake_than_at_the_pin_spoils_its_batch():
    node = node_of()
    async with connected(Adapter, SPEC, node) as adapter:
        at = await pinned(adapter, HEIGHT)
        node.staked[AUTHOR] -= 1
        found = await named(adapter, at, RICH, NEVER)
    assert {short(one) for one in found.values()} == {"canary-wrong"}


@pytest.mark.parametrize(("first", "code"), [(HEIGHT - 9, "slot-skipped"), (None, "state-pruned")])
async def test_a_skipped_height_has_no_block(first, code):
    node = node_of(skipped=[HEIGHT])
    node.first_block = first
    async with connected(Adapter, SPEC, node) as adapter:
        with pytest.raises(Unanswerable) as error:
            await pinned(adapter, HEIGHT)
    assert error.value.code == code


async def test_more_accounts_than_one_group_are_all_answered():
    names = [f"n{i}.near" for i in range(45)]
    node = SimulatedNear(HEIGHT, {name: i for i, name in enumerate(names)})
    assert await found_of(node, *names) == {name: i for i, name in enumerate(names)}


KEY = SigningKey(sha256(b"near control").digest())
PUBLIC = bytes(KEY.verify_key)
NAME = "ed25519:" + bytes_to_base58(PUBLIC)
TEXT = "proof of a key"


def okx_row(account: str) -> SignedAddress:
    signature = KEY.sign(frame(OKX_HEADER, TEXT)).signature
    return row_of(account, "okx-ed25519", signature.hex())


def nep413_row(account: str) -> SignedAddress:
    nonce = bytes(32)
    signature = KEY.sign(digest(TEXT, nonce, "x.near", None)).signature
    members = {"signature": signature.hex(), "nonce": nonce.hex(), "recipient": "x.near"}
    return row_of(account, "nep413", msgspec.json.encode(members).decode())


def row_of(account: str, scheme: str, signature: str) -> SignedAddress:
    return SignedAddress(
        spec=SPEC,
        address=account,
        account=account.encode(),
        message=TEXT,
        signatures=(signature,),
        schemes=(scheme,),
        public_key=PUBLIC.hex(),
    )


@pytest.mark.parametrize("row", [okx_row, nep413_row])
@pytest.mark.parametrize(
    ("account", "keys", "expected"),
    [
        ("k.near", [(NAME, "FullAccess")], ("controlled", "owner-in-control")),
        (
            "k.near",
            [("ed25519:" + "1" * 32, "FullAccess"), (NAME, "FullAccess")],
            ("controlled", "owner-in-control"),
        ),
        ("k.near", [(NAME, FUNCTION_CALL)], ("signer-only", "no-control-rule")),
        (
            "k.near",
            [(NAME, FUNCTION_CALL), ("ed25519:" + "1" * 32, "FullAccess")],
            ("refuted", "owner-not-in-control"),
        ),
        ("k.near", [], ("signer-only", "no-control-rule")),
        ("gone.near", [(NAME, "FullAccess")], ("signer-only", "nothing-at-address")),
    ],
)
async def test_a_named_account_obeys_its_full_access_keys_only(row, account, keys, expected):
    assert judge(row(account)).signers == (NAME,)
    async with connected(Adapter, SPEC, node_of(keys={account: keys})) as adapter:
        at = await pinned(adapter, HEIGHT)
        assert await verdict(adapter, at, row(account)) == expected


async def test_a_list_of_keys_of_another_block_shows_nobody():
    node = node_of(keys={"k.near": [(NAME, "FullAccess")]})
    async with connected(Adapter, SPEC, node) as adapter:
        at = await pinned(adapter, HEIGHT)
        node.answers_head = True
        found = await named(adapter, at, "k.near", kind=QueryKind.CONTROL)
    assert short(found["k.near"]) == "wrong-block"
