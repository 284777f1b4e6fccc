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

from crawler.model import RowKind, Validity


def row_validity(
    claims: pa.Table, proven: Sequence[bool] | None = None
) -> tuple[pa.Array, pa.Array]:
    """Return, per row of ``claims`` (``ownership.EXAMINED``), its validity text and its group.

    Rows of one group are about the same asset and account. Of equal rows the first counts, or
    the first that is ``proven`` to be owned, so that a bare repeat does not hide a proof. A row
    that claims no amount at all repeats one that does.
    """
    count = claims.num_rows
    kinds = claims["kind"].to_pylist()
    amounts = claims["amount"].to_pylist()
    units = claims["units"].to_pylist()
    rows = claims["row"].to_pylist()
    verdicts: list[str] = [Validity.VALID.value] * count
    counted = np.zeros(count, dtype=bool)
    for i in range(count):
        if kinds[i] == RowKind.SIGNER:
            verdicts[i] = Validity.SIGNER_ROW.value
        elif kinds[i] == RowKind.MALFORMED or (units[i] is None and amounts[i].strip()):
            verdicts[i] = Validity.BAD_AMOUNT.value
        else:
            counted[i] = True
    groups = _same_subject(claims)
    order = np.argsort(groups, kind="stable")
    order = order[counted[order]]
    if len(order) == 0:
        return pa.array(verdicts, pa.string()), pa.array(groups, pa.int64())
    sorted_groups = groups[order]
    starts = np.flatnonzero(np.r_[True, sorted_groups[1:] != sorted_groups[:-1]])
    ends = np.r_[starts[1:], len(order)]
    for start, end in zip(starts, ends, strict=True):
        if end - start > 1:
            members = [int(i) for i in order[start:end]]
            shown = [i for i in members if proven is not None and proven[i]]
            ordered = [*shown, *members]
            first = next((i for i in ordered if units[i] is not None), ordered[0])
            _judge_group(members, first, rows, units, verdicts)
    return pa.array(verdicts, pa.string()), pa.array(groups, pa.int64())


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
