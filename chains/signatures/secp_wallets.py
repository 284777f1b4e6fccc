"""What the wallets of secp256k1 chains produce: Conflux, Filecoin, Cosmos, Stacks, Substrate.

Each scheme has its own digest and its own order of r, s and v. The key is recovered, or
stands in the row where the signature has no recovery id (Cosmos), and the address format
says what it must derive.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from hashlib import blake2b, sha256

import msgspec

from chains.addresses import encode
from chains.signatures.digests import bare_keccak, compact_size
from chains.signatures.model import Outcome, Refused, Scheme, SignedAddress, Unsupported
from chains.signatures.rows import Signer, judge_row
from chains.signatures.secp256k1 import (
    PLAIN_OR_ELECTRUM,
    keccak256,
    parse_hex_signature,
    recover,
)
from chains.signatures.secp_accounts import link, link_one_of

FAMILY = "secp256k1-wallets"
PLAIN = {0: 0, 1: 1}
_CONFLUX = b"\x19Conflux Signed Message:\n"
_FILECOIN = b"\x19Filecoin Signed Message:\n"
_STACKS = b"\x17Stacks Signed Message:\n"
_STACKS_FIRST = b"\x18Stacks Message Signing:\n"
_LOTUS_TYPE, _LOTUS_DIGITS = "01", 132
_COMPACT = 64
_NOT_COSMOS = frozenset({"prefix", "key"})
"""Parameters of bech32 chains whose wallets hash in other ways, or do not know ADR-036."""
_REMEMBERED = 64

SCHEMES = (
    Scheme(
        name="cfx-personal-sign",
        family=FAMILY,
        addresses=frozenset({"conflux"}),
        origin="Conflux-Chain/js-conflux-sdk:test/personalMessage.test.js",
        description="Conflux wallets (CIP-23): Keccak of header, length and text.",
    ),
    Scheme(
        name="fil-f1",
        family=FAMILY,
        addresses=frozenset({"filecoin"}),
        origin="Consensys/web3signer:signing/src/test/java/tech/pegasys/web3signer/signing/"
        "FcSecpArtifactSignerTest.java@2fc711ac; "
        "hugomrdias/filecoin:packages/iso-filecoin/test/wallet.test.js@3508d54c",
        description="Lotus: BLAKE2b-256 of the bytes of the text, by the key of an f1 address.",
    ),
    Scheme(
        name="fil-frc102",
        family=FAMILY,
        addresses=frozenset({"filecoin"}),
        origin="filecoin-project/lotus:cli/wallet_test.go (envelope); for the signature see fil-f1",
        description="Filecoin wallets (FRC-0102): header, length and text, signed as fil-f1.",
    ),
    Scheme(
        name="adr36",
        family=FAMILY,
        addresses=frozenset({"cosmos"}),
        origin="near/intents:crates/signatures/adr36/src/lib.rs; "
        "cybercongress/cw-cybergift:contracts/cw-cyber-airdrop/testdata/cw-cybergift-data.md",
        description="Cosmos wallets (ADR-036): SHA-256 of an amino document around the text.",
    ),
    Scheme(
        name="stacks-message",
        family=FAMILY,
        addresses=frozenset({"stacks"}),
        origin="hirosystems/stacks.js:packages/encryption/tests/messageSignature.test.ts; "
        "fungible-systems/micro-stacks:packages/core/src/connect/message-signing/verify.test.ts",
        description="Stacks wallets: SHA-256 of header, length and text; also the first header.",
    ),
    Scheme(
        name="substrate-ecdsa",
        family=FAMILY,
        addresses=frozenset({"ss58"}),
        origin="polkadot-js/common:packages/util-crypto/src/signature/verify.spec.ts",
        description="Substrate: BLAKE2b-256 of the text, as it is or in <Bytes>.",
    ),
    Scheme(
        name="substrate-ethereum",
        family=FAMILY,
        addresses=frozenset({"evm"}),
        origin="polkadot-js/common:packages/util-crypto/src/signature/verify.spec.ts",
        description="Substrate with Ethereum accounts: Keccak of the text, or in <Bytes>.",
    ),
)
ALIASES = {
    "cfx-personal_sign": "cfx-personal-sign",
    "substrate-ethereum(keccak)": "substrate-ethereum",
}


@lru_cache(maxsize=_REMEMBERED)
def conflux_message(text: str) -> bytes:
    """Return the digest of Conflux's personal_sign.

    Spec: https://github.com/Conflux-Chain/CIPs/blob/master/CIPs/cip-23.md
    """
    body = text.encode()
    return keccak256(_CONFLUX + str(len(body)).encode() + body)


@lru_cache(maxsize=_REMEMBERED)
def filecoin_message(text: str) -> bytes:
    """Return what a secp256k1 key of Lotus signs.

    Spec: https://github.com/filecoin-project/lotus (lib/sigs/secp/init.go)
    """
    return blake2b(text.encode(), digest_size=32).digest()


@lru_cache(maxsize=_REMEMBERED)
def filecoin_envelope(text: str) -> bytes:
    """Return what stands for a text in a wallet's personal message.

    Spec: https://github.com/filecoin-project/FIPs/blob/master/FRCs/frc-0102.md
    """
    body = text.encode()
    return _FILECOIN + str(len(body)).encode() + body


@lru_cache(maxsize=_REMEMBERED)
def filecoin_personal_message(text: str) -> bytes:
    """Return what a secp256k1 key signs for a wallet's personal message."""
    return blake2b(filecoin_envelope(text), digest_size=32).digest()


