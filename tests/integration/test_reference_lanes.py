"""Published vectors, rows to be refused and real lists: the quick lane says what the judge says."""

from __future__ import annotations

import msgspec
import pytest

from crawler.examining import quick
from crawler.examining.judging import TASKS
from crawler.lists import open_list
from tests.lane_rows import EMPTY, judged_both_ways, reading
from tests.reference import reference

pytestmark = pytest.mark.integration

NETWORKS = {"EVM": "ETH"}


@pytest.fixture(autouse=True)
def _every_group(monkeypatch):
    monkeypatch.setattr(quick, "FEWEST", 1)


def _given(*texts):
    return [text for text in texts if text]


def published(name):
    """Return the rows of a file of vectors as tasks, and the texts that they sign."""
    rows = []
    for line in reference(name).read_bytes().splitlines():
        vector = msgspec.json.decode(line)
        key = vector["script_or_pubkey"]
        is_script = key[:1] == "5" and key[-2:] == "ae"
        rows.append(
            EMPTY
            | {
                "network": NETWORKS.get(vector["chain"], vector["chain"]),
                "asset": vector["asset"],
                "address": vector["address"],
                "message": vector["message"],
                "signatures": _given(vector["signature1"], vector["signature2"]),
                "script": key if is_script else "",
                "public_key": "" if is_script else key,
                "owners": _given(vector["eoa1"], vector["eoa2"]),
            }
        )
    return rows, tuple({row["message"] for row in rows})


@pytest.mark.parametrize("exchange", ["okx", "htx", ""])
@pytest.mark.parametrize("name", ["ownership_vectors.jsonl", "must_refuse.jsonl"])
@pytest.mark.parametrize("pinned", [True, False])
def test_published_rows(name, exchange, pinned):
    rows, messages = published(name)
    verdicts, places = judged_both_ways(rows, reading(exchange, messages if pinned else None))
    assert {verdicts[place]["status"] for place in places} <= {"bound"}
    if name.startswith("ownership") and exchange == "okx" and pinned:
        assert len(places) > 20


@pytest.mark.parametrize(
    ("name", "exchange", "least"),
    [("okx/okx_por_example.csv", "okx", 1), ("htx/huobi_por_20251101.csv", "htx", 1)],
)
def test_real_lists(name, exchange, least):
    found = 0
    for batch in open_list(reference(name)).batches():
        rows = batch.select(TASKS.names).slice(0, 1500).to_pylist()
        _, places = judged_both_ways(rows, reading(exchange))
        found += len(places)
    assert found >= least
