"""What proofs make of the balances that were read: the stronger method, or a Gap.

Both are answers to questions about one account, one asset and one block; see ``confirm``.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from chains.model import Method
from crawler.tables.columns import numbers, whole

VOIDING = frozenset({"proof-wrong", "proof-contradicts"})
"""Gaps of a proof that leave nothing of the balance read beside it."""
PLACE = ("shard", "attempt", "extract")
"""Where the evidence of an answer lies: what a proof decides rests on the proof's."""


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
        if gap in VOIDING or (gap == "" and columns["units"][at] not in (None, units)):
            taken = {"gap": gap or "proof-contradicts", "units": None}
        elif anchored and columns["gap"][at] and coin:
            taken = {name: shown[name][i] for name in columns}
        elif anchored and not columns["gap"][at]:
            taken = {"method": Method.PROOF.value}
        else:
            continue
        taken |= {name: shown[name][i] for name in PLACE}
        for name, value in taken.items():
            columns[name][at] = value
    return pa.table(columns, schema=balances.schema)
