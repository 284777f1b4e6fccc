"""Which rows may count: repeats, conflicts, unusable amounts, signer rows.

Two rows are about the same thing when asset and account are the same *bytes*, in whatever
spelling; an address that does not decode is compared by its text. Equal amounts: the later row is
``repeat-of:N``. Unequal amounts: every row of that account and asset is ``conflict:N``, N being
another of them, whatever their order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crawler.columns import Flags, Numbers, flags, members, whole
from crawler.model import RowKind, Validity


def row_validity(
    claims: pa.Table, proven: Sequence[bool] | Flags | None = None
) -> tuple[pa.Array, pa.Array]:
    """Return, per row of ``claims`` (``ownership.EXAMINED``), its validity text and its group.

    Rows of one group are about the same asset and account. Of equal rows the first counts, or
    the first that is ``proven`` to be owned, so that a bare repeat does not hide a proof. A row
    that claims no amount at all repeats one that does.
    """
    kinds, units = whole(claims["kind"]), whole(claims["units"])
    is_signer = flags(pc.equal(kinds, RowKind.SIGNER.value))
    written = pc.not_equal(pc.utf8_trim_whitespace(whole(claims["amount"])), "")
    is_bad = flags(pc.equal(kinds, RowKind.MALFORMED.value))
    is_bad |= flags(pc.and_(pc.is_null(units), written))
    is_bad &= ~is_signer
    found = np.zeros(claims.num_rows, np.int64)
    found[is_signer], found[is_bad] = 1, 2
    texts = pa.array([Validity.VALID.value, Validity.SIGNER_ROW.value, Validity.BAD_AMOUNT.value])
    verdicts = texts.take(pa.array(found))
    groups = _same_subject(claims)
    several = np.bincount(groups[found == 0], minlength=groups.max(initial=0) + 1)[groups] > 1
    together = np.flatnonzero(several & (found == 0))
    if not len(together):
        return verdicts, pa.array(groups, pa.int64())
    told = _judge_several(claims, together, groups, proven)
    mask = np.zeros(claims.num_rows, np.bool_)
    mask[together] = True
    verdicts = pc.replace_with_mask(verdicts, pa.array(mask), pa.array(told, pa.string()))
    return verdicts, pa.array(groups, pa.int64())


def _judge_several(
    claims: pa.Table, together: Numbers, groups: Numbers, proven: Sequence[bool] | Flags | None
) -> list[str]:
    """Return the validity of rows that are not alone in their group, in their order."""
    rows, units = (claims[name].take(pa.array(together)).to_pylist() for name in ("row", "units"))
    verdicts = [Validity.VALID.value] * len(together)
    codes = np.unique(groups[together], return_inverse=True)[1]
    for places in members(codes):
        own = places.tolist()
        shown = [i for i in own if proven is not None and proven[together[i]]]
        ordered = [*shown, *own]
        first = next((i for i in ordered if units[i] is not None), ordered[0])
        _judge_group(own, first, rows, units, verdicts)
    return verdicts


def _judge_group(
    members: list[int],
    first: int,
    rows: list[int],
    units: list[str | None],
    verdicts: list[str],
) -> None:
    """Mark the members of one group; ``members`` are indices in list order, ``first`` counts."""
    claiming = [i for i in members if units[i] is not None]
    if len({units[i] for i in claiming}) <= 1:
        for i in members:
            if i != first:
                verdicts[i] = f"{Validity.REPEAT_OF.value}:{rows[first]}"
        return
    first = claiming[0]
    second = next(i for i in claiming if units[i] != units[first])
    for i in members:
        if units[i] is None:
            verdicts[i] = f"{Validity.REPEAT_OF.value}:{rows[first]}"
            continue
        other = second if units[i] == units[first] else first
        verdicts[i] = f"{Validity.CONFLICT.value}:{rows[other]}"


def _same_subject(claims: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Give rows about one asset and account the same number."""
    decoded = pc.greater(pc.binary_length(claims["account"]), 0)
    known = pc.not_equal(claims["asset_id"], "")
    network = pc.if_else(pc.not_equal(claims["chain"], ""), claims["chain"], claims["network"])
    asset = pc.if_else(
        known,
        claims["asset_id"],
        pc.binary_join_element_wise("?", network, claims["counts_as"], "\x1f"),
    )
    # A text can never equal decoded bytes: the prefixes differ.
    account = pc.if_else(
        decoded,
        pc.binary_join_element_wise(pa.scalar(b"="), claims["account"], b""),
        pc.binary_join_element_wise(pa.scalar(b"?"), claims["address"].cast(pa.binary()), b""),
    )
    keys = pc.binary_join_element_wise(asset.cast(pa.binary()), account, b"\x1f")
    codes = keys.combine_chunks().dictionary_encode().indices
    return np.asarray(codes.to_numpy(zero_copy_only=False), dtype=np.int64)
