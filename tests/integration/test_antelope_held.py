"""EOS after the fact, as docs/nodes.md says: a real nodeos is held at the published height.

A producing node writes a chain on which money moves before and after the height. A second one
runs from a snapshot below the height up to it, is started again without peers, and ``recount run``
asks it: the balances are those of the height. Then it goes on, and there is no balance any more.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from capture_world import observed
from made_up_run import recount
from nodeos import PEERING, STANDING, WRITING, Nodeos, Refused, run_up_to, running
from nodeos_world import transfer, write

pytestmark = pytest.mark.integration

CHAIN = "antelope:held"
ACCOUNTS = ("holder", "bob", "vault", "poor", "nobody")


class World(msgspec.Struct):
    """A running chain, and what its accounts had liquid at ``height``, below its head."""

    node: Nodeos
    snapshot: str
    height: int
    chain_id: str
    liquid: dict[str, int]
    directory: Path


def liquid_of(node: Nodeos, account: str) -> int:
    asked = {"code": "eosio.token", "account": account, "symbol": "EOS"}
    (text,) = node.call("/v1/chain/get_currency_balance", asked) or ("0.0000 EOS",)
    return int(text.removesuffix(" EOS").replace(".", ""))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("held")
    (directory / "writer").mkdir()
    with running(directory / "writer", *WRITING, *PEERING) as node:
        write(node)
        snapshot = node.call("/v1/producer/create_snapshot")["snapshot_name"]
        before = liquid_of(node, "bob")
        transfer(node, "eosio.token", "holder", "bob", "5.0000 EOS")
        height = node.settle()
        liquid = {account: liquid_of(node, account) for account in ACCOUNTS}
        transfer(node, "eosio.token", "holder", "bob", "7.0000 EOS")
        node.settle()
        assert liquid["bob"] == before + 50_000 == liquid_of(node, "bob") - 70_000
        chain_id = node.info()["chain_id"]
        yield World(node, snapshot, height, chain_id, liquid, directory)


async def told(made: World, node: Nodeos, name: str) -> tuple[Any, tuple[int, str]]:
    """Run the whole job and the doctor against a node; returns rows by account and what it says."""
    (made.directory / "chain.toml").write_text(
        f"""
[chains."{CHAIN}"]
name = "EOSX"
adapter = "antelope"
address = "antelope"
native = "{CHAIN}/slip44:194"
source = "made up"
params = {{ chain_id = "{made.chain_id}" }}
[assets."{CHAIN}/slip44:194"]
symbol = "EOS"
decimals = 4
counts_as = "EOS"
class = "native"
source = "made up"
"""
    )
    (made.directory / "endpoints.toml").write_text(
        f'[[endpoints]]\nname = "held"\nchain = "{CHAIN}"\nurl = "{node.url}"\nown_node = true\n'
    )
    rows = [f"EOSX,EOS,{account},1.0000,{made.height}" for account in ACCOUNTS]
    (made.directory / "list.csv").write_text(
        "\n".join(("network,asset,address,amount,height", *rows)) + "\n"
    )
    options = (
        str(made.directory / "list.csv"), f"--endpoints={made.directory / 'endpoints.toml'}",
        f"--config={made.directory / 'chain.toml'}", "--processes=1", "--quiet",
    )  # fmt: skip
    run = made.directory / name
    await recount("run", *options, f"--run={run}", "--json")
    found = {account: answer for (_, account), answer in observed(run).items()}
    code, out, _ = await recount("doctor", *options, env={"COLUMNS": "250", "PATH": ""})
    return found, (code, out)


async def test_a_node_held_at_the_height_gives_the_balances_of_the_height(world: World):
    at = world.directory / "reader"
    ended = run_up_to(at, world.height, world.snapshot, world.node.peer, *STANDING, *PEERING)
    assert ended == 0
    with running(at, *STANDING) as held:
        info = held.info()
        with pytest.raises(Refused, match="api-accept-transactions"):
            transfer(held, "eosio.token", "holder", "bob", "1.0000 EOS")
        found, (code, said) = await told(world, held, "at-the-height")
    assert (info["head_block_num"], info["last_irreversible_block_num"]) == (world.height,) * 2
    staked = {"holder": 830_000}  # delegated, unbonding, in REX and its fund
    assert {who: (int(units), method, gap) for who, (units, method, gap) in found.items()} == {
        who: (units + staked.get(who, 0), "state", "") for who, units in world.liquid.items()
    }
    assert (code, f"its head stands at the height, {world.height}" in said) == (0, True)

    with running(at, *STANDING, *PEERING, "--p2p-peer-address", world.node.peer) as moving:
        moving.wait(lambda info: info["head_block_num"] > world.height)
        found, (code, said) = await told(world, moving, "past-the-height")
    gap = (None, "", "no-history")
    assert {who: (units, method, gap) for who, (units, method, gap) in found.items()} == {
        **dict.fromkeys(ACCOUNTS, gap),
        "nobody": ("0", "untouched", ""),
    }
    assert (code, f"its head is past {world.height}" in said) == (1, True)


async def test_a_node_stopped_in_the_mode_head_stands_below_the_height(world: World):
    """Its last block was not irreversible yet: read as irreversible it is behind, not wrong."""
    at = world.directory / "hasty"
    options = (*STANDING[:4], "--read-mode", "head", *PEERING)
    assert run_up_to(at, world.height, world.snapshot, world.node.peer, *options) == 0
    with running(at, *STANDING) as held:
        assert held.info()["head_block_num"] < world.height
        found, (code, _) = await told(world, held, "below-the-height")
    assert set(found.values()) == {(None, "", "node-behind")}
    assert code == 1
