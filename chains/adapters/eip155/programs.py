"""The batch programs: a few bytes of EVM code that read thousands of balances in one call.

Each program answers words of 32 bytes: chain id, block number and hash of the parent block,
then one balance per account in the order asked. With these three words an answer names its
own block, so that it can be checked against the pinned one without trusting the node's word.
Only opcodes from before Shanghai are used (no PUSH0), and no ABI.

Our own work; see docs/adr for how they were tested. ``2**256 - 1`` in an ERC-20 answer marks
a holder whose call failed, hit an address without code, or returned fewer than 32 bytes:
that is *unknown*, never zero.
"""

from __future__ import annotations

from binascii import hexlify
from collections.abc import Iterable

from chains.model import Request
from chains.packed import Packed

NATIVE = bytes.fromhex(
    "46600052436020526001430340604052606060005b3681101561003157803560601c31825260140190602001"
    "90610014565b506000f3"
)
"""Placed by a state override; calldata: packed 20-byte accounts."""
ERC20 = bytes.fromhex(
    "6370a0823160e01b6000524660605243608052600143034060a05260003560601c60c060145b368110156100"
    "5b57803560601c60045260208260246000865afa601f3d111661004e5760001982525b601401906020019061"
    "0025565b50606090036060f3"
)
"""Placed by a state override; calldata: token ++ packed holders."""
NATIVE_INIT = bytes.fromhex(
    "610049380380610049600039468152438160200152600143034081604001528060600160005b828110156100"
    "4257805160601c3182526014019060200190610025565b5081900390f3"
)
"""Initcode of a call without ``to``; followed by packed accounts."""
ERC20_INIT = bytes.fromhex(
    "6370a0823160e01b600052610078380380610078604039604001468152438160200152600143034081604001"
    "5260405160601c8160600160545b8381101561006f57805160601c60045260208260246000865afa601f3d11"
    "166100625760001982525b6014019060200190610039565b50905081900390f3"
)
"""Initcode of a call without ``to``; followed by token ++ packed holders."""

HEADER_WORDS = 3
MARK = 2**256 - 1
DEPLOYLESS_MOST = 765
"""Balances per deployless call: returned code is at most 24,576 bytes.

Spec: https://eips.ethereum.org/EIPS/eip-170
"""
OVERRIDE_AT = "0x7265636f756e74000000000000000000000cafe0"
"""Where the code is placed: an address without state on any chain, and no precompile."""


def block_object(block_hash: str) -> bytes:
    """Return the block parameter that names a block by hash and insists on the canonical one.

    Spec: https://eips.ethereum.org/EIPS/eip-1898
    """
    return b'{"blockHash":"' + block_hash.encode() + b'","requireCanonical":true}'


def override_call(
    token: bytes | None, accounts: Iterable[bytes], block_hash: str, gas: int
) -> Request:
    """Build an ``eth_call`` that places the program by a code override.

    Spec: https://geth.ethereum.org/docs/interacting-with-geth/rpc/ns-eth#eth-call
    """
    code, first = (NATIVE, b"") if token is None else (ERC20, token)
    return Request(
        body=b"".join(
            (
                b'{"jsonrpc":"2.0","id":0,"method":"eth_call","params":[{"to":"',
                OVERRIDE_AT.encode(),
                b'","gas":"0x%x","data":"0x' % gas,
                hexlify(first + Packed.of(accounts).joined),
                b'"},',
                block_object(block_hash),
                b',{"',
                OVERRIDE_AT.encode(),
                b'":{"code":"0x',
                hexlify(code),
                b'"}}]}',
            )
        )
    )


def deployless_call(
    token: bytes | None, accounts: Iterable[bytes], block_hash: str, gas: int
) -> Request:
    """Build an ``eth_call`` without ``to`` whose initcode returns the answers.

    Spec: https://ethereum.github.io/execution-apis/
    """
    code, first = (NATIVE_INIT, b"") if token is None else (ERC20_INIT, token)
    return Request(
        body=b"".join(
            (
                b'{"jsonrpc":"2.0","id":0,"method":"eth_call","params":[{"gas":"0x%x",' % gas,
                b'"data":"0x',
                hexlify(code + first + Packed.of(accounts).joined),
                b'"},',
                block_object(block_hash),
                b"]}",
            )
        )
    )
