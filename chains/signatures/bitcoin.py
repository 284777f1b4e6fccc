"""Signed messages of Bitcoin and its relatives: one key, or m of n keys of a script.

A signature is base64 of a header byte, r and s. The header says which key was recovered
and in which form its address was made (BIP-137); wallets do not agree on it, so the
schemes differ in how far they trust it. Signatures of MPC wallets are r, s, v in hex over
OKX's own digest.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import Error as BinasciiError
from binascii import a2b_base64
from collections.abc import Iterator
from functools import lru_cache, partial
from hashlib import sha256

from chains.addresses.bitcoin import (
    P2PKH_HEAD,
    P2PKH_TAIL,
    P2SH_HEAD,
    P2SH_TAIL,
    P2WPKH_HEAD,
    P2WSH_HEAD,
)
from chains.model import ChainSpec, Ownership
from chains.signatures.digests import bitcoin_message, okx_ecdsa
from chains.signatures.model import (
    NotApplicable,
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)
from chains.signatures.rows import Signer, given, judge_row
from chains.signatures.scripts import LARGEST_P2SH_SCRIPT, Multisig, parse_multisig, script_bytes
from chains.signatures.secp256k1 import compressed, hash160, parse_hex_signature, recover

FAMILY = "utxo"
CORE, BIP137, LOOSE, OKX = "bitcoin-signmessage", "bip137", "bip137-loose", "okx-utxo"

MESSAGE_HEADERS = {
    "bip122:000000000019d6689c085ae165831e93": ("Bitcoin",),
    "bip122:000000000000000000651ef99cb9fcbe": ("Bitcoin",),
    "bip122:12a765e31ffd4059bada1e25190f6e98": ("Litecoin",),
    "bip122:1a91e3dace36e2be3bf030a65679fe82": ("Dogecoin",),
    "bip122:00000ffd590b1485b3caadc19b22e637": ("DarkCoin",),
    "bip122:00040fe8ec8471911baa1db1266ea15d": ("Zcash",),
}
"""Header words by chain, where ``address_params.message_header`` gives none.

Spec: https://github.com/okx/proof-of-reserves (common/coin.go at 2962a89)
"""

_MPC_RECOVERY_IDS = {27: 0, 28: 1, 31: 0, 32: 1}
"""OKX's checker also takes v + 4 (common/utxo.go at 2962a89)."""
SIGNATURE_LENGTH = 65
_NESTED_PROGRAM = re.compile(r"(0x)?0014[0-9a-fA-F]{40}\Z")
_NO_HEADER = 0
"""Stands for the header of MPC signatures, which do not say how the key is serialised."""
FIRST_HEADER, FIRST_SHORT, FIRST_NESTED, _FIRST_WITNESS, _END = 27, 31, 35, 39, 43
_LONG, _SHORT, _NESTED, _WITNESS = "p2pkh-uncompressed", "p2pkh", "p2sh-p2wpkh", "p2wpkh"

SCHEMES = (
    Scheme(
        name=OKX,
        family=FAMILY,
        origin="okx/proof-of-reserves:common/crypto_test.go@2962a89",
        description="OKX: signmessage under the coin's header, for keys and multisig scripts.",
    ),
    Scheme(
        name=CORE,
        family=FAMILY,
        origin="bitcoinj/bitcoinj:core/src/test/java/org/bitcoinj/crypto/utils/MessageVerifyUtilsTest.java",
        description="Bitcoin Core's signmessage: P2PKH, the header's key form must fit.",
    ),
    Scheme(
        name=BIP137,
        family=FAMILY,
        origin="trezor/trezor-firmware:tests/device_tests/bitcoin/test_verifymessage.py",
        description="BIP-137; headers 31 to 34 also for segwit, as Electrum writes them.",
    ),
    Scheme(
        name=LOOSE,
        family=FAMILY,
        origin="bitcoinj/bitcoinj:core/src/test/java/org/bitcoinj/crypto/utils/MessageVerifyUtilsTest.java",
        description="The key counts for any single-key address type, whatever the header says.",
    ),
)


