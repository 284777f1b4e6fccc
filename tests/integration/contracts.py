"""Real contracts on anvil: the Safe, OpenZeppelin's proxies, EigenLayer's pods and their manager.

They are looked for where ``.ci/install-contracts`` puts what npm packages carry of them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anvil import DEV_ACCOUNT, Anvil
from coincurve import PrivateKey
from Crypto.Hash import keccak
from eth_abi import abi

from tests.nodes import note

INSTALL = ".ci/install-contracts"
_MODULES = Path(__file__).parents[2] / ".nodes/contracts/node_modules"
_SAFE = _MODULES / "@safe-global/safe-contracts/build/artifacts/contracts"
_OPENZEPPELIN = _MODULES / "@openzeppelin/contracts/build/contracts"
_EIGENLAYER = _MODULES.parent / "eigenlayer"
EIGENLAYER_CODE = {
    "EigenPod": "cd3adbf956528a476b6ea282d9eac13c4117733e970927fa968d5a4d199c1759",
    "EigenPodManager": "98f5e37adf6ca848b8068001bc624458233c158c8fe79067cb41b30020847e29",
}
"""SHA-256 of the creation code without the compiler's metadata, its last 53 bytes.

It is that of ``Bin`` in pkg/bindings/NAME/binding.go of Layr-Labs/eigenlayer-contracts at
dd9bc54733047b0a0d8df5246b96eb40e003a546, where EigenLayer publishes the same code.
"""
_METADATA = 53


def installed() -> bool:
    """Tell whether all of it is there."""
    return all(place.exists() for place in (_SAFE, _OPENZEPPELIN, _EIGENLAYER))


def hashed(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def call_data(signature: str, *arguments: Any) -> str:
    """Return the ABI form of a call, ``0x`` and hex; ``signature`` is ``name(type,…)``."""
    types = signature[signature.index("(") + 1 : -1]
    encoded = abi.encode(types.split(",") if types else [], arguments)
    return "0x" + (hashed(signature.encode())[:4] + encoded).hex()


def sign(key: PrivateKey, digest: bytes) -> bytes:
    """Return r ‖ s ‖ v over a digest, v 27 or 28."""
    signature = key.sign_recoverable(digest, hasher=None)
    return signature[:64] + bytes([27 + signature[64]])


def address_of(key: PrivateKey) -> bytes:
    return hashed(key.public_key.format(compressed=False)[1:])[-20:]


def creation_code(artifact: Path) -> str:
    """Return the hex of what creates a contract, as Hardhat, Truffle or Forge write it."""
    found = json.loads(artifact.read_text(encoding="utf-8"))["bytecode"]
    text: str = found["object"] if isinstance(found, dict) else found
    return text


class Deployer:
    """Sends transactions to an anvil as its first account, one a block.

    The anvil runs with ``--no-mining``: by itself it mines some time after a transaction came.
    """

    def __init__(self, node: Anvil) -> None:
        self.node = node

    def send(self, to: bytes | None, data: str, sender: bytes | None = None) -> Any:
        """Send a transaction and return its receipt; raises where it failed."""
        who = DEV_ACCOUNT if sender is None else "0x" + sender.hex()
        fields = {"from": who, "data": data}
        if to is not None:
            fields["to"] = "0x" + to.hex()
        sent = self.node.rpc("eth_sendTransaction", fields)
        self.node.mine()
        receipt = self.node.rpc("eth_getTransactionReceipt", sent)
        assert int(receipt["status"], 16) == 1, receipt
        return receipt

    def call(self, to: bytes, data: str) -> bytes:
        answer = self.node.rpc("eth_call", {"to": "0x" + to.hex(), "data": data}, "latest")
        return bytes.fromhex(answer[2:])

    def as_account(self, account: bytes) -> None:
        """Let this account send transactions without its key."""
        self.node.rpc("anvil_impersonateAccount", "0x" + account.hex())
        self.node.set_natives({account: 10**18})

    def deploy(self, artifact: Path, types: Sequence[str] = (), *arguments: Any) -> bytes:
        initcode = creation_code(artifact)
        receipt = self.send(None, initcode + abi.encode(types, arguments).hex())
        return bytes.fromhex(receipt["contractAddress"][2:])

    def fallback_handler(self) -> bytes:
        return self.deploy(_SAFE / "handler/CompatibilityFallbackHandler.sol" / _HANDLER)

    def transparent_proxy(self, logic: bytes, owner: bytes) -> tuple[bytes, bytes]:
        """Return OpenZeppelin's transparent proxy and the ``ProxyAdmin`` that it creates."""
        types = ("address", "address", "bytes")
        proxy = self.deploy(
            _OPENZEPPELIN / "TransparentUpgradeableProxy.json", types, logic, owner, b""
        )
        slot = hashed(b"eip1967.proxy.admin")
        slot_number = int.from_bytes(slot, "big") - 1
        admin = self.node.rpc("eth_getStorageAt", "0x" + proxy.hex(), hex(slot_number), "latest")
        return proxy, bytes.fromhex(admin[-40:])


