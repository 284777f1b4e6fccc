"""Rows of EVM chains whose account's own key signed once."""

from __future__ import annotations

from collections.abc import Iterable

from chains.signatures.evm import VARIANTS
from chains.signatures.lanes.keccak import by_keccak_accounts
from chains.signatures.lanes.model import Settled, SignedAddresses
from chains.signatures.secp256k1 import HALF_ORDER


def settle(rows: SignedAddresses, scheme: str) -> Iterable[Settled]:
    """Settle rows with addresses of 20 bytes in hex."""
    if rows.spec.address != "evm":
        return ()
    variant = VARIANTS[scheme]
    return by_keccak_accounts(rows, variant.digests, variant.recovery_ids, HALF_ORDER)
