"""What ships in config/: every id is well formed, every reference leads somewhere."""

from __future__ import annotations

import importlib
import re
import tomllib
from collections import Counter
from collections.abc import Sequence

import pytest

from chains.addresses.base58 import base58check_to_bytes
from chains.addresses.evm import decode as decode_evm
from chains.model import AssetId, ChainId, Exchange, Request
from crawler.declarations import CAIP_2, CAIP_19
from crawler.examining.labels import resolve
from crawler.model import AssetClass, plain
from crawler.settings import World, config_root, load_world

pytestmark = pytest.mark.unit

EVM_TEXT = re.compile(r"0x[0-9a-fA-F]{40}")


class Silent:
    """A transport without endpoints."""

    endpoints: tuple[str, ...] = ()

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        raise AssertionError(request, endpoint)

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        raise AssertionError(request, among)


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


def test_every_toml_file_is_read_by_something() -> None:
    root = config_root()
    names = {path.relative_to(root).as_posix() for path in root.rglob("*.toml")}
    assert {"chains.toml", "assets.toml", "policy.toml", "endpoints.example.toml"} <= names
    for path in root.rglob("*.toml"):
        tomllib.loads(path.read_text(encoding="utf-8"))


def test_ids_follow_caip(world: World) -> None:
    assert len(world.chains) >= 30
    assert len(world.assets) >= 100
    for chain in world.chains:
        assert CAIP_2.fullmatch(chain), chain
    for id_, asset in world.assets.items():
        match = CAIP_19.fullmatch(id_)
        assert match, id_
        assert match[1] == asset.chain
        assert asset.chain in world.chains


def test_contracts_carry_their_eip55_checksum(world: World) -> None:
    texts = [id_.rpartition(":")[2] for id_ in world.assets if "/erc20:" in id_]
    for spec in world.chains.values():
        texts += spec.params.get("canaries", []) if spec.namespace == "eip155" else []
        multicall = spec.params.get("multicall3")
        texts += [multicall["address"]] if multicall and spec.namespace == "eip155" else []
    assert len(texts) > 60
    for text in texts:
        assert EVM_TEXT.fullmatch(text), text
        letters = set(text[2:]) - set("0123456789")
        assert not letters or text != text.lower(), f"{text} carries no checksum"
        decode_evm(text, {})


def test_the_checksum_test_can_fail() -> None:
    with pytest.raises(ValueError, match="EIP-55"):
        decode_evm("0xdAC17F958D2ee523a2206206994597C13D831eC7", {})


def test_tron_contracts_carry_their_checksum(world: World) -> None:
    texts = [id_.rpartition(":")[2] for id_ in world.assets if "/trc20:" in id_]
    assert len(texts) >= 5
    for text in texts:
        assert base58check_to_bytes(text)[0] == 0x41, text


def test_every_declaration_names_its_source(world: World) -> None:
    for spec in world.chains.values():
        assert spec.source, spec.id
    for asset in world.assets.values():
        assert asset.source, asset.id
    for exchange in world.exchanges.values():
        assert exchange.source, exchange.name


def test_evm_chains_know_their_chain_id(world: World) -> None:
    for spec in world.chains.values():
        if spec.namespace == "eip155":
            assert spec.params["chain_id"] == int(spec.reference)


def test_bitcoin_like_chains_know_their_genesis(world: World) -> None:
    chains = [spec for spec in world.chains.values() if spec.namespace == "bip122"]
    assert len(chains) == 12
    for spec in chains:
        anchor = spec.params.get("fork_hash", spec.params["genesis"])
        assert anchor.startswith(spec.reference), spec.id
        assert re.fullmatch("[0-9a-f]{64}", anchor)
        assert world.assets[spec.native].decimals == (2 if spec.name == "eCash" else 8)
        assert spec.address_params["message_header"], spec.id
    magics = [spec.params["magic"] for spec in chains if "magic" in spec.params]
    assert len(set(magics)) == len(magics) == 6
    assert all(re.fullmatch("[0-9a-f]{8}", magic) for magic in magics)


def test_every_adapter_accepts_its_parameters(world: World) -> None:
    built = 0
    for spec in world.chains.values():
        if spec.adapter == "none":
            continue
        module = importlib.import_module(f"chains.adapters.{spec.adapter}")
        module.Adapter(spec, Silent())
        built += 1
    assert built >= 15


def test_every_address_format_exists(world: World) -> None:
    for spec in world.chains.values():
        if spec.address != "none":
            importlib.import_module(f"chains.addresses.{spec.address}")


def test_every_chain_has_a_native_asset_of_its_own(world: World) -> None:
    for spec in world.chains.values():
        native = world.assets[spec.native]
        assert native.chain == spec.id
        assert native.asset_class is AssetClass.NATIVE


