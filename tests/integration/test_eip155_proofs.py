"""Proofs against anvil: real ones at a block that is not the tip, and lies about them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web
from anvil import DEV_ACCOUNT, INSTALL, Anvil, find_anvil, running_anvil
from evm_crawl import Crawler, chain, endpoint, pinned, token_asset
from made_up_run import recount

from chains.adapters import capabilities
from chains.model import ChainSpec, Gap, Method, Observation, QueryKind, Questions, Source
from chains.simulated.evm_bytecode import token
from crawler.doctor.probing import probe, trial_of
from crawler.settings import load_world

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_anvil() is None, reason=f"anvil is not installed: {INSTALL}"),
]

CHAIN_ID = 31337


def made_up(i: int) -> bytes:
    """Return an address without code; the low bytes keep clear of precompiles."""
    return (0xA0000000000000000000 + i * 0x100000001).to_bytes(20, "big")


ACCOUNTS = tuple(made_up(i) for i in range(120))
NATIVES = {at: (i % 3) * (10**18 * i + 1) for i, at in enumerate(ACCOUNTS)}
HOLDINGS = {at: (i % 4) * (2**80 + i) for i, at in enumerate(ACCOUNTS)}
TOKEN, FLAGGED, EMPTY, UNKNOWN = (made_up(10**6 + i) for i in range(4))
SPEC = chain(
    CHAIN_ID,
    canaries=[DEV_ACCOUNT],
    proofs=True,
    balance_slots={
        "0x" + TOKEN.hex(): {"slot": 0},
        "0x" + FLAGGED.hex(): {"slot": 0, "bits": 255},
        "0x" + EMPTY.hex(): {"slot": 9},
    },
)


class Node:
    """The node and the height to ask at; every balance differs at the tip."""

    def __init__(self, anvil: Anvil, height: int) -> None:
        self.anvil = anvil
        self.height = height


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with running_anvil() as anvil:
        anvil.mine()
        for at in (TOKEN, FLAGGED, EMPTY, UNKNOWN):
            anvil.set_code(at, token("USDT", 6))
        anvil.set_natives({at: wei for at, wei in NATIVES.items() if wei})
        anvil.set_holdings(TOKEN, {at: units for at, units in HOLDINGS.items() if units})
        anvil.set_holdings(FLAGGED, {ACCOUNTS[0]: 7, ACCOUNTS[1]: 7 | 1 << 255})
        anvil.set_holdings(EMPTY, {ACCOUNTS[0]: 7})
        height = anvil.mine()
        anvil.mine()
        anvil.set_natives(dict.fromkeys(ACCOUNTS, 5))
        anvil.set_holdings(TOKEN, dict.fromkeys(ACCOUNTS, 6))
        anvil.mine(80)  # so far above that the height is final
        yield Node(anvil, height)


@asynccontextmanager
async def two(
    node: Node, lie: Callable[[Any], None] | None = None, about: str = "eth_getProof"
) -> AsyncIterator[Crawler]:
    """Pin with two names of the node; the one that is asked answers ``about`` with a lie."""
    async with (
        lying(node.anvil.url, lie, about) as url,
        pinned(
            SPEC,
            node.height,
            endpoint(SPEC, url),
            endpoint(SPEC, node.anvil.url, "b", role="witness"),
        ) as crawler,
    ):
        yield crawler


@asynccontextmanager
async def lying(url: str, lie: Callable[[Any], None] | None, about: str) -> AsyncIterator[str]:
    """Put a proxy before the node that changes every result of one method."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.read()
        asked = json.loads(body)
        async with session.post(url, data=body) as answer:
            said = await answer.json()
        first = asked[0] if isinstance(asked, list) else asked
        if lie is not None and first["method"] == about:
            for member in said if isinstance(said, list) else [said]:
                lie(member["result"])
        return web.json_response(said)

    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, access_log=None)
    async with aiohttp.ClientSession(headers={"Content-Type": "application/json"}) as session:
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        try:
            yield f"http://{host}:{port}"
        finally:
            await runner.cleanup()


