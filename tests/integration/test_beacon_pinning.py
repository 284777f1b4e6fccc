"""Finding the slot of an execution block, and what a beacon node must show of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from beacon_crawl import (
    AT,
    HEIGHT,
    MISSED_AT,
    QUEUED,
    STAKED,
    TRUE,
    asked,
    connected,
    pinned,
    short,
    simulated,
)

from chains.adapters.beacon import wire
from chains.adapters.beacon.pinning import MOST_PROBES
from chains.errors import Disagreement, NodeBehind, Transient, Unanswerable, WrongChain
from chains.model import Exchange, Observation, Part, PartKind, Source
from chains.simulated.beacon import ANCHOR, GENESIS_TIME, GWEI, PROPOSER, SLOT_SECONDS

pytestmark = pytest.mark.integration


async def test_the_slot_of_an_execution_block_is_found_and_its_state_is_read():
    node = simulated()
    slot = node.slot_of(HEIGHT)
    async with connected(node, own_node=True) as adapter:
        at = await pinned(adapter)
        found = await asked(adapter, at)
    assert at.block_hash == node.block_root(slot)
    assert at.time == GENESIS_TIME + SLOT_SECONDS * slot
    assert at.canaries == (PROPOSER.hex(),)
    assert at.detail["slot"] == str(slot)
    assert at.detail["state_root"] == at.detail["state@n0"] == node.state_root(slot)
    assert at.detail["execution_hash"] == node.payload(slot)["block_hash"]
    assert short(found) == TRUE
    queued = found[QUEUED]
    assert isinstance(queued, Observation)
    assert queued.source is Source.OWN_NODE
    assert queued.parts == (
        Part(PartKind.STAKED, 40 * GWEI),
        Part(PartKind.RESERVED, GWEI + 2),
        Part(PartKind.UNBONDING, 7, counted=False),
    )
    staked = found[STAKED]
    assert isinstance(staked, Observation)
    assert staked.parts[1:] == (Part(PartKind.FROZEN, 32 * GWEI, counted=False),)


MISSED_BEFORE = range(ANCHOR[1] + 1, ANCHOR[1] + 800_000, 100)


@pytest.mark.parametrize(
    "missed", [MISSED_BEFORE, MISSED_AT, [AT - 1], [*MISSED_BEFORE, *range(AT, AT + 16_000, 2)]]
)
async def test_missed_slots_are_stepped_over(missed):
    node = simulated(missed=missed)
    async with connected(node) as adapter:
        at = await pinned(adapter)
        assert node.number_of(int(at.detail["slot"])) == HEIGHT
        assert int(at.detail["slot"]) not in node.missed
        assert short(await asked(adapter, at)) == TRUE
    probes = [path for path in node.calls if "blinded_blocks" in path]
    assert len(probes) <= MOST_PROBES


async def test_a_search_that_finds_nothing_ends():
    node = simulated(missed=range(AT, AT + MOST_PROBES))
    async with connected(node) as adapter:
        with pytest.raises(Unanswerable, match="slot-unknown"):
            await pinned(adapter)
    assert len(node.calls) == 2 + 2 * MOST_PROBES


async def test_the_merge_block_is_the_first_that_has_a_slot():
    node = simulated(ANCHOR[0])
    async with connected(node) as adapter:
        assert (await pinned(adapter, ANCHOR[0])).detail["slot"] == str(ANCHOR[1])
        with pytest.raises(Unanswerable, match="no-history"):
            await pinned(adapter, ANCHOR[0] - 1)


async def test_blocks_whose_payload_travels_apart_are_not_guessed():
    node = simulated()
    node.payloads = False
    async with connected(node) as adapter:
        with pytest.raises(Unanswerable, match="slot-unknown"):
            await pinned(adapter)


async def test_a_node_that_does_not_state_finality_is_taken_by_its_finalized_block():
    node = simulated()
    node.finalized = None
    async with connected(node) as adapter:
        assert short(await asked(adapter, await pinned(adapter))) == TRUE
        node.finalized_slot = AT - 1
        with pytest.raises(NodeBehind):
            await pinned(adapter)


async def test_two_branches_and_two_chains_stop_the_run():
    other = simulated()
    other.branch = 1
    async with connected(simulated(), other) as adapter:
        with pytest.raises(Disagreement, match="differs"):
            await pinned(adapter)
    other.branch, other.seed = 0, "another"
    async with connected(simulated(), other) as adapter:
        with pytest.raises(WrongChain):
            await pinned(adapter)


def edited(
    exchanges: Sequence[Exchange], path: str, edit: Callable[[Any], object]
) -> list[Exchange]:
    """Return the recorded exchanges with the answers of one path changed."""
    found = []
    for one in exchanges:
        if one.request.path.endswith(path):
            body = msgspec.json.decode(one.body)
            said = edit(body.get("data", body))
            raw = said if isinstance(said, bytes) else msgspec.json.encode(body)
            found.append(msgspec.structs.replace(one, body=raw))
        else:
            found.append(one)
    return found


def put(*keys: str | int, value: object) -> Callable[[Any], object]:
    """Return an edit that sets what lies under some keys."""

    def edit(data: Any) -> object:
        for key in keys[:-1]:
            data = data[key]
        data[keys[-1]] = value
        return None

    return edit


def other_proposer(data: Any) -> object:
    """Make the header one of another block, with that block's root."""
    data["header"]["message"]["proposer_index"] = "8"
    data["root"] = wire.HEADER.decode(msgspec.json.encode({"data": data})).data.header.message.root
    return None