def test_every_label_resolves(world: World) -> None:
    for exchange in world.exchanges.values():
        assert exchange.labels
        for label in exchange.labels:
            if label.network:
                found = resolve(world, exchange, label.asset, label.network)
            else:
                found = resolve(world, exchange, label.asset, "")
            assert found.asset == label.id, (exchange.name, label)
            assert found.reason == ""


def test_every_labelled_chain_has_a_network_rule(world: World) -> None:
    for exchange in world.exchanges.values():
        ruled = {rule.chain for rule in exchange.networks}
        for label in exchange.labels:
            assert world.assets[label.id].chain in ruled, (exchange.name, label)


def test_scheme_names_are_words(world: World) -> None:
    names = {name for exchange in world.exchanges.values() for r in exchange.networks
             for name in r.schemes}  # fmt: skip
    names |= {name for schemes in world.schemes.values() for name in schemes}
    assert "okx-evm" in names
    for name in names:
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name), name


@pytest.mark.parametrize(
    ("label", "network", "asset"),
    [
        # bridged under the plain name, native under the longer one
        ("POLY-USDC", "POLYGON", "eip155:137/erc20:0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"),
        ("POLY-USDC-3359", "", "eip155:137/erc20:0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"),
        ("USDC-ARBITRUM", "", "eip155:42161/erc20:0xFF970A61A04b1cA14834A43f5dE4533eBDDB5CC8"),
        ("USDC-OPTIMISM-FF85", "", "eip155:10/erc20:0x0b2C639c533813f4Aa9D7837CAf62653d097Ff85"),
        ("BASE", "BASE", "eip155:8453/slip44:60"),
        ("OKB-X1", "XLAYER", "eip155:196/native:OKB"),
        ("OKB", "ETH", "eip155:1/erc20:0x75231F58b43240C9718Dd58B4967c5114342a86c"),
        ("OKB", "XLAYER", "eip155:196/native:OKB"),
        ("ETHK-OKC20", "OKC", "eip155:66/erc20:0xEF71CA2EE68F45B9Ad6F72fbdb33d707b872315C"),
        ("POLY-USDC", "MATIC", "eip155:137/erc20:0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"),
        ("ELF", "AELF", "aelf:AELF/slip44:1616"),
        ("ETC", "OKC", "eip155:66/erc20:0x99970778E2715bBc9Cf8fb83D10dCBC2D2D551A3"),
        ("ETC", "ETC", "eip155:61/slip44:61"),
        ("ASSET-HUB", "ASSET_HUB", "polkadot:68d56f15f85d3136970ec16946040bc1/slip44:354"),
        ("BCHN", "BCHN", "bip122:000000000000000000651ef99cb9fcbe/slip44:145"),
    ],
)
def test_traps_of_okx_labels(world: World, label: str, network: str, asset: str) -> None:
    found = resolve(world, world.exchanges["okx"], label, network)
    assert (found.asset, found.reason) == (AssetId(asset), "")


def test_self_issued_claims_keep_their_class(world: World) -> None:
    on_oktc = [
        asset
        for asset in world.assets.values()
        if asset.chain == "eip155:66" and "/erc20:" in asset.id
    ]
    assert len(on_oktc) == 14
    assert {asset.asset_class for asset in on_oktc} == {AssetClass.SELF_ISSUED}
    assert {asset.decimals for asset in on_oktc} == {18}


def test_receipts_that_are_no_rebasing_tokens_count_as_themselves(world: World) -> None:
    """One share is not one coin: only a balance that grows with its worth may count as the coin."""
    rebasing = {"stETH", "aEthWETH", "aEthUSDT", "aEthUSDC", "stUSDT"}
    receipts = [a for a in world.assets.values() if a.asset_class is AssetClass.RECEIPT]
    assert {asset.symbol for asset in receipts} >= {*rebasing, "wstETH", "cUSDT", "jUSDT", "sTRX"}
    for asset in receipts:
        assert asset.symbol in rebasing or asset.counts_as == asset.symbol, asset.id


def test_decimals_where_they_differ_from_habit(world: World) -> None:
    by_id = world.assets
    assert (
        by_id[AssetId("eip155:56/erc20:0x55d398326f99059fF775485246999027B3197955")].decimals == 18
    )
    assert by_id[AssetId("beacon:1/slip44:60")].decimals == 9
    assert by_id[AssetId("tvm:-239/slip44:607")].decimals == 9
    for id_, asset in by_id.items():
        usual = {"USDT": {6, 8, 18}, "USDC": {6, 18}, "BTC": {8, 18}}.get(asset.counts_as)
        assert usual is None or asset.decimals in usual, id_


def test_no_two_chains_share_a_name(world: World) -> None:
    raw = tomllib.loads((config_root() / "chains.toml").read_text(encoding="utf-8"))
    names = Counter(
        plain(name)
        for table in raw["chains"].values()
        for name in {plain(table["name"]), *map(plain, table.get("aliases", []))}
    )
    assert [name for name, count in names.items() if count > 1] == []
    assert world.aliases["ETHEREUM"] == ChainId("eip155:1")