async def proven(
    crawler: Crawler, accounts: tuple[bytes, ...], at: bytes | None = None
) -> Mapping[bytes, Observation | Gap]:
    asset = crawler.spec.native if at is None else token_asset(crawler.spec, at)
    return await crawler.ask(QueryKind.PROOF, asset, accounts)


async def test_coins_are_proven_at_the_historic_block_and_absence_is_a_zero(node: Node) -> None:
    async with two(node) as crawler:
        found = await proven(crawler, ACCOUNTS)
        assert {at: one.units for at, one in found.items() if isinstance(one, Observation)} == (
            NATIVES
        )
        said = {(one.method, one.source) for one in found.values() if isinstance(one, Observation)}
        assert said == {(Method.PROOF, Source.SINGLE)}
        assert len(crawler.extracts) == 3  # fifty accounts a request


PROVEN = [
    spec
    for spec in load_world().chains.values()
    if spec.adapter == "eip155" and capabilities(spec).proof_questions
]


@pytest.mark.parametrize("network", PROVEN, ids=lambda network: network.name)
async def test_every_network_that_declares_proofs_proves_with_its_own_declaration(
    node: Node, network: ChainSpec
) -> None:
    known = {"chain_id": CHAIN_ID, "canaries": [DEV_ACCOUNT], "token_canaries": {}}
    spec = msgspec.structs.replace(network, params={**network.params, **known})
    url = node.anvil.url
    names = endpoint(spec, url), endpoint(spec, url, "b", role="witness")
    async with pinned(spec, node.height, *names) as crawler:
        found = await proven(crawler, ACCOUNTS[:4])
    assert {at: (one.units, one.method) for at, one in found.items()} == {
        at: (NATIVES[at], Method.PROOF) for at in ACCOUNTS[:4]
    }


async def test_a_token_is_proven_through_its_contracts_storage(node: Node) -> None:
    async with two(node) as crawler:
        found = await proven(crawler, ACCOUNTS, TOKEN)
        assert {at: one.units for at, one in found.items() if isinstance(one, Observation)} == (
            HOLDINGS
        )
        assert {one.method for one in found.values() if isinstance(one, Observation)} == {
            Method.PROOF
        }


async def test_a_flag_above_the_balance_is_no_balance(node: Node) -> None:
    async with two(node) as crawler:
        found = await proven(crawler, ACCOUNTS[:3], FLAGGED)
        units = [one.units for one in found.values() if isinstance(one, Observation)]
        assert units == [7, 7, 0]


async def test_a_token_zero_in_unused_storage_proves_nothing(node: Node) -> None:
    """The configured place is not where the contract keeps its balances: all words are zero."""
    async with two(node) as crawler:
        found = await proven(crawler, ACCOUNTS[:3], EMPTY)
        assert reasons(found) == {"zero-without-canary"}
        found = await proven(crawler, ACCOUNTS[:3], UNKNOWN)
        assert reasons(found) == {"asset-unsupported"}


async def test_one_endpoint_alone_is_no_anchor(node: Node) -> None:
    async with pinned(SPEC, node.height, endpoint(SPEC, node.anvil.url)) as crawler:
        found = await proven(crawler, ACCOUNTS[:5])
        assert {one.method for one in found.values() if isinstance(one, Observation)} == {
            Method.STATE
        }


def wrong_balance(result: Any) -> None:
    result["balance"] = hex(int(result["balance"], 16) + 1)
    for one in result["storageProof"]:
        one["value"] = hex(int(one["value"], 16) + 1)


def truncated(result: Any) -> None:
    del result["accountProof"][-1]


def without_root(result: Any) -> None:
    del result["accountProof"][0]


def changed_leaf(result: Any) -> None:
    leaf = bytearray.fromhex(result["accountProof"][-1][2:])
    leaf[-40] ^= 1
    result["accountProof"][-1] = "0x" + leaf.hex()