def judge(row: SignedAddress, scheme: str) -> Outcome:
    """Judge a row of a Bitcoin-like chain by one of these schemes."""
    if row.spec.address != "bitcoin":
        raise Unsupported(
            "unsupported-scheme", f"{scheme} has no rule for {row.spec.address!r} addresses"
        )
    if row.owners:
        return judge_row(row, scheme, _SIGNED[scheme])
    is_p2wsh, is_p2sh = row.account[:2] == P2WSH_HEAD, _is_p2sh(row.account)
    if row.script and (is_p2wsh or is_p2sh) and not _is_nested_program(row.script):
        return _judge_script(row, scheme)
    if is_p2wsh:
        raise Refused("missing-script", "a P2WSH address needs its witness script")
    try:
        return judge_row(row, scheme, _SIGNED[scheme])
    except Refused as refusal:
        if is_p2sh and scheme == OKX and refusal.code == "wrong-key":
            raise Refused("missing-script", "a P2SH address needs its redeem script") from None
        raise


def _judge_script(row: SignedAddress, scheme: str) -> Outcome:
    """Count the distinct keys of the script that signed; every signature must be by one."""
    script = script_bytes(row.script)
    multisig = parse_multisig(script)
    if not _script_hashes_to(script, row):
        raise Refused("wrong-script", "the script does not hash to the address")
    signers: dict[bytes, None] = {}
    detail = ""
    for signature in given(row.signatures):
        signer, detail = _script_key(row, signature, scheme, multisig)
        signers[signer] = None
    if len(signers) < multisig.threshold:
        raise Refused(
            "below-threshold",
            f"{len(signers)} of the script's keys signed, it demands {multisig.threshold}",
        )
    return Outcome(
        status=Ownership.BOUND,
        reason="script-keys-signed",
        scheme=scheme,
        keys=tuple(signers),
        detail=detail,
    )


def _script_key(
    row: SignedAddress, signature: str, scheme: str, multisig: Multisig
) -> tuple[bytes, str]:
    """Return the key of the script, in compressed form, that made this signature.

    The header must name the form in which the script holds the key, save where the
    scheme does not trust headers.
    """
    for key, header, detail in _recovered(row, signature, scheme):
        forms = _admitted(header, scheme)
        signer = multisig.keys.get(compressed(key)) if _SHORT in forms else None
        if signer is None and _LONG in forms:
            signer = multisig.keys.get(key)
        if signer is not None:
            return signer, detail
    raise Refused("wrong-key", "a signature is by a key that is not in the script")


def _script_hashes_to(script: bytes, row: SignedAddress) -> bool:
    """Tell whether the account is P2WSH, P2SH or P2SH-P2WSH of this script."""
    program = P2WSH_HEAD + sha256(script).digest()
    if row.account == program:
        return True
    if has_segwit(row.spec) and row.account == P2SH_HEAD + hash160(program) + P2SH_TAIL:
        return True
    is_short = len(script) <= LARGEST_P2SH_SCRIPT
    return is_short and row.account == P2SH_HEAD + hash160(script) + P2SH_TAIL


def has_segwit(spec: ChainSpec) -> bool:
    """Tell whether the chain knows witness programs: elsewhere anyone could spend them."""
    return bool(spec.address_params.get("hrp"))


def _signed(row: SignedAddress, signature: str, account: bytes, *, scheme: str) -> Signer:
    """Check one signature against the address of one key."""
    if scheme == CORE and not _is_p2pkh(account):
        raise NotApplicable("unsupported-address-type", "signmessage knows P2PKH addresses only")
    if not (_is_p2pkh(account) or _is_p2wpkh(account) or _is_p2sh(account)):
        if scheme == BIP137:
            raise NotApplicable("unsupported-address-type", "BIP-137 ends before taproot")
        raise Unsupported("unsupported-address-type", "no rule for signatures of this type yet")
    for key, header, detail in _recovered(row, signature, scheme):
        serialised = _serialised(row, key, account, _admitted(header, scheme))
        if serialised is not None:
            return Signer(serialised, detail or _looseness(header, account))
    raise Refused("wrong-key", "the key that signed this text is not the one of the address")


