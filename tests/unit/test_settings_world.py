"""The assets of OKX's report on every EVM network and TRON: which contract, and what it is there.

Addresses, decimals and classes are written down a second time here, from the sources that
config/assets.toml names, so that neither file can change alone.
"""

from __future__ import annotations

from collections import defaultdict

import pytest

from chains.model import AssetId, ChainId
from crawler.examining.labels import resolve
from crawler.model import Asset, AssetClass
from crawler.settings import World, config_root, load_statement, load_world

pytestmark = pytest.mark.unit

NATIVE, BRIDGED, WRAPPED, RECEIPT, OWN = (
    AssetClass.NATIVE,
    AssetClass.BRIDGED,
    AssetClass.WRAPPED,
    AssetClass.RECEIPT,
    AssetClass.SELF_ISSUED,
)
TRON = "tron:0x2b6653dc"
CONTRACTS: dict[str, list[tuple[str, str, int, AssetClass]]] = {
    "eip155:1": [
        ("USDT", "dac17f958d2ee523a2206206994597c13d831ec7", 6, NATIVE),
        ("USDC", "a0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", 6, NATIVE),
        ("OKB", "75231f58b43240c9718dd58b4967c5114342a86c", 18, NATIVE),
        ("LINK", "514910771af9ca656af840dff83e8264ecf986ca", 18, NATIVE),
        ("UNI", "1f9840a85d5af5bf1d1762f925bdaddc4201f984", 18, NATIVE),
        ("PEOPLE", "7a58c0be72be218b41c608b7fe7c5bb630736c71", 18, NATIVE),
        ("SHIB", "95ad61b0a150d79219dcf64e1e6cc01f0b64c4ce", 18, NATIVE),
        ("BTC", "2260fac5e5542a773aa44fbcfedf7c193bc2c599", 8, WRAPPED),
        ("ETH", "c02aaa39b223fe8d0a0e5c4f27ead9083c756cc2", 18, WRAPPED),
        ("ETH", "ae7ab96520de3a18e5e111b5eaab095312d7fe84", 18, RECEIPT),
        ("ETH", "4d5f47fa6a74757f35c14fd3a6ef8e3c9bc514e8", 18, RECEIPT),
        ("USDT", "23878914efe38d27c4d67ab83ed1b93a74d4086a", 6, RECEIPT),
        ("USDC", "98c23e9d8f34fefb1b7bd6a91b7ff122f4e16f5c", 6, RECEIPT),
        ("wstETH", "7f39c581f595b53c5cb19bd0b3f8da6c935e2ca0", 18, RECEIPT),
        ("cUSDT", "f650c3d88d12db855b8bf7d11be6c55a4e07dcc9", 8, RECEIPT),
    ],
    "eip155:10": [
        ("USDT", "94b008aa00579c1307b0ef2c499ad98a8ce58e58", 6, BRIDGED),
        ("USDT", "01bff41798a0bcf287b996046ca68b395dbc1071", 6, BRIDGED),
        ("USDC", "7f5c764cbc14f9669b88837ca1490cca17c31607", 6, BRIDGED),
        ("USDC", "0b2c639c533813f4aa9d7837caf62653d097ff85", 6, NATIVE),
        ("BTC", "68f180fcce6836688e9084f035309e29bf0a2095", 8, WRAPPED),
    ],
    "eip155:56": [
        ("USDT", "55d398326f99059ff775485246999027b3197955", 18, BRIDGED),
        ("USDC", "8ac76a51cc950d9822d68b83fe1ad97b32cd580d", 18, BRIDGED),
        ("BTC", "7130d2a12b9bcbfae4f2634d864a1ee1ce3ead9c", 18, BRIDGED),
        ("ETH", "2170ed0880ac9a755fd29b2688956bd959f933f8", 18, BRIDGED),
        ("LINK", "f8a0bf9cf54bb92f17374d9e9a321e6a111a51bd", 18, BRIDGED),
        ("UNI", "bf5140a22578168fd562dccf235e5d43a02ce9b1", 18, BRIDGED),
    ],
    "eip155:66": [
        ("USDT", "382bb369d343125bfb2117af9c149795c6c65c50", 18, OWN),
        ("USDC", "c946daf81b08146b1c7a8da2a851ddf2b3eaaf85", 18, OWN),
        ("OKB", "df54b6c6195ea4d948d03bfd818d365cf175cfc2", 18, OWN),
        ("UNI", "59d226bb0a4d74274d4354ebb6a0e1a1aa5175b6", 18, OWN),
        ("LINK", "beb67de6cc5af652b2d9b0235750ed70f5a2cb0d", 18, OWN),
        ("SHIB", "aa27badaa3c9ec9081b8f6c9cdd2bf375f143780", 18, OWN),
        ("ETH", "ef71ca2ee68f45b9ad6f72fbdb33d707b872315c", 18, OWN),
        ("LTC", "fa520efc34c81bfc1e3dd48b7fe9ff326049f986", 18, OWN),
        ("FIL", "3f8969be2fc0770dcc174968e4b4ff146e0acdaf", 18, OWN),
        ("DOT", "abc732f6f69a519f6d508434481376b6221eb7d5", 18, OWN),
        ("ETC", "99970778e2715bbc9cf8fb83d10dcbc2d2d551a3", 18, OWN),
        ("XRP", "a715f624eb32c6c960b0e044b10cde585d5f5984", 18, OWN),
        ("BCH", "18d103b7066aeedb6005b78a462ef9027329b1ea", 18, OWN),
        ("TRX", "00505505a7576d6734704fabb16f41924e3e384b", 18, OWN),
    ],
    "eip155:137": [
        ("USDT", "c2132d05d31c914a87c6611c10748aeb04b58e8f", 6, BRIDGED),
        ("USDC", "2791bca1f2de4661ed88a30c99a7a9449aa84174", 6, BRIDGED),
        ("USDC", "3c499c542cef5e3811e1192ce70d8cc03d5c3359", 6, NATIVE),
        ("LINK", "53e0bca35ec356bd5dddfebbd1fc0fd03fabad39", 18, BRIDGED),
        ("UNI", "b33eaad8d922b1083446dc23f610c2567fb5180f", 18, BRIDGED),
        ("BTC", "1bfd67037b42cf73acf2047067bd4f2c47d9bfd6", 8, WRAPPED),
        ("ETH", "7ceb23fd6bc0add59e62ac25578270cff1b9f619", 18, BRIDGED),
    ],
    "eip155:196": [
        ("USDT", "1e4a5963abfd975d8c9021ce480b42188849d41d", 6, BRIDGED),
        ("USDT", "779ded0c9e1022225f8e0630b35a9b54be713736", 6, BRIDGED),
        ("USDC", "74b7f16337b8972027f6196a17a631ac6de26d22", 6, BRIDGED),
        ("USDC", "a8ce8aee21bc2a48a5ef670afcc9274c7bbbc035", 6, BRIDGED),
        ("OKB", "e538905cf8410324e03a5a23c1c177a474d59b2b", 18, WRAPPED),
    ],
    "eip155:324": [
        ("USDC", "3355df6d4c9c3035724fd0e3914de96a5a83aaf4", 6, BRIDGED),
        ("USDT", "493257fd37edb34451f62edf8d2a0c418852ba4c", 6, BRIDGED),
        ("BTC", "bbeb516fb02a01611cbbe0453fe3c580d7281011", 8, WRAPPED),
    ],
    "eip155:8453": [
        ("USDC", "833589fcd6edb6e08f4c7c32d4f71b54bda02913", 6, NATIVE),
        ("USDC", "d9aaec86b65d86f6a7b5b1b0c42ffa531710b6ca", 6, BRIDGED),
        ("USDT", "fde4c96c8593536e31f229ea8f37b2ada2699bb2", 6, BRIDGED),
        ("UNI", "c3de830ea07524a0761646a6a4e4be0e114a3c83", 18, BRIDGED),
        ("LINK", "88fb150bdc53a65fe94dea0c9ba0a6daf8c6e196", 18, BRIDGED),
        ("BTC", "0555e30da8f98308edb960aa94c0db47230d2b9c", 8, WRAPPED),
    ],
    "eip155:42161": [
        ("USDT", "fd086bc7cd5c481dcc9c85ebe478a1c0b69fcbb9", 6, BRIDGED),
        ("USDC", "ff970a61a04b1ca14834a43f5de4533ebddb5cc8", 6, BRIDGED),
        ("USDC", "af88d065e77c8cc2239327c5edb3a432268e5831", 6, NATIVE),
        ("LINK", "f97f4df75117a78c1a5a0dbb814af92458539fb4", 18, BRIDGED),
        ("UNI", "fa7f8980b0f1e64a2062791cc3b0871572f1f7f0", 18, BRIDGED),
        ("BTC", "2f2a2543b76a4166549f7aab2e75bef0aefc5b0f", 8, WRAPPED),
    ],
    "eip155:43114": [
        ("USDT", "9702230a8ea53601f5cd2dc00fdbc13d4df4a8c7", 6, NATIVE),
        ("USDT", "c7198437980c041c805a1edcba50c1ce5db95118", 6, BRIDGED),
        ("USDC", "b97ef9ef8734c71904d8002f8b6bc66dd9c48a6e", 6, NATIVE),
        ("USDC", "a7d7079b0fead91f3e65f86e8915cb59c1a4c664", 6, BRIDGED),
        ("BTC", "50b7545627a5162f82a992c33b87adc75187b218", 8, BRIDGED),
        ("BTC", "152b9d0fdc40c096757f570a51e494bd4b943e50", 8, BRIDGED),
        ("ETH", "49d5c2bdffac6ce2bfdb6640f4f80f226bc10bab", 18, BRIDGED),
        ("LINK", "5947bb275c521040051d82396192181b413227a3", 18, BRIDGED),
    ],
    "eip155:59144": [
        ("USDC", "176211869ca2b568f2a7d4ee941e073a821ee1ff", 6, BRIDGED),
        ("USDT", "a219439258ca9da29e9cc4ce5596924745e12b93", 6, BRIDGED),
        ("BTC", "3aab2285ddcddad8edf438c1bab47e1a9d05a9b4", 8, WRAPPED),
    ],
    "eip155:5000": [
        ("USDT", "201eba5cc46d216ce6dc03f6a759e8e766e956ae", 6, BRIDGED),
        ("USDC", "09bc4e0d864854c6afb6eb9a9cdf58ac190d0df9", 6, BRIDGED),
        ("ETH", "deaddeaddeaddeaddeaddeaddeaddeaddead1111", 18, BRIDGED),
        ("MNT", "78c1b0c915c4faa5fffa6cabf0219da63d7f4cb8", 18, WRAPPED),
    ],
    "eip155:534352": [
        ("USDC", "06efdbff2a14a7c8e15944d1f4a48f9f95f663a4", 6, BRIDGED),
        ("USDT", "f55bec9cafdbe8730f096aa55dad6d22d44099df", 6, BRIDGED),
        ("BTC", "3c1bca5a656e69edcd0d4e36bebb3fcdaca60cf1", 8, WRAPPED),
    ],
    TRON: [
        ("USDT", "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t", 6, NATIVE),
        ("USDC", "TEkxiTehnzSmSe2XqrBj4w32RUN966rdz8", 6, NATIVE),
        ("BTC", "TN3W4H6rK2ce4vX9YnFQHwKENnHjoxb3m9", 8, WRAPPED),
        ("USDT", "TThzxNRLrW2Brp9DcTQU8i4Wd9udCWEdZ3", 18, RECEIPT),
        ("jUSDT", "TXJgMdjVX5dKiQaUi9QobwNxtSQaFqccvd", 8, RECEIPT),
        ("sTRX", "TU3kjFuhtEo42tsCBtfYUAZxoqQ4yuSLQ5", 18, RECEIPT),
        ("jsTRX", "TJQ9rbVe9ei3nNtyGgBL22Fuu2xYjZaLAQ", 8, RECEIPT),
    ],
}
WITHOUT_STABLECOINS = {"eip155:61", "eip155:314"}
"""Ethereum Classic and Filecoin's EVM: no contract in any list."""
GAS = {
    "eip155:1": "ETH", "eip155:10": "ETH", "eip155:56": "BNB", "eip155:61": "ETC",
    "eip155:66": "OKT", "eip155:137": "POL", "eip155:196": "OKB", "eip155:314": "FIL",
    "eip155:324": "ETH", "eip155:8453": "ETH", "eip155:42161": "ETH", "eip155:43114": "AVAX",
    "eip155:59144": "ETH", "eip155:534352": "ETH", "eip155:5000": "MNT", TRON: "TRX",
}  # fmt: skip
MATIC_PRECOMPILE = "0000000000000000000000000000000000001010"


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