def no_nodes(result: Any) -> None:
    result["accountProof"] = []


def not_hex(result: Any) -> None:
    result["accountProof"][-1] = "0xzz"


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        (wrong_balance, "proof-contradicts"),
        (truncated, "proof-wrong"),
        (without_root, "proof-wrong"),
        (changed_leaf, "proof-wrong"),
        (no_nodes, "proof-wrong"),
        (not_hex, "proof-wrong"),
    ],
)
async def test_a_lie_about_a_proof_is_a_gap(
    node: Node, lie: Callable[[Any], None], reason: str
) -> None:
    holders = tuple(at for at in ACCOUNTS if HOLDINGS[at])[:5]
    async with two(node, lie) as crawler:
        assert reasons(await proven(crawler, holders)) == {reason}
        assert reasons(await proven(crawler, holders, TOKEN)) == {reason}


async def test_the_proof_of_another_account_is_a_gap(node: Node) -> None:
    kept: list[Any] = []

    def shifted(result: Any) -> None:
        kept.append(dict(result))
        result.clear()
        result.update(kept[0])

    async with two(node, shifted) as crawler:
        rich = tuple(at for at in ACCOUNTS if NATIVES[at])[:3]
        found = await proven(crawler, rich)
        assert [isinstance(one, Observation) for one in found.values()] == [True, False, False]
        assert reasons(found) == {"proof-wrong"}


async def test_a_proof_of_another_block_is_a_gap(node: Node) -> None:
    later = node.anvil.rpc("eth_getProof", "0x" + ACCOUNTS[1].hex(), [], "latest")

    def replaced(result: Any) -> None:
        result.update(later)

    async with two(node, replaced) as crawler:
        assert reasons(await proven(crawler, ACCOUNTS[1:2])) == {"proof-wrong"}


async def test_a_header_that_does_not_hash_to_the_pinned_block_anchors_nothing(
    node: Node,
) -> None:
    def with_own_root(result: Any) -> None:
        result["stateRoot"] = "0x" + "11" * 32

    async with two(node, with_own_root, "eth_getBlockByHash") as crawler:
        found = await proven(crawler, ACCOUNTS[:2])
        assert reasons(found) == {"proof-no-anchor"}
        assert not any(isinstance(one, Observation) for one in found.values())


async def test_a_whole_run_proves_the_largest_of_each_asset(node: Node, tmp_path: Path) -> None:
    """Of four rows the three largest are proven; about one of these the endpoint lies."""
    rows = {at: NATIVES[at] for at in (ACCOUNTS[1], ACCOUNTS[4], ACCOUNTS[5], ACCOUNTS[8])}
    smallest, lied_about = ACCOUNTS[1], ACCOUNTS[8]
    assert min(rows, key=lambda at: rows[at]) == smallest

    def one_truncated(result: Any) -> None:
        if int(result["address"], 16) == int.from_bytes(lied_about, "big"):
            truncated(result)

    async with lying(node.anvil.url, one_truncated, "eth_getProof") as url:
        written(tmp_path, node, rows, url)
        report = await ran(tmp_path, "--proofs=3")
    (line,) = report["assets"]
    assert line["verdict"] == "incomplete"
    assert line["sources"] == {
        "quorum/proof": coins(rows[ACCOUNTS[4]] + rows[ACCOUNTS[5]]),
        "quorum/state": coins(rows[smallest]),
    }
    (gap,) = (one for one in report["findings"] if one["code"] == "gap:proof-wrong")
    assert gap["amounts"] == {"ETH": coins(rows[lied_about])}


