"""Resolving labels: nothing is guessed, and what is unknown says what is unknown."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from chains.model import AssetId, ChainId
from crawler.examining.labels import (
    Resolved,
    chain_named,
    resolve,
    resolve_generic,
    resolve_generic_of,
)
from crawler.model import Exchange, plain
from crawler.settings import World, load_world

pytestmark = pytest.mark.unit

ETHEREUM, BITCOIN = ChainId("eip155:1"), ChainId("bip122:000000000019d6689c085ae165831e93")
USDT = AssetId("eip155:1/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7")
TRON = ChainId("tron:0x2b6653dc")
TRON_USDT = AssetId(f"{TRON}/trc20:TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t")
BEACON = ChainId("beacon:1")


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


@pytest.fixture(scope="module")
def okx(world: World) -> Exchange:
    return world.exchanges["okx"]


@pytest.fixture(scope="module")
def htx(world: World) -> Exchange:
    return world.exchanges["htx"]


def test_label_and_network(world: World, okx: Exchange) -> None:
    assert resolve(world, okx, "USDT-TRC20", "TRON") == Resolved(
        chain=TRON, asset=TRON_USDT, schemes=("okx-tron",)
    )


def test_label_alone(world: World, okx: Exchange) -> None:
    assert resolve(world, okx, "USDT-TRC20", "") == resolve(world, okx, "USDT-TRC20", "TRON")


def test_the_coin_of_a_signature_scheme_follows_the_network(world: World, okx: Exchange) -> None:
    assert resolve(world, okx, "USDT", "ETH").schemes == ("okx-evm",)
    assert resolve(world, okx, "USDT", "OKC").schemes == ("okx-ecdsa",)


def test_an_unknown_network_gives_nothing(world: World, okx: Exchange) -> None:
    assert resolve(world, okx, "ETH", "SOMECHAIN") == Resolved(reason="unknown-network")


def test_an_unknown_label_still_gives_chain_and_schemes(world: World, okx: Exchange) -> None:
    found = resolve(world, okx, "NEWCOIN", "ETH")
    assert found == Resolved(chain=ETHEREUM, schemes=("okx-evm",), reason="unknown-label")


def test_a_label_is_never_moved_to_another_chain(world: World, okx: Exchange) -> None:
    found = resolve(world, okx, "USDT-TRC20", "ETH")
    assert (found.chain, found.asset, found.reason) == ("eip155:1", None, "unknown-label")


def test_only_a_rule_of_its_own_puts_a_label_on_another_chain(world: World, okx: Exchange) -> None:
    relay = ChainId("polkadot:91b171bb158e2d3848fa23a9f1c25182")
    hub = ChainId("polkadot:68d56f15f85d3136970ec16946040bc1")
    assert resolve(world, okx, "DOT", "DOT").chain == relay
    for label in ("ASSET-HUB", "asset hub"):
        found = resolve(world, okx, label, "DOT")
        assert (found.chain, found.asset) == (hub, world.chains[hub].native)
        assert found.schemes == ("okx-ed25519",)
    assert resolve(world, okx, "ASSET-HUB", "DOT", "Liquid Staking").reason == "unknown-network"
    assert resolve(world, okx, "ASSET-HUB", "").chain == hub
    assert resolve(world, okx, "SOL", "DOT").reason == "unknown-label"


def test_usdt_alone_is_unknown_without_its_network(world: World, okx: Exchange) -> None:
    assert resolve(world, okx, "USDT", "") == Resolved(reason="unknown-label")


@pytest.mark.parametrize("network", ["ARBITRUM", "OPTIMISM", "POLYGON", "XLAYER"])
def test_usdt_is_unknown_where_two_contracts_compete(
    world: World, okx: Exchange, network: str
) -> None:
    assert resolve(world, okx, "USDC", network).reason == "unknown-label"
    assert resolve(world, okx, "USDT", network).reason == "unknown-label"


@pytest.mark.parametrize("text", ["Vaulta", "VAULTA", " vaulta "])
def test_networks_are_compared_in_their_plain_form(world: World, okx: Exchange, text: str) -> None:
    assert resolve(world, okx, "EOS", text).reason == ""


def test_dash_blank_and_underscore_are_one(world: World, okx: Exchange) -> None:
    one = resolve(world, okx, "ETH", "ETH-ARBITRUM")
    assert one == resolve(world, okx, "ETH", "eth arbitrum")
    assert one.chain == "eip155:42161"
    assert plain(" DOGE  a-b_c ") == "DOGE_A_B_C"


def test_staking_rows_stand_on_the_beacon_chain(world: World, okx: Exchange) -> None:
    for kind in ("Native ETH Staking", "Eigenlayer Staking"):
        found = resolve(world, okx, "ETH", "ETH", kind)
        assert found == Resolved(
            chain=BEACON, asset=AssetId("beacon:1/slip44:60"), schemes=("okx-evm",)
        )
    assert resolve(world, okx, "ETH", "ETH", "Non Staking").chain == "eip155:1"


def test_schemes_of_a_row_type_stay_with_it(world: World, okx: Exchange) -> None:
    assert resolve(world, okx, "BETH", "").schemes == ("okx-bls",)
    assert resolve(world, okx, "BETH", "BETH").schemes == ("okx-bls",)


def test_an_unknown_row_type_is_not_a_plain_row(world: World, okx: Exchange) -> None:
    assert resolve(world, okx, "ETH", "ETH", "Liquid Staking").reason == "unknown-network"
    assert resolve(world, okx, "ETH", "", "Liquid Staking").reason == "unknown-label"


def test_htx_labels_decide_the_chain(world: World, htx: Exchange) -> None:
    assert resolve(world, htx, "USDT-ETH", "").schemes == ("htx-evm",)
    assert resolve(world, htx, "HTX-TRC20", "").schemes == ("htx-tron",)
    assert resolve(world, htx, "USDT-Avalanche C-Chain", "").chain == "eip155:43114"
    assert resolve(world, htx, "steth", "").asset == resolve(world, htx, "stETH", "").asset
    assert resolve(world, htx, "DOGE", "").schemes == ()


def test_htx_has_no_networks(world: World, htx: Exchange) -> None:
    assert resolve(world, htx, "ETH", "ETH").reason == "unknown-network"
    assert resolve(world, htx, "ETH", "-").reason == "unknown-network"


def test_a_receipt_is_not_its_coin(world: World, htx: Exchange) -> None:
    found = resolve(world, htx, "USDT-aEthUSDT", "")
    assert found.asset is not None
    assert world.assets[found.asset].asset_class == "receipt"
    assert world.assets[found.asset].counts_as == "USDT"


@pytest.mark.parametrize("network", ["eip155:1", "Ethereum", "ethereum", "ETH", " Ethereum "])
def test_generic_networks_by_id_and_by_name(world: World, network: str) -> None:
    assert resolve_generic(world, "USDT", network) == Resolved(
        chain=ETHEREUM, asset=USDT, schemes=("eip191",)
    )


@pytest.mark.parametrize(
    "asset", [USDT, USDT.lower(), f"eip155:1/erc20:0x{USDT[17:].upper()}", "USDT"]
)
def test_generic_assets_by_id_and_by_symbol(world: World, asset: str) -> None:
    assert resolve_generic(world, asset, "Ethereum").asset == USDT


def test_generic_defaults(world: World) -> None:
    assert resolve_generic(world, "", "BTC").asset == world.chains[BITCOIN].native
    assert resolve_generic(world, "", "BTC").schemes == (
        "bip137", "bitcoin-signmessage", "bip137-taproot", "bip322",
    )  # fmt: skip
    assert resolve_generic(world, "", "LTC").schemes == ("bip137", "bitcoin-signmessage")
    assert resolve_generic(world, "", "Tron").schemes == ("tip191",)
    assert resolve_generic(world, "", "Solana").schemes == ("ed25519-raw",)
    assert resolve_generic(world, "", "Aptos").schemes == ("aptos-full-message",)
    assert resolve_generic(world, "", "Starknet").schemes == ()
    assert resolve_generic(world, USDT, "").chain == "eip155:1"


def test_generic_unknowns(world: World) -> None:
    assert resolve_generic(world, "ETH", "Nowhere") == Resolved(reason="unknown-network")
    assert resolve_generic(world, "ETH", "") == Resolved(reason="unknown-network")
    unknown = Resolved(chain=TRON, schemes=("tip191",), reason="unknown-label")
    assert resolve_generic(world, "NOPE", "TRON") == unknown
    assert resolve_generic(world, "usdt", "TRON") == unknown, "symbols are compared exactly"
    assert resolve_generic(world, USDT, "TRON") == unknown, "the asset is of another chain"


@pytest.mark.parametrize("network", ["ETH", "eip155:1", "Ethereum", "ERC20"])
@pytest.mark.parametrize("asset", ["ETH", "", "eip155:1/slip44:60", USDT])
def test_a_generic_row_that_names_its_exchange_has_its_schemes(
    world: World, okx: Exchange, htx: Exchange, network: str, asset: str
) -> None:
    found = resolve_generic(world, asset, network)
    for exchange, schemes in ((okx, ("okx-evm",)), (htx, ("htx-evm",))):
        expected = msgspec.structs.replace(found, schemes=schemes if found.chain else ())
        assert resolve_generic_of(world, exchange, asset, network) == expected


def test_a_generic_row_of_an_exchange_without_rules_has_the_chains_schemes(
    world: World, htx: Exchange
) -> None:
    binance = world.exchanges["binance"]
    for exchange in (htx, binance):
        found = resolve_generic_of(world, exchange, "", "Aptos")
        assert found == resolve_generic(world, "", "Aptos")
    assert resolve_generic_of(world, binance, "ETH", "eip155:1").schemes == ("eip191",)
    assert resolve_generic_of(world, htx, USDT, "").schemes == ("htx-evm",)


def test_a_generic_row_keeps_to_labels_that_its_exchange_has(world: World, okx: Exchange) -> None:
    assert resolve_generic_of(world, okx, "ETH", "BETH", "").chain == BEACON
    assert resolve_generic_of(world, okx, "", "beacon:1").schemes == ("okx-bls",)
    for asset in ("USDT", "USDC"):
        assert resolve_generic_of(world, okx, asset, "ARBITRUM").reason == "unknown-label"
    unknown = Resolved(chain=TRON, schemes=("okx-tron",), reason="unknown-label")
    assert resolve_generic_of(world, okx, USDT, "TRX") == unknown, "the asset is of another chain"
    assert resolve_generic_of(world, okx, "ETH", "Nowhere") == Resolved(reason="unknown-network")


def test_a_symbol_that_two_assets_share_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "twin.toml"
    path.write_text(
        '[assets]\n"eip155:1/erc20:0x0000000000000000000000000000000000000001" = '
        '{ symbol = "USDT", decimals = 6, counts_as = "USDT", class = "wrapped", source = "x" }\n'
    )
    assert resolve_generic(load_world([path]), "USDT", "Ethereum").reason == "unknown-label"


def test_chain_names(world: World) -> None:
    assert chain_named(world, "X Layer") == chain_named(world, "XLAYER") == "eip155:196"
    assert chain_named(world, "eip155:424242") is None
    assert chain_named(world, "") is None
