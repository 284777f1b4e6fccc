"""Who signed what: whether the signatures of a published row belong to its address.

``judge`` tries the candidate schemes of a row in order and returns what the first that
verifies shows. It returns evidence or raises: ``Refused`` where the row contradicts
itself, ``Unsupported`` where recount has no rule. Nothing passes by default.

A family is a module of this package that has ``SCHEMES`` (what it can judge), ``judge``, and
perhaps ``ALIASES`` (other names of its schemes). It is found by being there: there is no table
to edit. Libraries that are heavy to import belong inside the functions that need them.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from types import ModuleType

import msgspec

from chains.model import Ownership
from chains.signatures.model import (
    NotApplicable,
    Outcome,
    Refused,
    Scheme,
    SignedAddress,
    Unsupported,
)

__all__ = [
    "ALIASES",
    "SCHEMES",
    "Outcome",
    "Ownership",
    "Refused",
    "Scheme",
    "SignedAddress",
    "Unsupported",
    "is_known",
    "judge",
]


def _families() -> tuple[ModuleType, ...]:
    """Import every module of this package that declares schemes, in the order of their names."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    modules = [import_module(f"{__name__}.{name}") for name in names]
    return tuple(module for module in modules if hasattr(module, "SCHEMES"))


_FAMILIES = _families()

SCHEMES: dict[str, Scheme] = {
    scheme.name: scheme for family in _FAMILIES for scheme in family.SCHEMES
}
"""Every scheme that can bind an address, by its stable name."""

ALIASES: dict[str, str] = {
    alias: name for family in _FAMILIES for alias, name in getattr(family, "ALIASES", {}).items()
} | {
    "okx-evm-eip191-keccak32": "okx-evm",
    "okx-evm-owner": "okx-evm",
    "htx-evm: keccak(msg) or EIP-191": "htx-evm",
    "eip191-personal_sign": "eip191",
    "okx-ecdsa-keccak": "okx-ecdsa",
    "okx-utxo-signmessage": "okx-utxo",
    "btc-signmessage": "bitcoin-signmessage",
    "utxo-signmessage": "bitcoin-signmessage",
    "okx-tron-v1/v2": "okx-tron",
    'htx-tron: "\\x19TRON Signed Message:\\n32"+msg or +keccak(msg)': "htx-tron",
    "tip191-v2": "tip191",
    "okx-ed25519-raw": "okx-ed25519",
    "okx-ed25519-raw(base58 sig)": "okx-ed25519",
    "sol-raw-ed25519": "ed25519-raw",
    "substrate-ed25519": "ed25519-raw",
    "okx-beth-bls-pop": "okx-bls",
    "okx-eos-sha256-k1": "okx-eos",
    "okx-starknet-typed-v0": "okx-starknet",
}
"""Other names of the same schemes, accepted wherever a name is."""

KNOWN_UNSUPPORTED = (
    frozenset(
        {
            "adr36",
            "aptos-fullMessage",
            "bip137-on-p2tr(BIP86 key)",
            "bip322",
            "bip322-error",
            "bip322-full",
            "bip322-simple",
            "cfx-personal_sign",
            "cip8/cip30-datasignature",
            "eip712",
            "fil-f3-bls(RO_NUL)",
            "nep413",
            "okx-bls",
            "okx-ecdsa-keccak-pubkey-only",
            "okx-eos",
            "okx-starknet",
            "sep53",
            "sol-offchain-v0",
            "substrate-any",
            "substrate-ecdsa",
            "substrate-ethereum(keccak)",
            "substrate-sr25519",
            "substrate-sr25519-<Bytes>",
            "sui-personal-message",
            "ton-connect-signData-binary",
            "ton-connect-signData-text",
            "ton-proof-v2",
            "ton-safe-sign-magic",
            "utxo-recover-pubkey",
            "xrpl-keypairs-ed25519",
            "xrpl-keypairs-secp256k1",
        }
    )
    - SCHEMES.keys()
    - ALIASES.keys()
)
"""Schemes that recount knows of but cannot check yet."""