@pytest.fixture(scope="module")
def tokens(world: World) -> dict[tuple[str, str], Asset]:
    """Every token of these networks by chain and contract, hex in lower case."""
    found = {}
    for asset in world.assets.values():
        chain, _, name = asset.id.partition("/")
        kind, _, reference = name.partition(":")
        if kind == "erc20":
            found[chain, reference[2:].lower()] = asset
        elif kind == "trc20":
            found[chain, reference] = asset
    return found


@pytest.mark.parametrize("chain", sorted(CONTRACTS))
def test_each_contract_is_declared_for_what_it_is(
    tokens: dict[tuple[str, str], Asset], chain: str
) -> None:
    for coin, contract, decimals, kind in CONTRACTS[chain]:
        asset = tokens[chain, contract]
        found = (asset.counts_as, asset.decimals, asset.asset_class)
        assert found == (coin, decimals, kind), asset.id
        assert asset.source, asset.id


def test_no_network_that_can_be_asked_was_forgotten(world: World) -> None:
    asked = {spec.id for spec in world.chains.values() if spec.adapter in ("eip155", "tron")}
    assert asked == set(GAS)
    assert asked - set(CONTRACTS) == WITHOUT_STABLECOINS


def test_the_gas_of_each_network_is_its_coin(world: World) -> None:
    """OKB is the gas of X Layer and a token elsewhere; on roll-ups the gas is ether."""
    for chain, coin in GAS.items():
        asset = world.assets[world.chains[ChainId(chain)].native]
        assert (asset.counts_as, asset.asset_class) == (coin, NATIVE), chain


