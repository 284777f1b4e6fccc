"""The demo's further networks: a copy of every network that recount can ask, but the main four.

Lists of some size have rows on all of them. A copy has the address form and the asset of the
network that ships in ``config/chains.toml``, and an identity of its own, which only the simulated
node of the family shows. Each family says how an account is made and signs, and how its node is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Protocol

import msgspec

from chains import addresses
from chains.model import ChainSpec
from chains.signatures.ton_wallets import accounts as ton_accounts
from chains.simulated.node import SimulatedNode
from crawler import settings
from crawler.demo import keys
from crawler.labels import plain

MAIN = ("Bitcoin", "Ethereum", "TRON", "Solana")
"""Networks that every demo has; see ``crawler.demo.exchange``."""
CHAIN_IDS_FROM = 31_338
"""EVM copies have this chain id and those that follow."""


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """One address: canonical bytes, signatures and public key as the list shows them."""

    account: bytes
    signatures: tuple[str, ...] = ()
    key: str = ""


class Wallets(Protocol):
    """Makes the n-th address of a network; it need not be signed where nobody lists it."""

    def __call__(self, network: Network, number: int, *, sign: bool) -> Wallet:
        """Return the address; the same for the same number."""
        ...


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """What the networks of one adapter have in common.

    ``node`` makes the simulated node of a ledger, ``params`` what the declaration says of that
    node. ``scheme`` "" stands for lists that publish no signature there. ``share``: rows in about
    ten thousand, of each network.
    """

    height: int
    share: int
    wallet: Wallets
    node: Callable[[Network, Mapping[bytes, int]], SimulatedNode]
    params: Callable[[Network, Any], Mapping[str, Any]]
    scheme: str = ""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One copy. ``label`` is its name in the list, as network and as asset."""

    label: str
    coin: str
    decimals: int
    number: int
    id: str
    spec: ChainSpec

    @property
    def family(self) -> Family:
        """What it shares with the other networks of its adapter."""
        return FAMILIES[self.spec.adapter]

    @property
    def endpoint(self) -> str:
        """The name of its one endpoint."""
        return f"{self.label.lower()}-one"

    @property
    def asset(self) -> str:
        """The CAIP-19 id of its native coin."""
        return f"{self.id}/{self.spec.native.partition('/')[2]}"

    def text(self, account: bytes) -> str:
        """Write an account as an address."""
        return addresses.encode(self.spec, account)


@cache
def networks() -> tuple[Network, ...]:
    """Return the copies, in the order of the configuration."""
    world = settings.load_world()
    found = []
    for number, (chain, spec) in enumerate(sorted(world.chains.items())):
        if spec.adapter not in FAMILIES or spec.name in MAIN:
            continue
        asset = world.assets[spec.native]
        numbered = spec.adapter in ("eip155", "tvm")
        reference = str(CHAIN_IDS_FROM + number) if numbered else f"demo{number}"
        found.append(
            Network(
                label=plain(spec.name).replace("_", "-"),
                coin=asset.counts_as,
                decimals=asset.decimals,
                number=number,
                id=f"{chain.partition(':')[0]}:{reference}",
                spec=spec,
            )
        )
    return tuple(found)


@cache
def by_label() -> Mapping[str, Network]:
    """Return the copies by their label."""
    return {network.label: network for network in networks()}


def _evm(network: Network, number: int, *, sign: bool) -> Wallet:
    # Lists show the same address on several networks: every third one is also one of Ethereum's.
    shared = ("evm", number) if number % 3 == 0 else (network.label, number)
    key = keys.secp256k1_key(*shared)
    return Wallet(account=keys.evm_address(key), signatures=(keys.sign_evm(key),) if sign else ())


def _evm_node(network: Network, ledger: Mapping[bytes, int]) -> SimulatedNode:
    from chains.simulated.eip155 import SimulatedEvm  # noqa: PLC0415 - each family where needed

    height = network.family.height
    return SimulatedEvm(chain_id=_chain_id(network), height=height, native=ledger)


def _chain_id(network: Network) -> int:
    return CHAIN_IDS_FROM + network.number


def _coin(network: Network, number: int, *, sign: bool) -> Wallet:
    key = keys.secp256k1_key(network.label, number)
    params = network.spec.address_params
    script = b"\x76\xa9\x14" + keys.hash160(keys.compressed(key)) + b"\x88\xac"
    header = str(params["message_header"])
    return Wallet(account=script, signatures=(keys.sign_bitcoin(key, header),) if sign else ())


def _coin_node(network: Network, ledger: Mapping[bytes, int]) -> SimulatedNode:
    from chains.simulated.bip122 import SimulatedCoin, SimulatedCore  # noqa: PLC0415

    height = network.family.height
    coins = [
        SimulatedCoin(
            txid=hashlib.sha256(script).hexdigest(), vout=0, height=5, units=units, script=script
        )
        for script, units in ledger.items()
    ]
    return SimulatedCore(coins, tip=height, salt=network.label)


