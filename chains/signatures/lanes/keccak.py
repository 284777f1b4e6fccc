"""Accounts that are the end of a key's Keccak-256: what the lanes of EVM chains and TRON share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from chains.addresses import decode_column
from chains.bulk import rows_as_texts, texts
from chains.bulk.curves import recover, with_recovery_id
from chains.bulk.encodings import HexBytes
from chains.bulk.hashes import keccak256
from chains.signatures.lanes.model import Settled, SignedAddresses, bound_by_key
from chains.signatures.secp256k1 import SIGNATURE_LENGTH


def by_keccak_accounts(
    rows: SignedAddresses,
    digests: Iterable[tuple[str, Callable[[str], bytes]]],
    recovery_ids: Mapping[int, int],
    highest_s: bytes = b"",
) -> Iterator[Settled]:
    """Settle rows with one hex signature each, whose key's Keccak-256 ends in the account.

    ``digests`` are tried in turn, as a judge does; where no key can be recovered it gives up, and
    so is the row left alone here.
    """
    rows = rows.signed_once()
    decoded = decode_column(rows.spec, texts(rows.addresses))
    if decoded is None:
        return
    accounts, known = decoded
    raw, good = HexBytes(rows.signature_texts()).rows(SIGNATURE_LENGTH)
    raw, left = with_recovery_id(raw, good & known, recovery_ids, highest_s)
    for detail, digest in digests:
        if not left.any():
            return
        keys, found = recover(digest(rows.message), raw, left)
        ends = keccak256(rows_as_texts(keys[:, 1:]))[:, 12:]
        match = found & (ends == accounts).all(axis=1)
        yield bound_by_key(rows, accounts, keys, match, detail)
        left = found & ~match
