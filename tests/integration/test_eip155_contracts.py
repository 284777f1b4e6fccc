"""Control and EIP-1271 of real contracts on anvil, read at a block that is not the tip."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import contracts
import generic_run
import pytest
from anvil import DEV_ACCOUNT, find_anvil, running_anvil
from anvil import INSTALL as ANVIL
from coincurve import PrivateKey
from contracts import Pods, Safes, address_of, call_data, hashed, sign
from evm_crawl import chain, endpoint, pinned

from chains.model import ChainSpec, Observation, QueryKind
from chains.simulated.evm_bytecode import answering

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_anvil() is None, reason=f"anvil is not installed: {ANVIL}"),
    pytest.mark.skipif(
        not contracts.installed(),
        reason=f"the contracts are not installed: {contracts.INSTALL}",
    ),
]

CHAIN_ID = 31337
KEYS = tuple(PrivateKey((0xC0FFEE + i).to_bytes(32, "big")) for i in range(4))
OWNERS = tuple(map(address_of, KEYS))
STRANGER, NEWCOMER = KEYS[3], bytes.fromhex("d1" * 20)
FAKE_POD, DENYING = (bytes.fromhex("e0" * 19 + f"0{i}") for i in range(2))
MESSAGE = "We control this account."
DIGEST = hashed(b"\x19Ethereum Signed Message:\n" + str(len(MESSAGE)).encode() + MESSAGE.encode())


@dataclass(frozen=True)
class World:
    """The node, what stands on it at ``height``, and the signatures handed to each Safe.

    ``pods`` are real, made before ``height``; the one of ``NEWCOMER`` never is, and what stands
    in its place is not its pod. ``unmade`` is a block before any of them.
    """

    url: str
    spec: ChainSpec
    height: int
    unmade: int
    safes: Mapping[str, bytes]
    proxy: bytes
    admin: bytes
    signatures: Mapping[str, bytes]
    pods: Mapping[str, bytes]
    eigenlayer: Pods


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_anvil("--no-mining") as node:
        on = Safes(node)
        names = ("two", "one", "stranger", "accepting", "tampered", "alone")
        safes = {name: on.make(OWNERS[:3], 2) for name in names}
        safes["of a safe"] = on.make([safes["two"], OWNERS[2]], 1)
        proxy, admin = on.transparent_proxy(on.handler, OWNERS[0])
        eigenlayer = Pods(node, OWNERS[1])
        unmade = node.mine()
        pods = {
            "pod": eigenlayer.make(OWNERS[0]),
            "pod of a safe": eigenlayer.make(safes["of a safe"]),
            "unmade": eigenlayer.named(NEWCOMER, "getPod(address)"),
        }
        claims = {FAKE_POD: OWNERS[0], pods["unmade"]: NEWCOMER}
        for pod, owner in claims.items():
            node.set_code(pod, answering({"0b18ff66": [int.from_bytes(owner, "big")]}))
        node.set_code(DENYING, answering({"1626ba7e": [0xFFFFFFFF << 224]}))
        node.set_natives(
            dict.fromkeys([*safes.values(), *pods.values(), FAKE_POD, DENYING], 10**18)
        )
        height = node.mine()
        signatures = {
            "accepting": on.signed(safes["accepting"], DIGEST, KEYS[:2]),
            "tampered": on.signed(safes["tampered"], hashed(b"another text"), KEYS[:2]),
            "alone": on.signed(safes["alone"], DIGEST, KEYS[:1]),
        }
        _hand_over(on, safes["two"], admin)
        eigenlayer.replace_logic(FAKE_POD)  # who says of all pods: OWNERS[0]
        node.mine(3)
        manager = "0x" + eigenlayer.manager.hex()
        spec = chain(CHAIN_ID, canaries=[DEV_ACCOUNT], eigen_pod_manager=manager)
        yield World(
            *(node.url, spec, height, unmade, safes, proxy, admin, signatures, pods, eigenlayer)
        )


def _hand_over(on: Safes, safe: bytes, admin: bytes) -> None:
    """Replace an owner of the Safe, lower its threshold, and give the proxy's admin away."""
    on.as_account(safe)
    sentinel = bytes(19) + b"\x01"
    swap = call_data("swapOwner(address,address,address)", sentinel, OWNERS[0], NEWCOMER)
    on.send(safe, swap, sender=safe)
    on.send(safe, call_data("changeThreshold(uint256)", 1), sender=safe)
    on.as_account(OWNERS[0])
    on.send(admin, call_data("transferOwnership(address)", NEWCOMER), sender=OWNERS[0])