def test_every_coin_of_the_report_stands_on_some_network(world: World) -> None:
    statement = load_statement(config_root() / "statements" / "okx-2024-06.toml")
    native = {a.counts_as for a in world.assets.values() if a.asset_class is NATIVE}
    assert len(statement.coins) == 22
    assert [coin for coin in statement.coins if coin not in native] == []


def test_both_stablecoins_stand_on_every_network_that_has_them(world: World) -> None:
    coins = defaultdict(set)
    for asset in world.assets.values():
        coins[asset.chain].add(asset.counts_as)
    for chain in set(GAS) - WITHOUT_STABLECOINS:
        assert {"USDT", "USDC"} <= coins[ChainId(chain)], chain


@pytest.mark.parametrize(
    ("label", "network", "contract", "kind"),
    [
        ("POLY-USDC", "", "2791bca1f2de4661ed88a30c99a7a9449aa84174", BRIDGED),
        ("POLY-USDC-3359", "", "3c499c542cef5e3811e1192ce70d8cc03d5c3359", NATIVE),
        ("USDC-ARBITRUM", "", "ff970a61a04b1ca14834a43f5de4533ebddb5cc8", BRIDGED),
        ("USDC-ARBITRUM-NATIVE", "", "af88d065e77c8cc2239327c5edb3a432268e5831", NATIVE),
        ("USDC-OPTIMISM", "", "7f5c764cbc14f9669b88837ca1490cca17c31607", BRIDGED),
        ("USDC-OPTIMISM-FF85", "", "0b2c639c533813f4aa9d7837caf62653d097ff85", NATIVE),
        ("USDC-BASE", "", "833589fcd6edb6e08f4c7c32d4f71b54bda02913", NATIVE),
        ("USDT-OKC20", "", "382bb369d343125bfb2117af9c149795c6c65c50", OWN),
    ],
)
def test_bridged_and_native_dollars_are_told_apart_by_okx_labels(
    world: World, label: str, network: str, contract: str, kind: AssetClass
) -> None:
    found = resolve(world, world.exchanges["okx"], label, network)
    assert found.asset.lower().endswith(contract)
    assert world.assets[found.asset].asset_class is kind


def test_polygons_mirror_of_the_native_balance_is_no_asset(
    tokens: dict[tuple[str, str], Asset],
) -> None:
    assert ("eip155:137", MATIC_PRECOMPILE) not in tokens


def test_shares_are_declared_with_the_asset_that_they_are_a_share_of(world: World) -> None:
    shares = {a.symbol: a.share for a in world.assets.values() if a.share is not None}
    assert {name: share.call for name, share in shares.items()} == {
        "wstETH": "stEthPerToken()",
        "rETH": "getExchangeRate()",
        "cbETH": "exchangeRate()",
        "cUSDT": "exchangeRateStored()",
        "jUSDT": "exchangeRateStored()",
        "sTRX": "exchangeRate()",
        "jsTRX": "exchangeRateStored()",
    }
    for name, share in shares.items():
        assert world.assets[share.of].counts_as != name
        assert share.scale == 18
    assert world.assets[AssetId("eip155:1/slip44:60")].share is None
