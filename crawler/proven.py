"""What proofs make of the balances that were read: the stronger method, or a Gap.

Both are answers to questions about one account, one asset and one block; see ``confirm``.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from chains.model import Method
from crawler.columns import numbers, whole

VOIDING = frozenset({"proof-wrong", "proof-contradicts"})
"""Gaps of a proof that leave nothing of the balance read beside it."""


def confirm(balances: pa.Table, proofs: pa.Table, *, coin: bool) -> pa.Table:
    """Return the answers to balance questions as the answers to proof questions leave them.

    A proof that shows the same balance makes the method ``proof``, where its anchor is independent.
    One that shows another balance, or that leads nowhere, makes the balance a Gap. One that was not
    to be had (no such method, a header of another form) changes nothing. Of a ``coin``, an anchored
    proof also stands where the balance could not be read; of a token it says only what a word of
    storage holds, which its contract has to confirm.
    """
    place = pc.index_in(proofs["account"], value_set=whole(balances["account"]))
    columns = {name: balances[name].to_pylist() for name in balances.column_names}
    shown = {name: proofs[name].to_pylist() for name in proofs.column_names}
    for i, at in enumerate(numbers(pc.fill_null(place, -1)).tolist()):
        if at < 0:
            continue
        gap, units = shown["gap"][i], shown["units"][i]
        anchored = not gap and shown["method"][i] == Method.PROOF
        if gap in VOIDING:
            columns["gap"][at], columns["units"][at] = gap, None
        elif gap:
            continue
        elif columns["gap"][at]:
            if coin and anchored:
                for name, values in columns.items():
                    values[at] = shown[name][i]
        elif units != columns["units"][at]:
            columns["gap"][at], columns["units"][at] = "proof-contradicts", None
        elif anchored:
            columns["method"][at] = Method.PROOF.value
    return pa.table(columns, schema=balances.schema)