async def test_a_proof_that_was_captured_stays_one(node: Node, tmp_path: Path) -> None:
    """By the time of the run the node gives no proofs any more; the capture has them."""

    def forgotten(result: Any) -> None:
        result.clear()

    rows = {at: NATIVES[at] for at in ACCOUNTS[1:3]}
    async with lying(node.anvil.url, None, "") as url:
        written(tmp_path, node, rows, url)
        at = f"--at={node.height}"
        code, _, err = await command(tmp_path, "capture", "capture", at, "--proofs=all")
        assert code == 0, err
    async with lying(node.anvil.url, forgotten, "eth_getProof") as url:
        written(tmp_path, node, rows, url)
        report = await ran(tmp_path, "--proofs=all", f"--captured={tmp_path / 'capture'}")
    (line,) = report["assets"]
    assert line["sources"] == {"quorum/proof": coins(sum(rows.values()))}


async def test_the_doctor_says_whether_an_endpoint_proves_anything(node: Node) -> None:
    asked = Questions(
        kind=QueryKind.BALANCE, chain=SPEC.id, height=node.height, asset=SPEC.native,
        accounts=ACCOUNTS[:2],
    )  # fmt: skip
    trial = trial_of([asked], ())
    found = await probe(SPEC, endpoint(SPEC, node.anvil.url), trial)
    assert (found.proofs, found.unproven) == (True, "")
    assert found.methods == ("state", "proof")
    async with lying(node.anvil.url, truncated, "eth_getProof") as url:
        found = await probe(SPEC, endpoint(SPEC, url), trial)
    assert (found.proofs, found.unproven) == (False, "proof-wrong")
    without = msgspec.structs.replace(SPEC, params={**SPEC.params, "proofs": False})
    found = await probe(without, endpoint(SPEC, node.anvil.url), trial)
    assert (found.proofs, found.unproven, found.methods) == (False, "", ("state",))


def written(directory: Path, node: Node, rows: Mapping[bytes, int], url: str) -> None:
    """Write a list of coins, its world, and endpoints with the node itself as witness."""
    name = SPEC.id
    (directory / "world.toml").write_text(
        f"""[chains."{name}"]
name = "Test"
adapter = "eip155"
address = "evm"
native = "{SPEC.native}"
source = "made up"
params = {{ chain_id = {CHAIN_ID}, canaries = ["{DEV_ACCOUNT}"], proofs = true }}
[assets]
"{SPEC.native}" = {{ symbol = "ETH", decimals = 18, counts_as = "ETH", class = "native", source = "made up" }}
""",  # noqa: E501 - one line per asset, as in config/
        encoding="utf-8",
    )
    listed = [
        f"{name},0x{at.hex()},{SPEC.native},{coins(wei)},{node.height}" for at, wei in rows.items()
    ]
    text = "\n".join(["network,address,asset,amount,height", *listed])
    (directory / "list.csv").write_text(text + "\n", encoding="utf-8")
    (directory / "endpoints.toml").write_text(
        f'[[endpoints]]\nname = "a"\nchain = "{name}"\nurl = "{url}"\n'
        f'[[endpoints]]\nname = "b"\nchain = "{name}"\nurl = "{node.anvil.url}"\n'
        'role = "witness"\n',
        encoding="utf-8",
    )


async def ran(directory: Path, *more: str) -> Any:
    """Run the list, replay it, and return the result."""
    code, out, err = await command(directory, "run", "run", *more)
    assert code in (0, 1, 3), err
    again, replayed, err = await recount("replay", str(directory / "run"), "--json")
    assert (again, replayed) == (code, out), err
    return json.loads(out)["result"]


async def command(directory: Path, name: str, run: str, *more: str) -> tuple[int, str, str]:
    return await recount(
        name, str(directory / "list.csv"), f"--run={directory / run}",
        f"--config={directory / 'world.toml'}", f"--endpoints={directory / 'endpoints.toml'}",
        "--processes=1", "--quiet", "--json", *more,
    )  # fmt: skip


def coins(wei: int) -> str:
    """Write wei in coins, without zeros at the end."""
    return f"{wei // 10**18}.{wei % 10**18:018d}".rstrip("0").rstrip(".")


def reasons(found: Mapping[bytes, Observation | Gap]) -> set[str]:
    return {one.reason for one in found.values() if isinstance(one, Gap)}
