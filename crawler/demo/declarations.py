"""What the demo declares: chains of its own with the mainnets' address forms, and endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from string import Template
from typing import Any

import msgspec

from crawler.demo.keys import MESSAGE
from crawler.demo.networks import Network, by_label
from crawler.demo.nodes import CHAIN_ID, Listening

BITCOIN, ETHEREUM, TRON, SOLANA = "bip122:demo", f"eip155:{CHAIN_ID}", "tron:demo", "solana:demo"
REGTEST_MAGIC = "fabfb5da"

_WORLD = Template(
    """
[chains."$bitcoin"]
name = "Bitcoin (demo)"
adapter = "bip122"
address = "bitcoin"
native = "$bitcoin/slip44:0"
source = "made up"
address_params = { p2pkh = [0x00], p2sh = [0x05], hrp = "bc", message_header = "Bitcoin" }
params = { genesis = "$bitcoin_genesis", magic = "$magic", decimals = 8 }

[chains."$ethereum"]
name = "Ethereum (demo)"
adapter = "eip155"
address = "evm"
native = "$ethereum/slip44:60"
source = "made up"
params = { chain_id = $chain_id }

[chains."$tron"]
name = "TRON (demo)"
adapter = "tron"
address = "tron"
native = "$tron/slip44:195"
source = "made up"
params = { genesis = "$tron_genesis" }

[chains."$solana"]
name = "Solana (demo)"
adapter = "solana"
address = "solana"
native = "$solana/slip44:501"
source = "made up"
params = { genesis = "$solana_genesis" }

$others
$assets
[[exchanges]]
name = "demo"
title = "The demo exchange"
messages = ["$message"]
plain_types = ["", "Non Staking"]
networks = [
    { network = "BTC", chain = "$bitcoin", schemes = ["okx-utxo"] },
    { network = "ETH", chain = "$ethereum", schemes = ["okx-evm"] },
    { network = "TRON", chain = "$tron", schemes = ["okx-tron"] },
    { network = "SOL", chain = "$solana", schemes = ["okx-ed25519"] },
$more_networks
]
labels = [
    { asset = "BTC", id = "$bitcoin/slip44:0" },
    { asset = "ETH", id = "$ethereum/slip44:60" },
    { asset = "TRX", id = "$tron/slip44:195" },
    { asset = "SOL", id = "$solana/slip44:501" },
    { asset = "USDT-ERC20", id = "$ethereum/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7" },
    { asset = "USDC", id = "$ethereum/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48" },
$more_labels
]
"""
)

_OTHER = Template(
    """
[chains."$id"]
name = "$name (demo)"
adapter = "$adapter"
address = "$address"
native = "$native"
source = "made up"
address_params = $address_params
params = $params
"""
)

_ASSET = Template(
    """
[assets."$id"]
symbol = "$coin"
decimals = $decimals
counts_as = "$coin"
class = "native"
source = "made up"
"""
)

ASSETS = (
    (f"{BITCOIN}/slip44:0", "BTC", 8),
    (f"{ETHEREUM}/slip44:60", "ETH", 18),
    (f"{TRON}/slip44:195", "TRX", 6),
    (f"{SOLANA}/slip44:501", "SOL", 9),
    (f"{ETHEREUM}/erc20:0xdAC17F958D2ee523a2206206994597C13D831ec7", "USDT", 6),
    (f"{ETHEREUM}/erc20:0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48", "USDC", 6),
)

_ENDPOINT = Template(
    """
[[endpoints]]
name = "$name"
chain = "$chain"
url = "$url"
own_node = true
rate = "0"
timeout_s = $timeout
protocol = "$protocol"
"""
)

TIMEOUT_S, SILENT_TIMEOUT_S = 60, 2
"""A busy machine is no fault; the endpoint that never answers need not be waited for long."""

CHAIN_OF = {
    "bitcoin-core": (BITCOIN, "rpc"),
    "bitcoin-dump": (BITCOIN, "dump"),
    "ethereum-one": (ETHEREUM, ""),
    "ethereum-busy": (ETHEREUM, ""),
    "tron-one": (TRON, ""),
    "tron-empty": (TRON, ""),
    "solana-one": (SOLANA, ""),
    "solana-silent": (SOLANA, ""),
}


def world_toml(listening: Listening) -> str:
    """Return the demo's chains, assets and exchange."""
    others = [by_label()[label] for label in listening.params]
    return _WORLD.substitute(
        bitcoin=BITCOIN,
        ethereum=ETHEREUM,
        tron=TRON,
        solana=SOLANA,
        chain_id=CHAIN_ID,
        magic=REGTEST_MAGIC,
        message=MESSAGE,
        assets="".join(
            _ASSET.substitute(id=asset, coin=coin, decimals=decimals)
            for asset, coin, decimals in (
                *ASSETS,
                *((one.asset, one.coin, one.decimals) for one in others),
            )
        ),
        others="".join(_other_toml(one, listening.params[one.label]) for one in others),
        more_networks="".join(
            f'    {{ network = "{one.label}", chain = "{one.id}", '
            f'schemes = ["{one.family.scheme or "okx-evm"}"] }},\n'
            for one in others
        ),
        more_labels="".join(
            f'    {{ asset = "{one.label}", id = "{one.asset}" }},\n' for one in others
        ),
        bitcoin_genesis=listening.genesis["bitcoin"],
        tron_genesis=listening.genesis["tron"],
        solana_genesis=listening.genesis["solana"],
    )


def _other_toml(network: Network, params: Mapping[str, Any]) -> str:
    return _OTHER.substitute(
        id=network.id,
        name=network.spec.name,
        adapter=network.spec.adapter,
        address=network.spec.address,
        native=network.asset,
        address_params=_inline(network.spec.address_params),
        params=_inline(params),
    )


def _inline(value: Any) -> str:
    """Write a value as TOML, tables inline; texts and numbers are written as in JSON."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f'"{name}" = {_inline(one)}' for name, one in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return msgspec.json.encode(value).decode()


def endpoints_toml(listening: Listening) -> str:
    """Return the demo's endpoints."""
    chains = dict(CHAIN_OF)
    for label in listening.params:
        network = by_label()[label]
        chains[network.endpoint] = network.id, ""
    return "".join(
        _ENDPOINT.substitute(
            name=name,
            chain=chains[name][0],
            protocol=chains[name][1],
            url=url,
            timeout=SILENT_TIMEOUT_S if name == "solana-silent" else TIMEOUT_S,
        )
        for name, url in listening.urls.items()
    )
