"""Who controls Filecoin's actors, from signatures and a simulated node's answers to a verdict."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import coincurve
import pytest
from account_crawl import asked, connected, pinned, short, verdict

from chains.adapters.filecoin import Adapter, control
from chains.addresses import filecoin
from chains.control import Authority, decode
from chains.model import AssetId, ChainId, ChainSpec, Observation, QueryKind
from chains.signatures import judge
from chains.signatures.model import SignedAddress
from chains.signatures.secp_accounts import RULES
from chains.signatures.secp_wallets import filecoin_message
from chains.simulated.filecoin import SimulatedActor, SimulatedLotus, code_of

pytestmark = pytest.mark.integration

CHAIN = ChainId("fil:simulated")
HEIGHT = 4_863_282
KEY = coincurve.PrivateKey(sha256(b"filecoin control").digest())
PUBLIC = KEY.public_key.format()
OWN, ETHEREUM = (
    filecoin.encode(account, {})
    for account in sorted(RULES["filecoin"].derive(KEY.public_key.format(compressed=False), {}))
)
OTHER = filecoin.encode(b"\x01" + bytes(20), {})
TEXT = "we own this"
ACCOUNTS = {
    "f0101": SimulatedActor(balance=1, key=OWN),
    "f0102": SimulatedActor(balance=1, key=OTHER),
    "f0103": SimulatedActor(balance=1, kind="ethaccount", delegated=ETHEREUM),
    "f0104": SimulatedActor(balance=1, kind="paymentchannel"),
}
NAMES = {OWN: "f0101", OTHER: "f0102", ETHEREUM: "f0103"}


def party(*signers: str, threshold: int = 1) -> SimulatedActor:
    return SimulatedActor(balance=1, kind="multisig", signers=signers, threshold=threshold)


def miner(owner: str) -> SimulatedActor:
    return SimulatedActor(balance=1, kind="miner", owner=owner)


def node_of(actors: Mapping[str, SimulatedActor]) -> SimulatedLotus:
    return SimulatedLotus(HEIGHT, {**ACCOUNTS, **actors}, names=NAMES)


def spec_of(node: SimulatedLotus) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="Filecoin",
        adapter="filecoin",
        address="filecoin",
        native=AssetId(f"{CHAIN}/slip44:461"),
        params={"genesis": node.genesis, "plain_codes": [code_of("account")]},
    )


def row_of(spec: ChainSpec, address: str) -> SignedAddress:
    signature = KEY.sign_recoverable(filecoin_message(TEXT), hasher=None)
    return SignedAddress(
        spec=spec,
        address=address,
        account=filecoin.decode(address, {}),
        message=TEXT,
        signatures=("0x" + signature.hex(),),
        schemes=("fil-f1",),
        public_key=PUBLIC.hex(),
    )


CONTROLLED = ("controlled", "owner-in-control")
DENIED = ("refuted", "owner-not-in-control")


@pytest.mark.parametrize(
    ("address", "actors", "expected"),
    [
        ("f0101", {}, CONTROLLED),
        ("f0102", {}, DENIED),
        ("f0103", {}, ("signer-only", "no-control-rule")),
        ("f0104", {}, ("signer-only", "no-control-rule")),
        ("f0200", {}, ("signer-only", "nothing-at-address")),
        ("f0200", {"f0200": party("f0101", "f0102")}, CONTROLLED),
        ("f0200", {"f0200": party("f0102", "f0101", threshold=2)},
         ("signer-only", "owners-below-threshold")),
        ("f0200", {"f0200": party("f0102")}, DENIED),
        ("f0200", {"f0200": party("f0102", "f0103")}, ("signer-only", "key-not-shown")),
        ("f0200", {"f0200": miner("f0101")}, CONTROLLED),
        ("f0200", {"f0200": miner("f0102")}, DENIED),
        ("f0200", {"f0200": miner("f0300"), "f0300": party("f0102", "f0101")}, CONTROLLED),
        ("f0200", {"f0200": miner("f0300"), "f0300": party("f0102")}, DENIED),
    ],
)  # fmt: skip
async def test_an_actor_obeys_the_keys_that_the_chain_names(address, actors, expected):
    node = node_of(actors)
    row = row_of(spec_of(node), address)
    assert judge(row).signers == (OWN,)
    async with connected(Adapter, row.spec, node) as adapter:
        assert await verdict(adapter, await pinned(adapter, HEIGHT), row) == expected


async def answer_of(node: SimulatedLotus, address: str, change: Mapping[str, Any]) -> Any:
    async with connected(Adapter, spec_of(node), node) as adapter:
        at = await pinned(adapter, HEIGHT)
        for name, value in change.items():
            assert hasattr(node, name)
            setattr(node, name, value)
        account = filecoin.decode(address, {})
        return (await asked(adapter, at, account, kind=QueryKind.CONTROL))[account]


async def test_the_owner_of_a_miner_is_shown_with_those_behind_it():
    node = node_of({"f0200": miner("f0300"), "f0300": party("f0101", "f0102", threshold=2)})
    answer = await answer_of(node, "f0200", {})
    assert isinstance(answer, Observation)
    behind = Authority(kind=control.SIGNERS, threshold=2, weights={OWN: 1, OTHER: 1})
    assert decode(answer.facts).ways == (
        Authority(
            kind=control.OWNER, threshold=1, weights={"f0300": 1}, nested={"f0300": (behind,)}
        ),
    )


async def test_multisigs_that_own_each_other_come_to_an_end():
    node = node_of({"f0200": party("f0300"), "f0300": party("f0200")})
    answer = await answer_of(node, "f0200", {})
    assert isinstance(answer, Observation)
    assert decode(answer.facts).ways[0].weights == {"f0300": 1}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"answers_head": True}, "canary-wrong"),
        ({"forgets_everything": True}, "canary-wrong"),
        ({"lacks": {"StateAccountKey"}}, "server-error"),
        ({"lacks": {"StateMinerInfo"}}, "server-error"),
        ({"lacks": {"StateReadState"}}, "server-error"),
    ],
)
async def test_what_was_not_told_denies_nobody(change, reason):
    node = node_of({"f0200": party("f0102")})
    assert short(await answer_of(node, "f0200", change)) == reason


@pytest.mark.parametrize(
    "odd",
    [
        {"threshold": 0},
        {"signers": ("f0101", "f0101")},
        {"signers": ("f0101", "nobody")},
        {"signers": tuple(f"f0{i}" for i in range(1000, 1300))},
    ],
)
async def test_a_multisig_that_makes_no_sense_is_a_gap(odd):
    fields = {"signers": ("f0101",), **odd}
    node = node_of({"f0200": SimulatedActor(balance=1, kind="multisig", **fields)})
    assert short(await answer_of(node, "f0200", {})) == "malformed-answer"
