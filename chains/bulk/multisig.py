"""Signers of plain m-of-n scripts with compressed keys, over whole columns."""

# ruff: noqa: PLR2004

from __future__ import annotations

from typing import Any

import numpy as np
from numba import uint32

from chains.bulk import Bytes, Flags, Places, Texts
from chains.bulk.machine import BYTES, NUMBER, OFFSETS, OUT_FLAGS, ROWS, kernel


@kernel(OFFSETS, BYTES, OFFSETS, ROWS, NUMBER, NUMBER, NUMBER, OUT_FLAGS)
def _met(
    offsets: Any, data: Any, firsts: Any, keys: Any, op_1: int, op_16: int, last: int, good: Any
) -> None:  # fmt: skip
    for row in range(offsets.size - 1):
        at, end = offsets[row], offsets[row + 1]
        if not good[row] or end - at < 3 or data[end - 1] != last:
            good[row] = False
            continue
        threshold, total = int(data[at]) - op_1 + 1, int(data[end - 2]) - op_1 + 1
        fits = 1 <= threshold <= total <= op_16 - op_1 + 1 and end - at == 3 + 34 * total
        for number in range(total if fits else 0):
            push = at + 1 + 34 * number
            fits = fits and data[push] == 33 and (data[push + 1] == 2 or data[push + 1] == 3)
        seen = uint32(0)
        for signer in range(firsts[row], firsts[row + 1] if fits else firsts[row]):
            member = -1
            for number in range(total):
                push = at + 2 + 34 * number
                same = True
                for place in range(33):
                    if data[push + place] != keys[signer, place]:
                        same = False
                        break
                if same:
                    member = number
                    break
            bit = uint32(1) << uint32(max(member, 0))
            fits = fits and member >= 0 and seen & bit == 0
            seen |= bit
        good[row] = fits and firsts[row + 1] - firsts[row] >= threshold


def thresholds_met(
    scripts: Texts, firsts: Places, keys: Bytes, opcodes: tuple[int, int, int], wanted: Flags
) -> Flags:
    """Return which wanted scripts are m of n with compressed keys, all signers among these.

    The signers of row ``i`` are lines ``firsts[i]`` to ``firsts[i + 1]`` of ``keys``; they must be
    m or more, and each another key. ``opcodes`` are OP_1, OP_16 and OP_CHECKMULTISIG.
    """
    good = wanted.copy()
    _met(scripts.offsets, scripts.data, np.asarray(firsts, np.int64), keys, *opcodes, good)
    return good
