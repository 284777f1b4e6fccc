"""Read-only calls of contracts: a transaction that is signed, executed and thrown away.

The node executes a transaction only if its signature verifies, so calls are signed with a key that
everybody may know: it owns nothing, and nothing that it signs is ever sent to the chain. The nonce
is derived from what is signed (RFC 6979) and no block is referred to, so that the same question is
always the same bytes.
Spec: https://docs.aelf.com/ (Web API, ``POST /api/blockChain/executeTransaction``)
Source: AElfProject/AElf protobuf/aelf/core.proto, src/AElf.Types/Types/Transaction.cs,
src/AElf.Kernel.Core/Extensions/TransactionExtensions.cs
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256

from coincurve import PrivateKey

from chains import rest
from chains.adapters.aelf import protobuf
from chains.model import Request

EXECUTE = "/api/blockChain/executeTransaction"
TOKEN_NAME = sha256(b"AElf.ContractNames.Token").digest()
"""Source: AElfProject/AElf src/AElf.Kernel.Token/TokenSmartContractAddressNameProvider.cs"""
_SIGNATURE = 10000
_PUBLIC = PrivateKey(sha256(b"recount reads and never sends").digest())


def address_of(public_key: bytes) -> bytes:
    """Return the account of an uncompressed public key (65 bytes)."""
    return sha256(sha256(public_key).digest()).digest()


def message(account: bytes) -> bytes:
    """Return 32 bytes as the message ``Address`` or ``Hash``."""
    return protobuf.text(1, account)


def signed(key: PrivateKey, contract: bytes, method: str, params: bytes, ref: bytes = b"") -> bytes:
    """Return a signed transaction; ``ref`` are its encoded reference fields (3 and 4)."""
    sender = address_of(key.public_key.format(compressed=False))
    unsigned = (
        protobuf.text(1, message(sender))
        + protobuf.text(2, message(contract))
        + ref
        + protobuf.text(5, method.encode())
        + protobuf.text(6, params)
    )
    signature = key.sign_recoverable(sha256(unsigned).digest(), hasher=None)
    return unsigned + protobuf.text(_SIGNATURE, signature)


def call(contract: bytes, method: str, params: bytes) -> Request:
    """Ask what a method of a contract returns on the best chain."""
    return rest.post(EXECUTE, {"RawTransaction": signed(_PUBLIC, contract, method, params).hex()})


@cache
def token_contract_request(genesis: bytes) -> Request:
    """Ask the genesis contract for the address of the token contract."""
    return call(genesis, "GetContractAddressByName", message(TOKEN_NAME))


def balance_request(contract: bytes, symbol: str, owner: bytes) -> Request:
    """Ask for a balance.

    Source: AElfProject/AElf protobuf/token_contract.proto (GetBalance)
    """
    params = protobuf.text(1, symbol.encode()) + protobuf.text(2, message(owner))
    return call(contract, "GetBalance", params)


def token_request(contract: bytes, symbol: str) -> Request:
    """Ask for what a token is.

    Source: AElfProject/AElf protobuf/token_contract.proto (GetTokenInfo)
    """
    return call(contract, "GetTokenInfo", protobuf.text(1, symbol.encode()))