_JUDGES: dict[str, Callable[[SignedAddress, str], Outcome]] = {
    scheme.name: family.judge for family in _FAMILIES for scheme in family.SCHEMES
}

_FAMILY_OF = {
    scheme.name: family.__name__.rpartition(".")[2]
    for family in _FAMILIES
    for scheme in family.SCHEMES
}


def is_known(name: str) -> bool:
    """Tell whether a name is that of a scheme, whether or not recount can check it yet."""
    stable = ALIASES.get(name, name)
    return stable in SCHEMES or stable in KNOWN_UNSUPPORTED


def family_of(scheme: str) -> str | None:
    """Return the module of this package that judges a scheme, by its stable name."""
    return _FAMILY_OF.get(scheme)


_TELLING = (
    "below-threshold",
    "wrong-key",
    "wrong-script",
    "missing-script",
    "owner-signature-missing",
    "bad-owner",
    "bad-address",
    "extra-signature",
    "bad-script",
    "weak-key",
    "wrong-signature",
    "high-s",
    "missing-key",
    "bad-key",
    "bad-recovery-id",
    "bad-signature",
    "no-signature",
)
"""Refusals from the most to the least telling: how far the check came before it failed."""


def judge(row: SignedAddress) -> Outcome:
    """Return what the signatures of ``row`` show by the first candidate scheme that verifies.

    Raises ``Unsupported`` where a candidate is not known or cannot be checked and no other
    one verifies, and otherwise the most telling ``Refused``. A candidate that is not for
    this kind of address counts only where all are such. A row without signatures is ``Refused``
    with the code ``no-signature``.
    """
    if not any(row.signatures):
        raise Refused("no-signature", "the row carries no signature")
    if row.owners and not row.owners[-1]:
        row = msgspec.structs.replace(row, owners=_without_empty_end(row.owners))
    refusal: Refused | None = None
    gap: Unsupported | None = None
    foreign: NotApplicable | None = None
    for name in _candidates(row.schemes):
        try:
            return _check(name, row.spec.address)(row, name)
        except Refused as error:
            if refusal is None or _rank(error) < _rank(refusal):
                refusal = error
        except NotApplicable as error:
            foreign = foreign or error
        except Unsupported as error:
            gap = gap or error
        except UnicodeEncodeError:
            raise Refused("malformed-row", "the message is not Unicode text") from None
    raise (
        gap
        or refusal
        or foreign
        or Unsupported("unknown-scheme", "no candidate scheme is named for this row")
    )


def _check(name: str, address: str) -> Callable[[SignedAddress, str], Outcome]:
    """Return what judges addresses of a format by a scheme; raises ``Unsupported`` if nothing."""
    check = _JUDGES.get(name)
    if check is None:
        raise Unsupported("unsupported-scheme", f"the scheme {name!r} is not supported yet")
    if not SCHEMES[name].origin:
        raise Unsupported(
            "unconfirmed-scheme", f"no vector that others made confirms the scheme {name!r}"
        )
    formats = SCHEMES[name].addresses
    if formats and address not in formats:
        meant = ", ".join(sorted(formats))
        raise NotApplicable("unsupported-scheme", f"{name} is for {meant} addresses, not {address}")
    return check


def _without_empty_end(texts: tuple[str, ...]) -> tuple[str, ...]:
    while texts and not texts[-1]:
        texts = texts[:-1]
    return texts


def _rank(refusal: Refused) -> int:
    return _TELLING.index(refusal.code) if refusal.code in _TELLING else len(_TELLING)


@lru_cache(maxsize=1024)
def _candidates(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return stable names; raises ``Unsupported`` for a name that nobody knows."""
    resolved: list[str] = []
    for name in names:
        if not is_known(name):
            raise Unsupported("unknown-scheme", f"recount knows no scheme {name!r}")
        resolved.append(ALIASES.get(name, name))
    return tuple(dict.fromkeys(resolved))
