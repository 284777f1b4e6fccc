"""Signatures of EVM accounts: r, s, v in hex, and the account recovered from them.

s must be in the lower half (EIP-2) and v 27 or 28; schemes of publishers known to write
0 and 1 accept these too. The account is the end of the Keccak-256 of the key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from chains.addresses import AddressError, decode, encode
from chains.addresses.filecoin import ETHEREUM
from chains.model import AssetId, ChainId, ChainSpec
from chains.signatures.digests import bare_keccak, okx_evm, personal_sign
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress, Unsupported
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import (
    ELECTRUM,
    PLAIN_OR_ELECTRUM,
    keccak_account,
    parse_hex_signature,
    recover,
)

FAMILY = "evm"
_OWNERS_OF_VALIDATORS = ChainSpec(
    id=ChainId("eip155:1"),
    name="Ethereum",
    adapter="none",
    address="evm",
    native=AssetId("eip155:1/slip44:60"),
)
"""Validators live beside the chain on which their owners have accounts."""


class Variant(msgspec.Struct, frozen=True):
    """One scheme: its digests by name, and the values of v that it writes."""

    digests: tuple[tuple[str, Callable[[str], bytes]], ...]
    recovery_ids: Mapping[int, int]


VARIANTS = {
    "okx-evm": Variant((("", okx_evm),), ELECTRUM),
    "eip191": Variant((("", personal_sign),), ELECTRUM),
    "htx-evm": Variant(
        (("keccak", bare_keccak), ("personal-sign", personal_sign)), PLAIN_OR_ELECTRUM
    ),
}

SCHEMES = (
    Scheme(
        name="okx-evm",
        family=FAMILY,
        origin="okx/proof-of-reserves:common/crypto_test.go@2962a89",
        description="OKX: EIP-191 over the 32-byte Keccak of the text.",
    ),
    Scheme(
        name="eip191",
        family=FAMILY,
        origin="trezor/trezor-firmware:common/tests/fixtures/ethereum/signmessage.json@dd7afbc3df",
        description="personal_sign: EIP-191 over the text.",
    ),
    Scheme(
        name="htx-evm",
        family=FAMILY,
        origin="huobiapi/Tool-Node.js-VerifyAddress:snapshot/huobi_por*.csv",
        description="HTX: Keccak of the text or personal_sign; v from 0 or from 27.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of an EVM chain, or of a validator for which EVM owners sign."""
    if row.owners and row.spec.address == "bls" and scheme == "okx-evm":
        return _judge_validator(msgspec.structs.replace(row, spec=_OWNERS_OF_VALIDATORS), scheme)
    if not _has_evm_accounts(row.spec):
        raise Unsupported(
            "unsupported-scheme", f"{scheme} has no rule for {row.spec.address!r} addresses yet"
        )
    return judge_row(row, scheme, _SIGNED[scheme])


def _judge_validator(row: SignedAddress, scheme: str) -> Outcome:
    """Judge the owners of a validator; the second may be an EigenPod, which cannot sign.

    Then the chain must show that the first controls the validator through it, and through it
    only: ``Outcome.silent``.
    """
    owners = tuple(filter(None, row.owners))
    if len(owners) != 2 or any(row.signatures[1:]):  # noqa: PLR2004 - owner and pod
        return judge_row(row, scheme, _SIGNED[scheme])
    try:
        first, pod = (decode(row.spec, text) for text in owners)
    except AddressError as error:
        raise Refused("bad-owner", f"an owner does not decode: {error}") from None
    if first == pod:
        raise Refused("bad-owner", f"the owner {owners[1]!r} is named twice")
    one = msgspec.structs.replace(row, owners=owners[:1])
    outcome = judge_row(one, scheme, _SIGNED[scheme])
    return msgspec.structs.replace(outcome, silent=(encode(row.spec, pod),))


def _has_evm_accounts(spec: ChainSpec) -> bool:
    """Tell whether accounts of the chain are hashed from keys as Ethereum does.

    Beside EVM chains these are the bech32 chains that say so (Harmony, Injective), Flow, and
    the ``f410`` addresses of Filecoin; its others never equal 20 bytes of a Keccak.
    """
    if spec.address == "cosmos":
        return spec.address_params.get("key") == "keccak"
    return spec.address in {"evm", "flow", "filecoin"}


def _signed(row: SignedAddress, signature: str, account: bytes, *, variant: Variant) -> Signer:
    raw = parse_hex_signature(signature, variant.recovery_ids, low_s=True)
    ethereum = account.removeprefix(ETHEREUM) if row.spec.address == "filecoin" else account
    for detail, digest in variant.digests:
        key = recover(digest(row.message), raw)
        if keccak_account(key) == ethereum:
            return Signer(key, detail)
    raise Refused("wrong-key", "the key that signed this text is of another account")


_SIGNED = {name: partial(_signed, variant=variant) for name, variant in VARIANTS.items()}
