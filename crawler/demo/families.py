"""What the networks of each adapter have in common in the demo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from crawler.demo import servers, wallets

if TYPE_CHECKING:
    from crawler.demo.networks import Network


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What the networks of one adapter have in common.

    ``node`` makes the simulated node of a ledger, ``params`` what the declaration says of that
    node. ``scheme`` "" stands for lists that publish no signature there. ``share``: rows in about
    ten thousand, of each network.
    """

    height: int
    share: int
    wallet: wallets.Wallets
    node: servers.Server
    params: Callable[[Network, Any], Mapping[str, Any]]
    scheme: str = ""


FAMILIES: Mapping[str, Family] = {
    "eip155": Family(
        height=18_000_000,
        share=120,
        scheme="okx-evm",
        wallet=wallets.evm_wallet,
        node=servers.evm_node,
        params=lambda network, _: {"chain_id": network.chain_id},
    ),
    "bip122": Family(
        height=2_000,
        share=100,
        scheme="okx-utxo",
        wallet=wallets.coin_wallet,
        node=servers.coin_node,
        params=lambda _, node: {"genesis": node.genesis},
    ),
    "substrate": Family(
        height=28_000_000,
        share=10,
        scheme="okx-ed25519",
        wallet=wallets.ed25519_wallets(wallets.key_itself),
        node=servers.plain_node("substrate", "SimulatedSubstrate"),
        params=lambda _, node: {"genesis_hash": node.genesis[2:]},
    ),
    "aptos": Family(
        height=3_363_904_007,
        share=60,
        scheme="okx-ed25519",
        wallet=wallets.ed25519_wallets(wallets.aptos_account),
        node=servers.plain_node("aptos", "SimulatedAptos"),
        params=lambda _, node: {"chain_id": node.chain_id},
    ),
    "sui": Family(
        height=306_133_070,
        share=60,
        scheme="okx-ed25519",
        wallet=wallets.ed25519_wallets(wallets.sui_account),
        node=servers.plain_node("sui", "SimulatedSui"),
        params=servers.sui_params,
    ),
    "near": Family(
        height=157_424_893,
        share=40,
        scheme="okx-ed25519",
        wallet=wallets.ed25519_wallets(wallets.near_account),
        node=servers.named_node("near", "SimulatedNear"),
        params=lambda _, node: {"chain_id": node.chain_id, "genesis_hash": node.genesis},
    ),
    "stellar": Family(
        height=50_000_000,
        share=30,
        scheme="okx-ed25519",
        wallet=wallets.ed25519_wallets(wallets.key_itself),
        node=servers.plain_node("stellar", "SimulatedHorizon"),
        params=lambda _, node: {"network_passphrase": node.passphrase},
    ),
    "tvm": Family(
        height=39_984_096,
        share=60,
        scheme="okx-ed25519",
        wallet=wallets.ed25519_wallets(wallets.ton_account),
        node=servers.ton_node,
        params=servers.ton_params,
    ),
    "filecoin": Family(
        height=4_863_282,
        share=30,
        scheme="okx-ecdsa",
        wallet=wallets.secp256k1_wallets(wallets.filecoin_account),
        node=servers.filecoin_node,
        params=servers.filecoin_params,
    ),
    "xrpl": Family(
        height=90_000_000,
        share=60,
        scheme="okx-ecdsa",
        wallet=wallets.secp256k1_wallets(wallets.xrpl_account),
        node=servers.plain_node("xrpl", "SimulatedXrpl"),
        params=servers.xrpl_params,
    ),
    "aelf": Family(
        height=4_229_086,
        share=30,
        scheme="okx-ecdsa",
        wallet=wallets.secp256k1_wallets(wallets.aelf_account),
        node=servers.plain_node("aelf", "SimulatedAelf"),
        params=servers.aelf_params,
    ),
    "hedera": Family(
        height=70_000_000,
        share=30,
        wallet=wallets.unsigned_wallets(wallets.hedera_account),
        node=servers.named_node("hedera", "SimulatedHedera"),
        params=lambda _, node: {"genesis_hash": node.genesis},
    ),
    "starknet": Family(
        height=638_358,
        share=30,
        wallet=wallets.unsigned_wallets(wallets.starknet_account),
        node=servers.starknet_node,
        params=lambda _network, _node: {},
    ),
    "antelope": Family(
        height=400_000_000,
        share=20,
        wallet=wallets.unsigned_wallets(wallets.antelope_account),
        node=servers.plain_node("antelope", "SimulatedAntelope"),
        params=lambda _, node: {"chain_id": node.chain_id},
    ),
    "beacon": Family(
        height=23_000_000,
        share=60,
        wallet=wallets.unsigned_wallets(wallets.validator_account),
        node=servers.beacon_node,
        params=lambda _, node: dict(node.params),
    ),
}
