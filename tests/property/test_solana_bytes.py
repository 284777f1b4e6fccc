"""Whatever bytes a node shows as an account are read or refused, and never raise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.adapters.solana import layouts, wire
from chains.adapters.solana.derive import TOKEN, TOKEN_2022
from chains.model import Gap

pytestmark = pytest.mark.property

BYTES = st.one_of(
    st.binary(max_size=400),
    st.binary(min_size=165, max_size=165),
    st.binary(min_size=82, max_size=82),
    st.binary(min_size=200, max_size=200).map(lambda data: b"\x02\0\0\0" + data[4:]),
    st.binary(min_size=166, max_size=300).map(lambda data: data[:165] + b"\x02" + data[166:]),
)


@given(BYTES, st.sampled_from([TOKEN, TOKEN_2022, "1" * 32]), st.integers(0, 2**64 - 1))
def test_any_bytes_are_read_or_refused(data, owner, lamports):
    held = wire.Held(lamports=lamports, owner=owner, space=len(data), data=data)
    account = layouts.token_account(held)
    assert account is None or 0 <= account.amount < 2**64
    mint = layouts.mint_decimals(held)
    assert isinstance(mint, Gap) or 0 <= mint[1] <= 255
    parts = layouts.stake_parts(held, 700)
    assert isinstance(parts, Gap) or sum(part.units for part in parts) == lamports
