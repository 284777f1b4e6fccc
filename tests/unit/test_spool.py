"""Tables that are read several times, from memory or from a temporary file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from crawler.errors import EnvironmentFault
from crawler.tables.spool import Spool

pytestmark = pytest.mark.unit


def table(start: int, count: int) -> pa.Table:
    columns = {"row": pa.array(range(start, start + count), pa.int64())}
    texts = [None if row % 5 == 0 else f"é{row % 3}" for row in range(start, start + count)]
    return pa.table(columns | {"text": pa.array(texts, pa.string())})


@pytest.mark.parametrize("in_memory", [0, 5, 12, 1000])
@pytest.mark.parametrize("piece", [1, 4, 1000])
@pytest.mark.parametrize("alike", [(), ("text",)])
def test_every_row_comes_back_in_order_each_time(
    in_memory: int, piece: int, alike: tuple[str, ...]
) -> None:
    with Spool(in_memory, piece, alike) as spool:
        for start, count in ((0, 3), (3, 0), (3, 7), (10, 2)):
            spool.append(table(start, count))
        for _ in range(2):
            pieces = list(spool)
            assert pa.concat_tables(pieces).equals(table(0, 12))
            assert all(one.num_rows >= min(piece, 12) for one in pieces[:-1])
        assert spool.rows == 12


def test_an_empty_spool_gives_nothing() -> None:
    assert list(Spool()) == []


def test_two_readers_at_once_do_not_disturb_each_other() -> None:
    with Spool(in_memory=0, piece=2) as spool:
        for start in range(0, 8, 2):
            spool.append(table(start, 2))
        pairs = list(zip(spool, spool, strict=True))
    assert [one["row"].to_pylist() for one, _ in pairs] == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert all(one.equals(other) for one, other in pairs)


def test_a_table_behind_those_that_were_read_is_refused() -> None:
    with Spool(in_memory=0, piece=1) as spool:
        spool.append(table(0, 2))
        assert len(list(spool)) == 1
        with pytest.raises(RuntimeError, match="takes no more"):
            spool.append(table(2, 1))


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Spool(in_memory=0, piece=1) as spool:
        spool.append(table(0, 2))
        assert list(tmp_path.iterdir())
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_an_environment_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crawler.tables.spool.tempfile.TemporaryDirectory", full)
    spool = Spool(in_memory=0, piece=1)
    with pytest.raises(EnvironmentFault):
        spool.append(table(0, 1))