def _ed25519(account: Callable[[bytes], bytes]) -> Wallets:
    def wallet(network: Network, number: int, *, sign: bool) -> Wallet:
        key = keys.ed25519_key(network.label, number)
        public = bytes(key.verify_key)
        return Wallet(
            account=account(public),
            signatures=(keys.sign_ed25519(key),) if sign else (),
            key="0x" + public.hex(),
        )

    return wallet


def _secp256k1(account: Callable[[bytes], bytes]) -> Wallets:
    def wallet(network: Network, number: int, *, sign: bool) -> Wallet:
        key = keys.secp256k1_key(network.label, number)
        public = key.public_key.format(compressed=False)
        return Wallet(account=account(public), signatures=(keys.sign_okx(key),) if sign else ())

    return wallet


def _itself(public: bytes) -> bytes:
    return public


def _aptos(public: bytes) -> bytes:
    return hashlib.sha3_256(public + b"\0").digest()


def _sui(public: bytes) -> bytes:
    return hashlib.blake2b(b"\0" + public, digest_size=32).digest()


def _near(public: bytes) -> bytes:
    return public.hex().encode()


def _ton(public: bytes) -> bytes:
    return next(iter(ton_accounts(public)))


def _filecoin(public: bytes) -> bytes:
    return b"\x01" + hashlib.blake2b(public, digest_size=20).digest()


def _aelf(public: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(public).digest()).digest()


def _xrpl(public: bytes) -> bytes:
    return keys.hash160(bytes([2 + public[64] % 2]) + public[1:33])


def _unsigned(account: Callable[[int], bytes]) -> Wallets:
    def wallet(network: Network, number: int, *, sign: bool) -> Wallet:
        del network, sign
        return Wallet(account=account(number))

    return wallet


def _antelope(number: int) -> bytes:
    digits = "12345abcdefghijk"
    name = "demo" + "".join(digits[number >> shift & 15] for shift in range(20, -1, -4))
    return _antelope_name(name)


def _antelope_name(name: str) -> bytes:
    from chains.addresses import antelope  # noqa: PLC0415

    return antelope.decode(name, {})


def _hedera(number: int) -> bytes:
    from chains.addresses import hedera  # noqa: PLC0415

    return hedera.decode(f"0.0.{10_000 + number}", {})


def _starknet(number: int) -> bytes:
    return b"\0" + keys.seed("starknet", number)[:31]


def _validator(number: int) -> bytes:
    return keys.seed("validator", number) + keys.seed("validator, again", number)[:16]


def _plain_node(module: str, name: str) -> Callable[[Network, Mapping[bytes, int]], SimulatedNode]:
    """Return a maker of nodes whose ledger is keyed by accounts."""

    def node(network: Network, ledger: Mapping[bytes, int]) -> SimulatedNode:
        made: SimulatedNode = _server(module, name)(network.family.height, ledger)
        return made

    return node


def _named_node(module: str, name: str) -> Callable[[Network, Mapping[bytes, int]], SimulatedNode]:
    """Return a maker of nodes whose ledger is keyed by addresses."""

    def node(network: Network, ledger: Mapping[bytes, int]) -> SimulatedNode:
        named = {network.text(account): units for account, units in ledger.items()}
        made: SimulatedNode = _server(module, name)(network.family.height, named)
        return made

    return node


def _server(module: str, name: str) -> Any:
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(f"chains.simulated.{module}"), name)


def _filecoin_node(network: Network, ledger: Mapping[bytes, int]) -> SimulatedNode:
    from chains.simulated.filecoin import SimulatedActor, SimulatedLotus  # noqa: PLC0415

    actors, names = {}, {}
    for number, (account, units) in enumerate(ledger.items(), start=10_000):
        actors[f"f0{number}"] = SimulatedActor(balance=units)
        names[network.text(account)] = f"f0{number}"
    return SimulatedLotus(network.family.height, actors, names=names)


def _filecoin_params(_: Network, node: Any) -> Mapping[str, Any]:
    from chains.simulated.filecoin import code_of  # noqa: PLC0415

    return {"genesis": node.genesis, "plain_codes": [code_of("account")]}


def _beacon_node(network: Network, ledger: Mapping[bytes, int]) -> SimulatedNode:
    from chains.simulated.beacon import SimulatedBeacon, SimulatedValidator  # noqa: PLC0415

    validators = {key: SimulatedValidator(balance=units) for key, units in ledger.items()}
    return SimulatedBeacon(network.family.height, validators)


def _ton_node(network: Network, ledger: Mapping[bytes, int]) -> SimulatedNode:
    from chains.simulated.tvm import SimulatedTon  # noqa: PLC0415

    node = SimulatedTon(network.family.height, ledger)
    node.global_id = _chain_id(network)
    return node