async def shown(world: World, account: bytes, height: int | None = None) -> Any:
    """Return the facts about one account, at the height or at another."""
    kind = QueryKind.CONTROL if len(account) == 20 else QueryKind.SIGNATURE
    at = world.height if height is None else height
    spec = world.spec
    async with pinned(spec, at, endpoint(spec, world.url)) as crawler:
        answer = (await crawler.ask(kind, spec.native, [account]))[account]
    return json.loads(answer.facts) if isinstance(answer, Observation) else answer.reason


def way(kind: str, threshold: int, *signers: bytes) -> dict[str, Any]:
    weights = {"0x" + signer.hex(): 1 for signer in signers}
    return {"kind": kind, "threshold": threshold, "weights": weights}


PLAIN = {"exists": False, "plain": True}
"""What is shown about an account that obeys its key and nothing else."""


async def test_a_real_safe_shows_the_owners_of_the_height_not_of_today(world: World) -> None:
    at_height = {"exists": True, "ways": [way("safe-owners", 2, *OWNERS[:3])]}
    assert await shown(world, world.safes["two"]) == at_height
    today = {"exists": True, "ways": [way("safe-owners", 1, NEWCOMER, *OWNERS[1:3])]}
    assert await shown(world, world.safes["two"], world.height + 6) == today
    assert await shown(world, world.safes["two"], 0) == PLAIN


async def test_a_real_proxy_notes_its_admin_and_the_admin_shows_its_owner(world: World) -> None:
    notes = {"eip1967_admin": "0x" + world.admin.hex()}
    assert await shown(world, world.proxy) == {"exists": True, "notes": notes}
    at_height = {"exists": True, "ways": [way("contract-owner", 1, OWNERS[0])]}
    assert await shown(world, world.admin) == at_height
    today = {"exists": True, "ways": [way("contract-owner", 1, NEWCOMER)]}
    assert await shown(world, world.admin, world.height + 6) == today


async def test_a_real_pod_shows_its_owner_as_the_real_manager_confirms_it(world: World) -> None:
    of_a_safe = world.safes["of a safe"]
    for name, owner in (("pod", OWNERS[0]), ("pod of a safe", of_a_safe)):
        expected = {"exists": True, "ways": [way("pod-owner", 1, owner)]}
        assert await shown(world, world.pods[name]) == expected
        assert await shown(world, world.pods[name], world.unmade) == PLAIN
    assert await shown(world, world.eigenlayer.logic) == {"exists": True}


async def test_no_contract_makes_itself_a_pod(world: World) -> None:
    assert await shown(world, FAKE_POD) == {"exists": True}
    # The manager names this address as NEWCOMER's pod (getPod), and has never made it.
    assert world.eigenlayer.named(NEWCOMER, "ownerToPod(address)") == bytes(20)
    assert await shown(world, world.pods["unmade"]) == {"exists": True}


async def test_new_code_behind_the_beacon_changes_the_pods_of_its_block_on_only(
    world: World,
) -> None:
    head = int(world.eigenlayer.node.rpc("eth_blockNumber"), 16)
    mine = {"exists": True, "ways": [way("pod-owner", 1, OWNERS[0])]}
    assert await shown(world, world.pods["pod"], head) == mine
    assert await shown(world, world.pods["pod of a safe"], head) == {"exists": True}


async def test_the_manager_obeys_its_owner_and_notes_the_admin_of_its_proxy(world: World) -> None:
    notes = {"eip1967_admin": "0x" + world.eigenlayer.admin.hex()}
    expected = {"exists": True, "ways": [way("contract-owner", 1, OWNERS[1])], "notes": notes}
    assert await shown(world, world.eigenlayer.manager) == expected