@lru_cache(maxsize=_REMEMBERED)
def stacks_message(text: str) -> bytes:
    """Return the digest of a Stacks wallet's message.

    Spec: https://github.com/hirosystems/stacks.js (packages/encryption/src/messageSignature.ts)
    """
    body = text.encode()
    return sha256(_STACKS + compact_size(len(body)) + body).digest()


@lru_cache(maxsize=_REMEMBERED)
def substrate_hash(text: str) -> bytes:
    """Return what an ECDSA key of Substrate signs.

    Spec: https://docs.rs/sp-core (ecdsa::Pair::sign)
    """
    return blake2b(text.encode(), digest_size=32).digest()


@lru_cache(maxsize=_REMEMBERED)
def stacks_first_message(text: str) -> bytes:
    """Return the digest of the first Stacks wallets, under another header."""
    body = text.encode()
    return sha256(_STACKS_FIRST + compact_size(len(body)) + body).digest()


def in_bytes(text: str) -> str:
    """Return the text as extensions wrap it, so that it cannot be a transaction."""
    return f"<Bytes>{text}</Bytes>"


def adr36_document(text: str, signer: str) -> bytes:
    """Return the sorted amino JSON that a Cosmos wallet signs for ``signer``.

    Amino writes ``&``, ``<`` and ``>`` as escapes; none can occur in base64 or bech32.
    Spec: https://github.com/cosmos/cosmos-sdk/blob/main/docs/architecture/adr-036-arbitrary-signature.md
    """
    return msgspec.json.encode(
        {
            "account_number": "0",
            "chain_id": "",
            "fee": {"amount": [], "gas": "0"},
            "memo": "",
            "msgs": [
                {
                    "type": "sign/MsgSignData",
                    "value": {"data": b64encode(text.encode()).decode(), "signer": signer},
                }
            ],
            "sequence": "0",
        }
    )


class Reading(msgspec.Struct, frozen=True):
    """One way to read a row: its name, how the signature is written and what was hashed."""

    detail: str
    parse: Callable[[str], bytes]
    digest: Callable[[str], bytes]


def _parse_vrs(text: str) -> bytes:
    """Read v ‖ r ‖ s, as the first Stacks wallets wrote it."""
    digits = text.removeprefix("0x")
    return parse_hex_signature(digits[2:] + digits[:2], PLAIN, low_s=True)


