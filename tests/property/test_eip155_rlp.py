"""RLP with generated items and bytes, beside another implementation."""

from __future__ import annotations

from typing import Any

import pytest
import rlp as other
from hypothesis import given
from hypothesis import strategies as st

from chains.adapters.eip155 import rlp

pytestmark = pytest.mark.property

ITEMS = st.recursive(
    st.binary(max_size=70), lambda inner: st.lists(inner, max_size=17), max_leaves=20
)


@given(ITEMS)
def test_rlp_agrees_with_the_other_implementation(item: Any) -> None:
    raw = other.encode(item)
    assert rlp.encode(item) == raw
    if depth(item) <= rlp.MOST_DEPTH:
        assert rlp.decode(raw) == item


@given(st.binary(max_size=80))
def test_rlp_reads_the_one_form_that_it_writes_and_refuses_all_others(raw: bytes) -> None:
    try:
        item = rlp.decode(raw)
    except ValueError:
        return
    assert rlp.encode(item) == raw


def depth(item: Any) -> int:
    return 1 + max(map(depth, item), default=0) if isinstance(item, list) else 0