PAYLOAD = ("message", "body", "execution_payload_header")
BLINDED, BLOCK_HEADER, LIST = f"blinded_blocks/{AT}", f"headers/{AT}", "/validators"


@pytest.mark.parametrize(
    ("path", "edit", "reason"),
    [
        (BLINDED, put(*PAYLOAD, "timestamp", value="1700000000"), "wrong-block"),
        (BLINDED, put(*PAYLOAD, "block_number", value=str(HEIGHT + 1)), "slot-unknown"),
        (BLINDED, put("message", "slot", value=str(AT + 1)), "wrong-block"),
        (BLINDED, put("message", "state_root", value="0x" + "00" * 32), "wrong-block"),
        (BLOCK_HEADER, put("root", value="0x" + "00" * 32), "wrong-block"),
        (BLOCK_HEADER, other_proposer, "wrong-block"),
    ],
    ids=["time", "number", "slot", "state", "root", "proposer"],
)
async def test_a_block_that_contradicts_itself_is_not_pinned(path, edit, reason):
    async with connected(simulated()) as adapter:
        exchanges = await adapter.pin(HEIGHT)
        assert adapter.snapshot(HEIGHT, exchanges).endpoints
        with pytest.raises((Transient, Unanswerable), match=reason):
            adapter.snapshot(HEIGHT, edited(exchanges, path, edit))


@pytest.mark.parametrize(
    "edit",
    [
        put(0, "index", value="8"),
        put(0, "balance", value="0"),
        lambda data: data.append(data[0]),
        lambda data: data.clear(),
    ],
    ids=["another", "empty", "twice", "missing"],
)
async def test_without_the_proposer_of_the_block_a_node_is_not_asked(edit):
    async with connected(simulated()) as adapter:
        at = adapter.snapshot(HEIGHT, edited(await adapter.pin(HEIGHT), LIST, edit))
    assert (at.endpoints, at.rejected) == ((), {"n0": "canary-failed"})


async def test_a_slot_with_another_state_than_its_block_is_not_asked():
    node = simulated()
    node.by_root = False
    async with connected(node) as adapter:
        edit = put("root", value="0x" + "00" * 32)
        at = adapter.snapshot(HEIGHT, edited(await adapter.pin(HEIGHT), f"{AT}/root", edit))
    assert (at.endpoints, at.rejected) == ((), {"n0": "wrong-block"})


async def test_a_proxys_404_is_no_missed_slot():
    node = simulated(missed=MISSED_AT)
    async with connected(node) as adapter:
        shown = edited(await adapter.pin(HEIGHT), f"v2/beacon/blocks/{AT}", lambda _: b"<html>")
        with pytest.raises(Unanswerable, match="refused"):
            adapter.snapshot(HEIGHT, shown)
