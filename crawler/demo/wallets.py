"""How accounts of the demo's further networks are made, and how they sign."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from chains.signatures.ton_wallets import accounts as ton_accounts
from crawler.demo import keys

if TYPE_CHECKING:
    from crawler.demo.networks import Network


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


def evm_wallet(network: Network, number: int, *, sign: bool) -> Wallet:
    """Make an EVM address."""
    # Lists show the same address on several networks: every third one is also one of Ethereum's.
    shared = ("evm", number) if number % 3 == 0 else (network.label, number)
    key = keys.secp256k1_key(*shared)
    return Wallet(account=keys.evm_address(key), signatures=(keys.sign_evm(key),) if sign else ())


def coin_wallet(network: Network, number: int, *, sign: bool) -> Wallet:
    """Make a P2PKH address."""
    key = keys.secp256k1_key(network.label, number)
    params = network.spec.address_params
    script = b"\x76\xa9\x14" + keys.hash160(keys.compressed(key)) + b"\x88\xac"
    header = str(params["message_header"])
    return Wallet(account=script, signatures=(keys.sign_bitcoin(key, header),) if sign else ())


def ed25519_wallets(account: Callable[[bytes], bytes]) -> Wallets:
    """Return what makes the accounts of Ed25519 keys."""

    def wallet(network: Network, number: int, *, sign: bool) -> Wallet:
        key = keys.ed25519_key(network.label, number)
        public = bytes(key.verify_key)
        return Wallet(
            account=account(public),
            signatures=(keys.sign_ed25519(key),) if sign else (),
            key="0x" + public.hex(),
        )

    return wallet


def secp256k1_wallets(account: Callable[[bytes], bytes]) -> Wallets:
    """Return what makes the accounts of secp256k1 keys, as OKX lets them sign."""

    def wallet(network: Network, number: int, *, sign: bool) -> Wallet:
        key = keys.secp256k1_key(network.label, number)
        public = key.public_key.format(compressed=False)
        return Wallet(account=account(public), signatures=(keys.sign_okx(key),) if sign else ())

    return wallet


def key_itself(public: bytes) -> bytes:
    """Return the key, which is the account."""
    return public


def aptos_account(public: bytes) -> bytes:
    """Derive the account of a single key."""
    return hashlib.sha3_256(public + b"\0").digest()


def sui_account(public: bytes) -> bytes:
    """Derive the account of an Ed25519 key."""
    return hashlib.blake2b(b"\0" + public, digest_size=32).digest()


def near_account(public: bytes) -> bytes:
    """Derive the implicit account."""
    return public.hex().encode()


def ton_account(public: bytes) -> bytes:
    """Derive the account of the first of the standard wallets."""
    return next(iter(ton_accounts(public)))


def filecoin_account(public: bytes) -> bytes:
    """Derive an f1 account."""
    return b"\x01" + hashlib.blake2b(public, digest_size=20).digest()


def aelf_account(public: bytes) -> bytes:
    """Derive the account: SHA-256 twice."""
    return hashlib.sha256(hashlib.sha256(public).digest()).digest()


def xrpl_account(public: bytes) -> bytes:
    """Derive the account of a master key."""
    return keys.hash160(bytes([2 + public[64] % 2]) + public[1:33])


def unsigned_wallets(account: Callable[[int], bytes]) -> Wallets:
    """Return what makes accounts for which lists publish no signature."""

    def wallet(network: Network, number: int, *, sign: bool) -> Wallet:
        del network, sign
        return Wallet(account=account(number))

    return wallet


def antelope_account(number: int) -> bytes:
    """Return a name."""
    from chains.addresses import antelope  # noqa: PLC0415 - each family where it is needed

    digits = "12345abcdefghijk"
    name = "demo" + "".join(digits[number >> shift & 15] for shift in range(20, -1, -4))
    return antelope.decode(name, {})


def hedera_account(number: int) -> bytes:
    """Return a numbered account."""
    from chains.addresses import hedera  # noqa: PLC0415

    return hedera.decode(f"0.0.{10_000 + number}", {})


def starknet_account(number: int) -> bytes:
    """Return an account of 32 bytes."""
    return b"\0" + keys.seed("starknet", number)[:31]


def validator_account(number: int) -> bytes:
    """Return a public key of 48 bytes."""
    return keys.seed("validator", number) + keys.seed("validator, again", number)[:16]
