"""No answer of rippled, Clio or Horizon makes their readers fail, and none is read by half."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chains.adapters.stellar import horizon
from chains.adapters.xrpl import entries, wire
from chains.model import Exchange, Gap, Request

pytestmark = pytest.mark.property

FIXTURES = Path(__file__).parents[2] / "fixtures"
R = "rG1QQv2nh2gr7RCZ1P8YYcBUKCCN633jCn"
AT = "8169428EDF7F046F817CE44F5F1DF23AD9FAEFFA2CBA7645C3254D66AA79B46E"
OBJECTS_AT = "E471A081996BB5CBB666AC99085CB8E3CA4D59DFCEDC0060B8701DC45A0EE423"
G = "GDI73WJ4SX7LOG3XZDJC3KCK6ED6E5NBYK2JUBQSPBCNNWEG3ZN7T75U"
READERS = {
    "xrpl/ledger": lambda one: wire.read_ledger(one, 100972465),
    "xrpl/server_info": wire.read_info,
    "xrpl/account_info": lambda one: entries.read_account(one, R, AT),
    "xrpl/account_info-signers": lambda one: entries.read_account(one, R, AT, with_signers=True),
    "xrpl/actnotfound": lambda one: entries.read_account(one, R, AT),
    "xrpl/actnotfound-clio": lambda one: entries.read_account(one, R, AT),
    "xrpl/account_objects-locked": lambda one: entries.read_objects(one, OBJECTS_AT),
    "stellar/account": lambda one: horizon.read_entry(one, G),
    "stellar/ledger": lambda one: horizon.read_ledger(one, 26857634),
}
NONSENSE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.just(10**4000),
    st.text(max_size=8),
    st.sampled_from(["NaN", "1e9", "-1", "00" * 32, "9" * 5000, R, G]),
    st.just([]),
    st.just({}),
    st.lists(st.integers(0, 3), max_size=2),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every member of a document."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, member in pairs:
        found.append((*path, key))
        if isinstance(member, dict | list):
            found += places(member, (*path, key))
    return found


@given(data=st.data(), name=st.sampled_from(sorted(READERS)), nonsense=NONSENSE)
def test_one_wrong_member_is_a_gap_or_does_not_matter(data, name, nonsense):
    document = msgspec.json.decode((FIXTURES / f"{name}.json").read_bytes())
    status = 400 if name.endswith("clio") else 200
    failure = "refused" if name.endswith("clio") else ""

    def read() -> Any:
        body = msgspec.json.encode(document)
        answer = Exchange(
            request=Request(), endpoint="a", status=status, failure=failure, body=body
        )
        return READERS[name](answer)

    true = read()
    assert not isinstance(true, Gap)
    *path, last = data.draw(st.sampled_from(places(document)))
    member = document
    for key in path:
        member = member[key]
    if data.draw(st.booleans()):
        member[last] = nonsense
    elif isinstance(member, dict):
        del member[last]
    found = read()
    if name.startswith("xrpl/actnotfound"):
        assert found is None or isinstance(found, Gap)
    elif name == "xrpl/account_info":
        assert isinstance(found, Gap) or found.drops == true.drops or "Balance" in (last, *path)
    else:
        assert found is not None