def _starknet_node(network: Network, ledger: Mapping[bytes, int]) -> SimulatedNode:
    from chains.simulated.starknet import SimulatedStarknet  # noqa: PLC0415

    node = SimulatedStarknet(network.family.height, ledger)
    node.chain = network.id.partition(":")[2]
    return node


def _ton_params(_: Network, node: Any) -> Mapping[str, Any]:
    root, file = node.zero_state
    return {"zero_state_root": root, "zero_state_file": file}


def _sui_params(_: Network, node: Any) -> Mapping[str, Any]:
    from chains.addresses.base58 import bytes_to_base58  # noqa: PLC0415

    return {"genesis_digest": bytes_to_base58(node.genesis)}


def _aelf_params(_: Network, node: Any) -> Mapping[str, Any]:
    from chains.addresses.aelf import encode  # noqa: PLC0415
    from chains.simulated.aelf import GENESIS  # noqa: PLC0415

    return {"genesis_contract": encode(GENESIS, {}), "chain": node.chain}


def _xrpl_params(_: Network, node: Any) -> Mapping[str, Any]:
    from chains.simulated.xrpl import KNOWN  # noqa: PLC0415

    return {"network_id": 0, "known_ledger": {"index": KNOWN, "hash": node.hash_of(KNOWN)}}


FAMILIES: Mapping[str, Family] = {
    "eip155": Family(
        height=18_000_000,
        share=120,
        scheme="okx-evm",
        wallet=_evm,
        node=_evm_node,
        params=lambda network, _: {"chain_id": _chain_id(network)},
    ),
    "bip122": Family(
        height=2_000,
        share=100,
        scheme="okx-utxo",
        wallet=_coin,
        node=_coin_node,
        params=lambda _, node: {"genesis": node.genesis},
    ),
    "substrate": Family(
        height=28_000_000,
        share=10,
        scheme="okx-ed25519",
        wallet=_ed25519(_itself),
        node=_plain_node("substrate", "SimulatedSubstrate"),
        params=lambda _, node: {"genesis_hash": node.genesis[2:]},
    ),
    "aptos": Family(
        height=3_363_904_007,
        share=60,
        scheme="okx-ed25519",
        wallet=_ed25519(_aptos),
        node=_plain_node("aptos", "SimulatedAptos"),
        params=lambda _, node: {"chain_id": node.chain_id},
    ),
    "sui": Family(
        height=306_133_070,
        share=60,
        scheme="okx-ed25519",
        wallet=_ed25519(_sui),
        node=_plain_node("sui", "SimulatedSui"),
        params=_sui_params,
    ),
    "near": Family(
        height=157_424_893,
        share=40,
        scheme="okx-ed25519",
        wallet=_ed25519(_near),
        node=_named_node("near", "SimulatedNear"),
        params=lambda _, node: {"chain_id": node.chain_id, "genesis_hash": node.genesis},
    ),
    "stellar": Family(
        height=50_000_000,
        share=30,
        scheme="okx-ed25519",
        wallet=_ed25519(_itself),
        node=_plain_node("stellar", "SimulatedHorizon"),
        params=lambda _, node: {"network_passphrase": node.passphrase},
    ),
    "tvm": Family(
        height=39_984_096,
        share=60,
        scheme="okx-ed25519",
        wallet=_ed25519(_ton),
        node=_ton_node,
        params=_ton_params,
    ),
    "filecoin": Family(
        height=4_863_282,
        share=30,
        scheme="okx-ecdsa",
        wallet=_secp256k1(_filecoin),
        node=_filecoin_node,
        params=_filecoin_params,
    ),
    "xrpl": Family(
        height=90_000_000,
        share=60,
        scheme="okx-ecdsa",
        wallet=_secp256k1(_xrpl),
        node=_plain_node("xrpl", "SimulatedXrpl"),
        params=_xrpl_params,
    ),
    "aelf": Family(
        height=4_229_086,
        share=30,
        scheme="okx-ecdsa",
        wallet=_secp256k1(_aelf),
        node=_plain_node("aelf", "SimulatedAelf"),
        params=_aelf_params,
    ),
    "hedera": Family(
        height=70_000_000,
        share=30,
        wallet=_unsigned(_hedera),
        node=_named_node("hedera", "SimulatedHedera"),
        params=lambda _, node: {"genesis_hash": node.genesis},
    ),
    "starknet": Family(
        height=638_358,
        share=30,
        wallet=_unsigned(_starknet),
        node=_starknet_node,
        params=lambda _network, _node: {},
    ),
    "antelope": Family(
        height=400_000_000,
        share=20,
        wallet=_unsigned(_antelope),
        node=_plain_node("antelope", "SimulatedAntelope"),
        params=lambda _, node: {"chain_id": node.chain_id},
    ),
    "beacon": Family(
        height=23_000_000,
        share=60,
        wallet=_unsigned(_validator),
        node=_beacon_node,
        params=lambda _, node: dict(node.params),
    ),
}