def _parse_lotus(text: str) -> bytes:
    """Read r ‖ s ‖ v in hex, perhaps behind Lotus's type byte 01, or in base64."""
    digits = text.removeprefix("0x")
    if len(digits) == _LOTUS_DIGITS and digits.startswith(_LOTUS_TYPE):
        digits = digits[2:]
    elif text.endswith("="):
        digits = exact_base64(text).hex()
    return parse_hex_signature(digits, PLAIN, low_s=False)


def _parse_cosmos(text: str) -> tuple[bytes, tuple[int, ...]]:
    """Return r ‖ s and the recovery ids that are possible.

    Reads r ‖ s in base64 or hex, or r ‖ s ‖ v in hex. The chain refuses a high s.
    """
    digits = text.removeprefix("0x")
    if text.endswith("="):
        body = exact_base64(text)
        if len(body) != _COMPACT:
            raise Refused("bad-signature", "in base64 a signature is r and s, 64 bytes")
        digits = body.hex()
    known = len(digits) != 2 * _COMPACT
    raw = parse_hex_signature(digits if known else digits + "00", PLAIN_OR_ELECTRUM, low_s=True)
    return raw[:_COMPACT], (raw[_COMPACT],) if known else (0, 1)


def exact_base64(text: str) -> bytes:
    """Return the bytes of a signature in base64; raises ``Refused`` unless it is exact."""
    try:
        raw = b64decode(text, validate=True)
    except (ValueError, BinasciiError):
        raise Refused("bad-signature", "the signature is not base64") from None
    if b64encode(raw).decode() != text:
        raise Refused("bad-signature", "the base64 of the signature is not exact")
    return raw


_RSV = partial(parse_hex_signature, recovery_ids=PLAIN_OR_ELECTRUM, low_s=True)
_RSV_ANY_S = partial(parse_hex_signature, recovery_ids=PLAIN_OR_ELECTRUM, low_s=False)

READINGS: Mapping[str, tuple[Reading, ...]] = {
    "cfx-personal-sign": (Reading("", _RSV, conflux_message),),
    "fil-f1": (Reading("", _parse_lotus, filecoin_message),),
    "fil-frc102": (Reading("", _parse_lotus, filecoin_personal_message),),
    "stacks-message": (
        Reading("", _RSV, stacks_message),
        Reading("first-header", _RSV, stacks_first_message),
        Reading("first-header-vrs", _parse_vrs, stacks_first_message),
    ),
    "substrate-ecdsa": (
        Reading("", _RSV_ANY_S, substrate_hash),
        Reading("bytes", _RSV_ANY_S, lambda text: substrate_hash(in_bytes(text))),
    ),
    "substrate-ethereum": (
        Reading("", _RSV_ANY_S, bare_keccak),
        Reading("bytes", _RSV_ANY_S, lambda text: bare_keccak(in_bytes(text))),
    ),
}
"""By scheme, in the order in which they are tried. ADR-036 signs another text for each address."""


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row signed by the wallet of its own chain."""
    if scheme in READINGS:
        return judge_row(row, scheme, partial(_signed, readings=READINGS[scheme]))
    if row.spec.address_params.keys() & _NOT_COSMOS:
        raise Unsupported("unconfirmed-scheme", "no vector shows how this chain's wallets sign")
    return judge_row(row, scheme, _adr36)


def _signed(
    row: SignedAddress, signature: str, account: bytes, *, readings: tuple[Reading, ...]
) -> Signer:
    refusal: Refused | None = None
    for reading in readings:
        try:
            raw = reading.parse(signature)
            signer = link(row, recover(reading.digest(row.message), raw), account)
        except Refused as error:
            refusal = refusal or error
            continue
        return msgspec.structs.replace(signer, detail=signer.detail or reading.detail)
    raise refusal or Refused("wrong-signature", "no reading of this scheme")


def _adr36(row: SignedAddress, signature: str, account: bytes) -> Signer:
    body, recovery_ids = _parse_cosmos(signature)
    digest = sha256(adr36_document(row.message, encode(row.spec, account))).digest()
    return link_one_of(row, digest, body, recovery_ids, account)