def _serialised(
    row: SignedAddress, key: bytes, account: bytes, forms: frozenset[str]
) -> bytes | None:
    """Return the key in the form from which the account derives, if that is one of ``forms``."""
    short = compressed(key)
    if _is_p2pkh(account):
        digest = account[3:-2]
        if _SHORT in forms and hash160(short) == digest:
            return short
        return key if _LONG in forms and hash160(key) == digest else None
    if not has_segwit(row.spec):
        return None
    witness = P2WPKH_HEAD + hash160(short)
    if _is_p2wpkh(account):
        return short if _WITNESS in forms and account == witness else None
    nested = P2SH_HEAD + hash160(witness) + P2SH_TAIL
    return short if _NESTED in forms and account == nested else None


@lru_cache(maxsize=1024)
def _admitted(header: int, scheme: str) -> frozenset[str]:
    """Return the address forms that a header byte admits under this scheme.

    Spec: https://github.com/bitcoin/bips/blob/master/bip-0137.mediawiki
    """
    if header == _NO_HEADER:
        return frozenset((_LONG, _SHORT, _NESTED, _WITNESS))
    is_short = header >= FIRST_SHORT
    if scheme == LOOSE:
        return frozenset((_SHORT if is_short else _LONG, _NESTED, _WITNESS))
    if not is_short:
        return frozenset((_LONG,))
    if header < FIRST_NESTED:
        return frozenset((_SHORT, _NESTED, _WITNESS))
    return frozenset((_NESTED if header < _FIRST_WITNESS else _WITNESS,))


def _recovered(row: SignedAddress, signature: str, scheme: str) -> Iterator[tuple[bytes, int, str]]:
    """Yield the key recovered under each header word: key, header byte, variant."""
    if scheme == OKX and signature.startswith("0x"):
        raw = parse_hex_signature(signature, _MPC_RECOVERY_IDS, low_s=False)
        yield recover(okx_ecdsa(row.message), raw), _NO_HEADER, "mpc"
        return
    end = FIRST_NESTED if scheme in (CORE, OKX) else _END
    header, body = _parse_base64(signature, end)
    raw = body + bytes(((header - FIRST_HEADER) & 3,))
    words = header_words(row.spec)
    for word in words:
        key = recover(bitcoin_message(word, row.message), raw)
        yield key, header, f"header {word}" if len(words) > 1 else ""


def _parse_base64(text: str, end: int) -> tuple[int, bytes]:
    """Return header byte and r ‖ s of an exact base64 text of 65 bytes."""
    try:
        raw = a2b_base64(text, strict_mode=True)
    except (BinasciiError, ValueError):
        raise Refused("bad-signature", "the signature is not base64") from None
    if len(raw) != SIGNATURE_LENGTH or b64encode(raw).decode() != text:
        raise Refused("bad-signature", "expected exact base64 of 65 bytes")
    if not FIRST_HEADER <= raw[0] < end:
        raise Refused("bad-recovery-id", f"header {raw[0]}, expected 27 to {end - 1}")
    return raw[0], raw[1:]


def header_words(spec: ChainSpec) -> tuple[str, ...]:
    """Return the words that may head a message; raises ``Unsupported`` where none are known."""
    words = spec.address_params.get("message_header")
    if words is None:
        words = MESSAGE_HEADERS.get(spec.id)
    if words is None:
        raise Unsupported("unsupported-scheme", "no message header is configured for this chain")
    return (words,) if isinstance(words, str) else tuple(words)


def _looseness(header: int, account: bytes) -> str:
    """Return ``loose`` where the header names another address type than the one matched."""
    if header < FIRST_NESTED:
        fits = _is_p2pkh(account)
    else:
        fits = _is_p2sh(account) if header < _FIRST_WITNESS else _is_p2wpkh(account)
    return "" if fits else "loose"


def _is_nested_program(script: str) -> bool:
    """Tell whether the script column holds a P2WPKH program: then one key is behind it."""
    return _NESTED_PROGRAM.match(script) is not None


def _is_p2pkh(account: bytes) -> bool:
    return account[:3] == P2PKH_HEAD and account[-2:] == P2PKH_TAIL and len(account) == 25  # noqa: PLR2004


def _is_p2sh(account: bytes) -> bool:
    return account[:2] == P2SH_HEAD and account[-1:] == P2SH_TAIL and len(account) == 23  # noqa: PLR2004


def _is_p2wpkh(account: bytes) -> bool:
    return account[:2] == P2WPKH_HEAD and len(account) == 22  # noqa: PLR2004


_SIGNED = {scheme.name: partial(_signed, scheme=scheme.name) for scheme in SCHEMES}