_HANDLER = "CompatibilityFallbackHandler.json"


class Safes(Deployer):
    """Makes Safes of version 1.4.1: proxies of one singleton, made by the factory."""

    def __init__(self, node: Anvil) -> None:
        super().__init__(node)
        note("safe-contracts")
        self.singleton = self.deploy(_SAFE / "Safe.sol/Safe.json")
        self.factory = self.deploy(_SAFE / "proxies/SafeProxyFactory.sol/SafeProxyFactory.json")
        self.handler = self.fallback_handler()
        self._made = 0

    def make(self, owners: Sequence[bytes], threshold: int) -> bytes:
        nobody = bytes(20)
        setup = call_data(
            "setup(address[],uint256,address,bytes,address,address,uint256,address)",
            *(owners, threshold, nobody, b"", self.handler, nobody, 0, nobody),
        )
        self._made += 1
        receipt = self.send(
            self.factory,
            call_data(
                "createProxyWithNonce(address,bytes,uint256)",
                *(self.singleton, bytes.fromhex(setup[2:]), self._made),
            ),
        )
        created = hashed(b"ProxyCreation(address,address)").hex()
        (log,) = [log for log in receipt["logs"] if log["topics"][0] == "0x" + created]
        return bytes.fromhex(log["topics"][1][-40:])

    def message_hash(self, safe: bytes, digest: bytes) -> bytes:
        """Return what owners sign for the Safe to stand behind ``digest`` (EIP-712 SafeMessage).

        Spec: https://eips.ethereum.org/EIPS/eip-712
        """
        chain_id = int(self.node.rpc("eth_chainId"), 16)
        domain = abi.encode(
            ["bytes32", "uint256", "address"],
            [hashed(b"EIP712Domain(uint256 chainId,address verifyingContract)"), chain_id, safe],
        )
        message = hashed(b"SafeMessage(bytes message)") + hashed(digest)
        return hashed(b"\x19\x01" + hashed(domain) + hashed(message))

    def signed(self, safe: bytes, digest: bytes, keys: Sequence[PrivateKey]) -> bytes:
        """Return the owners' signatures as the Safe wants them: by ascending address."""
        to_sign = self.message_hash(safe, digest)
        return b"".join(sign(key, to_sign) for key in sorted(keys, key=address_of))


class Pods(Deployer):
    """EigenLayer's EigenPodManager behind its proxy, and pods that it makes behind their beacon."""

    def __init__(self, node: Anvil, owner: bytes) -> None:
        super().__init__(node)
        note("eigenlayer-contracts")
        self.admin = self._deploy("ProxyAdmin")
        nobody = b"\x01".rjust(20, b"\0")
        self.manager = self._deploy(
            "TransparentUpgradeableProxy",
            ("address", "address", "bytes"),
            *(self.admin, self.admin, b""),  # until the manager's own code is there
        )
        self.logic = self._deploy(
            "EigenPod", ("address", "address", "uint64"), nobody, self.manager, 1
        )
        self.beacon = self._deploy("UpgradeableBeacon", ("address",), self.logic)
        code = self._deploy(
            "EigenPodManager", ("address",) * 5, nobody, self.beacon, nobody, nobody, nobody
        )
        begin = call_data("initialize(address,address,uint256)", owner, nobody, 0)
        upgrade = "upgradeAndCall(address,address,bytes)"
        self.send(self.admin, call_data(upgrade, self.manager, code, bytes.fromhex(begin[2:])))

    def make(self, owner: bytes) -> bytes:
        """Let an account make its pod, as anybody may; return the pod."""
        self.as_account(owner)
        self.send(self.manager, call_data("createPod()"), sender=owner)
        return self.named(owner, "ownerToPod(address)")

    def named(self, owner: bytes, function: str) -> bytes:
        """Return what a function of the manager says of an owner's pod."""
        return self.call(self.manager, call_data(function, owner))[-20:]

    def replace_logic(self, logic: bytes) -> None:
        """Put other code behind all pods."""
        self.send(self.beacon, call_data("upgradeTo(address)", logic))

    def _deploy(self, name: str, types: Sequence[str] = (), *arguments: Any) -> bytes:
        artifact = _EIGENLAYER / f"{name}.json"
        if name in EIGENLAYER_CODE:
            code = bytes.fromhex(creation_code(artifact)[2:])[:-_METADATA]
            assert hashlib.sha256(code).hexdigest() == EIGENLAYER_CODE[name], name
        return self.deploy(artifact, types, *arguments)
