"""The demo's further networks: a copy of every network that recount can ask, but the main four.

Lists of some size have rows on all of them. A copy has the address form and the asset of the
network that ships in ``config/chains.toml``, and an identity of its own, which only the simulated
node of the family shows. Each family says how an account is made and signs, and how its node is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec

from chains import addresses
from chains.model import ChainSpec
from crawler import settings
from crawler.demo.families import FAMILIES, Family
from crawler.model import plain

MAIN = ("Bitcoin", "Ethereum", "TRON", "Solana")
"""Networks that every demo has; see ``crawler.demo.wallet_rows``."""
CHAIN_IDS_FROM = 31_338
"""EVM copies have this chain id and those that follow."""


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
    def chain_id(self) -> int:
        """What an EVM or TON copy says of itself."""
        return CHAIN_IDS_FROM + self.number

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