async def test_a_safe_accepts_what_its_owners_signed_and_reverts_on_the_rest(world: World) -> None:
    def asked(name: str, digest: bytes = DIGEST) -> bytes:
        return world.safes[name] + digest + world.signatures[name]

    accepted, no_rule = {"exists": True, "accepts": True}, {"exists": True}
    assert await shown(world, asked("accepting")) == accepted
    assert await shown(world, asked("accepting", hashed(b"another text"))) == no_rule
    assert await shown(world, asked("tampered")) == no_rule
    assert await shown(world, asked("alone")) == no_rule
    assert await shown(world, asked("accepting"), 0) == {"exists": False}
    assert await shown(world, DENYING + DIGEST + b"\1") == {"exists": True, "accepts": False}
    assert await shown(world, world.proxy + DIGEST + b"\1") == no_rule


def test_the_message_hash_is_the_one_that_the_safe_itself_names() -> None:
    with running_anvil("--no-mining") as node:
        on = Safes(node)
        safe = on.make(OWNERS[:3], 2)
        named = on.call(safe, call_data("getMessageHash(bytes)", DIGEST))
        assert on.message_hash(safe, DIGEST) == named


EXPECTED = {
    "two": ("controlled", "owner-in-control"),
    "one": ("signer-only", "owners-below-threshold"),
    "stranger": ("refuted", "owner-not-in-control"),
    "accepting": ("controlled", "contract-accepts"),
    "tampered": ("signer-only", "no-control-rule"),
    "alone": ("signer-only", "no-control-rule"),
    "denying": ("refuted", "contract-rejects"),
    "pod": ("controlled", "owner-in-control"),
    "pod of a safe": ("controlled", "owner-in-control"),
    "pod of a safe, one signed": ("signer-only", "owners-below-threshold"),
    "pod of another": ("refuted", "owner-not-in-control"),
    "fake pod": ("signer-only", "no-control-rule"),
    "safe of a safe": ("controlled", "owner-in-control"),
    "stranger to a safe of a safe": ("refuted", "owner-not-in-control"),
}


def rows(world: World) -> dict[str, dict[str, str]]:
    """Return the published rows by name: one coin each, at the height."""

    def row(account: bytes, **more: str) -> dict[str, str]:
        common = {"network": world.spec.id, "amount": "1", "height": str(world.height)}
        return {**common, "address": "0x" + account.hex(), "message": MESSAGE, **more}

    def by(account: bytes, *keys: PrivateKey) -> dict[str, str]:
        signed = {f"signature{i}": "0x" + sign(k, DIGEST).hex() for i, k in enumerate(keys, 1)}
        named = {f"owner{i}": "0x" + address_of(k).hex() for i, k in enumerate(keys, 1)}
        return row(account, scheme="eip191", **signed, **named)

    def asked(account: bytes, signature: bytes) -> dict[str, str]:
        return row(account, scheme="eip1271", signature1="0x" + signature.hex())

    found = {
        "two": by(world.safes["two"], *KEYS[:2]),
        "one": by(world.safes["one"], KEYS[0]),
        "stranger": by(world.safes["stranger"], KEYS[0], STRANGER),
        "denying": asked(DENYING, b"\1"),
        "pod": by(world.pods["pod"], KEYS[0]),
        "pod of a safe": by(world.pods["pod of a safe"], *KEYS[:2]),
        "pod of a safe, one signed": by(world.pods["pod of a safe"], KEYS[0]),
        "pod of another": by(world.pods["pod"], KEYS[1]),
        "safe of a safe": by(world.safes["of a safe"], *KEYS[:2]),
        "stranger to a safe of a safe": by(world.safes["of a safe"], STRANGER),
        "fake pod": by(FAKE_POD, KEYS[0]),
    }
    handed = world.signatures.items()
    return found | {name: asked(world.safes[name], raw) for name, raw in handed}


async def test_a_run_judges_every_row_by_what_the_contracts_say(
    world: World, tmp_path: Path
) -> None:
    ran = await generic_run.run(tmp_path, world.spec, world.url, MESSAGE, rows(world))
    assert ran.verdicts() == EXPECTED
    assert ran.observed() == dict.fromkeys(EXPECTED, str(10**18))
