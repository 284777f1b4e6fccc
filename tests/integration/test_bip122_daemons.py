"""The adapter of the Bitcoin family against real bitcoind and litecoind, on regtest."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from coredaemons import ANYONE, Daemon, Ledger, bitcoind, litecoind, scripts_of_one_key

from chains import addresses
from chains.adapters.bip122 import Adapter, scan, set_hash
from chains.endpoints import EndpointSpec
from chains.errors import WrongChain
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Gap,
    Method,
    Observation,
    QueryKind,
    Questions,
)
from chains.transport import HttpTransport

pytestmark = pytest.mark.integration

CHAIN = ChainId("bip122:regtest")
NATIVE = AssetId(f"{CHAIN}/slip44:1")
NEVER = b"\x00\x14" + b"\xee" * 20
MANY = 17_000
"""So many outputs of one transaction that their order in the file is not that of numbers."""


@pytest.fixture(scope="module")
def bitcoin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with bitcoind(tmp_path_factory.mktemp("bitcoind")) as daemon:
        yield Ledger(daemon, MANY)


@pytest.fixture(scope="module")
def litecoin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    with litecoind(tmp_path_factory.mktemp("litecoind")) as daemon:
        yield Ledger(daemon, 400)


def spec_of(genesis: str, magic: str = "fabfb5da", **params: object) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="Regtest",
        adapter="bip122",
        address="bitcoin",
        native=NATIVE,
        address_params={"p2pkh": [0x6F], "p2sh": [0xC4], "hrp": "bcrt"},
        params={"genesis": genesis, "magic": magic, **params},
    )


@asynccontextmanager
async def connected(
    daemon: Daemon, dump: Path | None = None, *, genesis: str = "", **params: object
) -> AsyncIterator[Adapter]:
    urls = {"node": daemon.url} | ({"dump": dump.as_uri()} if dump else {})
    endpoints = [
        EndpointSpec(name=name, chain=CHAIN, url=url, own_node=True, rate="0", timeout_s=60)
        for name, url in urls.items()
    ]
    known = genesis or await asyncio.to_thread(daemon.call, "getblockhash", 0)
    async with HttpTransport(CHAIN, endpoints) as transport:
        yield Adapter(spec_of(str(known), **params), transport)


async def ask(adapter: Adapter, height: int, scripts: list[bytes]) -> dict[bytes, int | Gap]:
    found = await answers(adapter, height, scripts)
    return {
        script: answer.units if isinstance(answer, Observation) else answer
        for script, answer in found.items()
    }


async def answers(
    adapter: Adapter, height: int, scripts: list[bytes]
) -> dict[bytes, Observation | Gap]:
    at = adapter.snapshot(height, await adapter.pin(height))
    asked = Questions(
        kind=QueryKind.BALANCE,
        chain=CHAIN,
        height=height,
        asset=NATIVE,
        accounts=tuple(sorted(scripts)),
    )
    found: dict[bytes, Observation | Gap] = {}
    async for extract in adapter.extract(asked, at):
        for position, answer in adapter.decode(asked, extract, at).each(asked):
            found[asked.accounts[position]] = answer
    return found


def dump_of(daemon: Daemon, path: Path, height: int) -> Path:
    written = daemon.call("dumptxoutset", str(path), "", {"rollback": height})
    assert written["base_height"] == height
    return path


@pytest.mark.parametrize("plain", [True, False])
def test_both_passes_read_cores_own_dump(
    bitcoin: Ledger,
    tmp_path: Path,
    plain: bool,  # noqa: FBT001
) -> None:
    path = tmp_path / "utxo.dat"
    written = bitcoin.daemon.call("dumptxoutset", str(path), "latest")
    found = scan.scan_dump(path, sorted({*bitcoin.units, NEVER}), plain=plain)
    expected = {script.hex(): str(units) for script, units in bitcoin.units.items()}
    assert {matched.script: matched.units for matched in found.matched} == expected
    assert found.base_hash == written["base_hash"]
    assert found.coins == written["coins_written"]
    assert found.highest == written["base_height"]


@pytest.mark.parametrize("plain", [True, False])
def test_the_hash_of_the_set_is_cores_own(
    bitcoin: Ledger,
    tmp_path: Path,
    plain: bool,  # noqa: FBT001
) -> None:
    path = tmp_path / "utxo.dat"
    written = bitcoin.daemon.call("dumptxoutset", str(path), "latest")
    told = bitcoin.daemon.call("gettxoutsetinfo", "hash_serialized_3")
    found = set_hash.set_hash(path, plain=plain)
    assert found == written["txoutset_hash"] == told["hash_serialized_3"]


async def test_a_dump_that_hashes_to_anothers_word_proves_its_balances(
    bitcoin: Ledger, tmp_path: Path
) -> None:
    daemon, height = bitcoin.daemon, bitcoin.height
    path = tmp_path / "utxo.dat"
    anchor = daemon.call("dumptxoutset", str(path), "latest")["txoutset_hash"]
    rich = scripts_of_one_key()["p2wpkh"]
    async with connected(daemon, path, txoutset_hashes={str(height): anchor}) as adapter:
        found = await answers(adapter, height, [rich, NEVER])
    assert {script: one.units for script, one in found.items() if isinstance(one, Observation)} == {
        rich: bitcoin.units[rich],
        NEVER: 0,
    }
    assert {one.method for one in found.values() if isinstance(one, Observation)} == {Method.PROOF}
    async with connected(daemon, path, txoutset_hashes={str(height): "ab" * 32}) as adapter:
        gaps = await answers(adapter, height, [rich, NEVER])
    assert [one.reason for one in gaps.values() if isinstance(one, Gap)] == ["dump-mismatch"] * 2


async def test_scan_dump_and_ledger_agree(bitcoin: Ledger, tmp_path: Path) -> None:
    daemon, height = bitcoin.daemon, bitcoin.daemon.call("getblockcount")
    expected = {**bitcoin.units, NEVER: 0}
    async with connected(daemon) as adapter:
        assert await ask(adapter, height, list(expected)) == expected
    dump = dump_of(daemon, tmp_path / "utxo.dat", height)
    async with connected(daemon, dump) as adapter:
        assert await ask(adapter, height, list(expected)) == expected


async def test_a_tip_past_the_height_needs_a_dump(bitcoin: Ledger, tmp_path: Path) -> None:
    daemon, height = bitcoin.daemon, bitcoin.height
    rich = scripts_of_one_key()["p2wpkh"]
    daemon.mine(2, rich)
    try:
        async with connected(daemon) as adapter:
            gap = (await ask(adapter, height, [rich]))[rich]
            assert isinstance(gap, Gap)
            assert (gap.reason, gap.retryable) == ("scan-mismatch", False)
            assert f"rollback={height}" in gap.detail
        dump = dump_of(daemon, tmp_path / "utxo.dat", height)
        async with connected(daemon, dump) as adapter:
            assert (await ask(adapter, height, [rich]))[rich] == bitcoin.units[rich]
    finally:
        daemon.call("invalidateblock", daemon.call("getblockhash", height + 1))


async def test_a_node_taken_back_to_the_height_can_scan(bitcoin: Ledger) -> None:
    daemon, height = bitcoin.daemon, bitcoin.height
    rich = scripts_of_one_key()["p2tr"]
    first = daemon.mine(2, rich)[0]
    daemon.call("invalidateblock", first)
    async with connected(daemon) as adapter:
        assert (await ask(adapter, height, [rich]))[rich] == bitcoin.units[rich]


async def test_every_address_form_of_a_script_is_one_account(bitcoin: Ledger) -> None:
    spec = spec_of("00" * 32)
    for name in ("p2pkh", "p2sh", "p2wpkh", "p2wsh", "p2tr"):
        script = scripts_of_one_key()[name]
        text = addresses.encode(spec, script)
        told = bitcoin.daemon.call("validateaddress", text)
        assert told["scriptPubKey"] == script.hex()
        texts = {text, text.upper()} if text.startswith("bcrt") else {text}
        assert {addresses.decode(spec, form) for form in texts} == {script}
        assert bitcoin.daemon.call("validateaddress", max(texts))["scriptPubKey"] == script.hex()


async def test_the_forms_of_one_key_are_different_accounts(bitcoin: Ledger) -> None:
    forms = {k: v for k, v in scripts_of_one_key().items() if v != ANYONE}
    async with connected(bitcoin.daemon) as adapter:
        found = await ask(adapter, bitcoin.height, list(forms.values()))
    assert found == {script: bitcoin.units[script] for script in forms.values()}
    assert len(set(found.values())) == len(forms)


async def test_another_genesis_is_the_wrong_chain(bitcoin: Ledger) -> None:
    async with connected(bitcoin.daemon, genesis="00" * 32) as adapter:
        exchanges = await adapter.pin(1)
        with pytest.raises(WrongChain):
            adapter.snapshot(1, exchanges)


async def test_litecoind_answers_by_scanning(litecoin: Ledger) -> None:
    expected = {**litecoin.units, NEVER: 0}
    async with connected(litecoin.daemon) as adapter:
        assert await ask(adapter, litecoin.height, list(expected)) == expected


@pytest.mark.parametrize("plain", [True, False])
def test_both_passes_read_litecoinds_own_dump(
    litecoin: Ledger,
    tmp_path: Path,
    plain: bool,  # noqa: FBT001
) -> None:
    path = tmp_path / "utxo.dat"
    written = litecoin.daemon.call("dumptxoutset", str(path))
    found = scan.scan_dump(path, sorted({*litecoin.units, NEVER}), plain=plain)
    expected = {script.hex(): str(units) for script, units in litecoin.units.items()}
    assert {matched.script: matched.units for matched in found.matched} == expected
    assert found.base_hash == written["base_hash"]
    assert (found.coins, found.highest) == (written["coins_written"], written["base_height"])
    assert found.version == 1


async def test_litecoinds_dump_answers_after_its_tip_has_moved_on(
    litecoin: Ledger, tmp_path: Path
) -> None:
    path, height = tmp_path / "utxo.dat", litecoin.height
    litecoin.daemon.call("dumptxoutset", str(path))
    rich = scripts_of_one_key()["p2wpkh"]
    first = litecoin.daemon.mine(2, rich)[0]
    try:
        async with connected(litecoin.daemon, path) as adapter:
            found = await ask(adapter, height, [*litecoin.units, NEVER])
    finally:
        litecoin.daemon.call("invalidateblock", first)
    assert found == {**litecoin.units, NEVER: 0}


async def test_litecoind_past_the_height_is_a_gap(litecoin: Ledger) -> None:
    async with connected(litecoin.daemon) as adapter:
        gap = (await ask(adapter, litecoin.height - 1, [NEVER]))[NEVER]
    assert isinstance(gap, Gap)
    assert gap.reason == "scan-mismatch"
