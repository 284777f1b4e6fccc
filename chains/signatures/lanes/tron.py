"""Rows of TRON whose account's own key signed once."""

from __future__ import annotations

from collections.abc import Iterable

from chains.signatures.lanes.keccak import by_keccak_accounts
from chains.signatures.lanes.model import Settled, SignedAddresses
from chains.signatures.tron import VARIANTS


def settle(rows: SignedAddresses, scheme: str) -> Iterable[Settled]:
    """Settle rows with ``T…`` addresses; s may be high, as for the judge."""
    if rows.spec.address != "tron":
        return ()
    variant = VARIANTS[scheme]
    return by_keccak_accounts(rows, variant.digests, variant.recovery_ids)
