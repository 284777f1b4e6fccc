"""The Hedera adapter against simulated mirror nodes: balances, what is no zero, control."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from account_crawl import asked, connected, pinned, short, verdict
from nacl.signing import SigningKey

from chains.adapters.hedera import Adapter
from chains.addresses import hedera
from chains.errors import Unanswerable
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Method,
    Observation,
    Snapshot,
)
from chains.signatures import judge
from chains.signatures.digests import OKX_HEADER, frame
from chains.signatures.model import SignedAddress
from chains.simulated.hedera import TREASURY, SimulatedHedera

pytestmark = pytest.mark.integration

CHAIN = ChainId("hedera:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:3030")
HEIGHT = 70_000_100
RICH, POOR, NEVER, BORN = "0.0.1001", "0.0.1002", "0.0.1003", "0.0.1004"
BALANCES = {RICH: 2**53 + 1, POOR: 0}
LAST = SimulatedHedera(HEIGHT, {}).span(HEIGHT)[1]
SINCE = SimulatedHedera(HEIGHT, {}).snapshot(LAST)
AFTER = LAST + 1


def spec_of(node: SimulatedHedera) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="Hedera",
        adapter="hedera",
        address="hedera",
        native=NATIVE,
        params={"genesis_hash": node.genesis},
    )


async def named(adapter: Adapter, at: Snapshot, *names: str) -> Mapping[str, Observation | Gap]:
    found = await asked(adapter, at, *(hedera.decode(name, {}) for name in names))
    return {hedera.encode(account, {}): answer for account, answer in found.items()}


async def found_of(node: SimulatedHedera, *names: str, **changes: Any) -> dict[str, int | str]:
    """Return the answers of a node, changed after the pin."""
    async with connected(Adapter, spec_of(node), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        for name, value in changes.items():
            setattr(node, name, value)
        found = await named(adapter, at, *names)
    return {name: short(one) for name, one in found.items()}


async def test_what_moved_since_the_snapshot_is_added():
    assert SINCE < LAST
    moves = [
        (SINCE, RICH, 1_000),
        (SINCE + 1, RICH, -7),
        (LAST, RICH, 5),
        (AFTER, RICH, 50),
        (SINCE + 9, BORN, 77),
    ]
    node = SimulatedHedera(HEIGHT, BALANCES, moves=moves)
    async with connected(Adapter, spec_of(node), node) as adapter:
        found = await named(adapter, await pinned(adapter, HEIGHT), RICH, POOR, NEVER, BORN)
    assert {name: short(one) for name, one in found.items()} == {
        RICH: 2**53 - 1,
        POOR: 0,
        NEVER: 0,
        BORN: 77,
    }
    rich = found[RICH]
    assert isinstance(rich, Observation)
    assert rich.method is Method.ROLLED_BACK


async def test_a_snapshot_at_the_block_itself_needs_no_transactions():
    height = next(h for h in range(HEIGHT, HEIGHT + 1000) if (h + 1) % 450 == 0)
    node = SimulatedHedera(height, BALANCES)
    node.snapshot = lambda until: until  # type: ignore[method-assign]
    async with connected(Adapter, spec_of(node), node) as adapter:
        at = await pinned(adapter, height)
        before = node.requests
        found = await named(adapter, at, RICH, POOR)
    assert {name: short(one) for name, one in found.items()} == BALANCES
    assert node.requests - before == 4


async def test_every_mirror_node_takes_its_snapshots_in_its_own_time():
    moves = [(SINCE + 60 * 10**9, RICH, 5)]
    one = SimulatedHedera(HEIGHT, BALANCES, moves=moves)
    other = SimulatedHedera(HEIGHT, BALANCES | {RICH: BALANCES[RICH] + 5}, moves=moves)
    other.snapshot = lambda until: min(until, SINCE + 120 * 10**9)  # type: ignore[method-assign]
    async with connected(Adapter, spec_of(one), one, other) as adapter:
        at = await pinned(adapter, HEIGHT)
        for name in at.endpoints:
            alone = msgspec.structs.replace(at, endpoints=(name,))
            assert short((await named(adapter, alone, RICH))[RICH]) == BALANCES[RICH] + 5
    assert len(at.endpoints) == 2


async def test_more_transactions_than_a_page_are_no_balance():
    moves = [(SINCE + i, RICH, 1) for i in range(1, 102)]
    node = SimulatedHedera(HEIGHT, BALANCES, moves=moves)
    assert await found_of(node, RICH, POOR) == {RICH: "no-history", POOR: 0}
    node = SimulatedHedera(HEIGHT, BALANCES, moves=moves[:-1])
    assert await found_of(node, RICH) == {RICH: 2**53 + 101}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"zero_for_everything": True}, "canary-wrong"),
        ({"another_snapshot": True}, "canary-wrong"),
        ({"no_snapshot": True}, "no-history"),
        ({"no_transactions": True}, "canary-wrong"),
        ({"balances": {**BALANCES, TREASURY: 1}}, "canary-wrong"),
    ],
)
async def test_no_failure_after_the_pin_is_a_zero(changes, reason):
    found = await found_of(SimulatedHedera(HEIGHT, BALANCES), RICH, POOR, NEVER, **changes)
    assert set(found.values()) == {reason}


async def test_a_balance_of_another_snapshot_than_the_canary_is_none():
    node = SimulatedHedera(HEIGHT, BALANCES)
    real = node._account

    def later(name: str, until: int) -> dict[str, Any] | None:
        node.another_snapshot = name != TREASURY
        return real(name, until)

    node._account = later  # type: ignore[method-assign]
    assert await found_of(node, RICH, POOR) == {RICH: "wrong-block", POOR: "wrong-block"}


async def test_an_account_that_is_missing_but_moved_is_no_zero():
    moves = [(SINCE + 5, RICH, 3)]
    node = SimulatedHedera(HEIGHT, BALANCES, moves=moves)
    assert await found_of(node, RICH, missing=True) == {RICH: "no-record"}


async def test_more_spent_than_there_was_is_no_balance():
    node = SimulatedHedera(HEIGHT, BALANCES, moves=[(SINCE + 5, POOR, -1)])
    assert await found_of(node, POOR) == {POOR: "malformed-answer"}


async def test_a_mirror_that_begins_later_does_not_show_its_network():
    node = SimulatedHedera(HEIGHT, BALANCES)
    node.starts_at = HEIGHT - 5
    async with connected(Adapter, spec_of(node), node) as adapter:
        with pytest.raises(Unanswerable) as error:
            await pinned(adapter, HEIGHT)
    assert error.value.code == "identity-unproven"


KEY = SigningKey(sha256(b"hedera control").digest())
PUBLIC = bytes(KEY.verify_key)
NAME = f"0x{PUBLIC.hex()}"
TEXT = "proof of a key"
OTHER = "11" * 32
ACCOUNT = "0.0.1001"


def single(key: str) -> dict[str, str]:
    return {"_type": "ED25519", "key": key}


def listed(threshold: int | None, *members: str) -> dict[str, str]:
    """Encode a list, or a threshold key, of Ed25519 keys."""
    body = b"".join(b"\x0a\x22\x12\x20" + bytes.fromhex(one) for one in members)
    if threshold is None:
        encoded = bytes((0x32, len(body))) + body
    else:
        inner = bytes((0x08, threshold, 0x12, len(body))) + body
        encoded = bytes((0x2A, len(inner))) + inner
    return {"_type": "ProtobufEncoded", "key": encoded.hex()}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (single(PUBLIC.hex()), ("controlled", "owner-in-control")),
        (single(OTHER), ("refuted", "owner-not-in-control")),
        (listed(1, OTHER, PUBLIC.hex()), ("controlled", "owner-in-control")),
        (listed(2, OTHER, PUBLIC.hex()), ("signer-only", "owners-below-threshold")),
        (listed(None, OTHER, PUBLIC.hex()), ("signer-only", "owners-below-threshold")),
        (listed(None, PUBLIC.hex()), ("controlled", "owner-in-control")),
        (listed(None), ("signer-only", "no-control-rule")),
        ({"_type": "ProtobufEncoded", "key": "ff"}, ("signer-only", "no-control-rule")),
        (None, ("signer-only", "no-control-rule")),
    ],
)
async def test_an_account_obeys_the_key_that_the_chain_shows(key, expected):
    node = SimulatedHedera(HEIGHT, BALANCES, keys={ACCOUNT: key})
    assert await judged(node, ACCOUNT) == expected


async def test_accounts_that_are_gone_obey_nobody():
    gone = SimulatedHedera(
        HEIGHT, BALANCES, keys={ACCOUNT: single(PUBLIC.hex())}, deleted={ACCOUNT}
    )
    assert await judged(gone, ACCOUNT) == ("signer-only", "nothing-at-address")
    never = SimulatedHedera(HEIGHT, BALANCES)
    assert await judged(never, NEVER) == ("signer-only", "nothing-at-address")


async def judged(node: SimulatedHedera, account: str) -> tuple[str, str]:
    row = SignedAddress(
        spec=spec_of(node),
        address=account,
        account=hedera.decode(account, {}),
        message=TEXT,
        signatures=(KEY.sign(frame(OKX_HEADER, TEXT)).signature.hex(),),
        schemes=("okx-ed25519",),
        public_key=PUBLIC.hex(),
    )
    assert judge(row).signers == (NAME,)
    async with connected(Adapter, spec_of(node), node) as adapter:
        return await verdict(adapter, await pinned(adapter, HEIGHT), row)
