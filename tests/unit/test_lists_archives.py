"""Archives and files that are not what they should be."""

from __future__ import annotations

import gzip
import hashlib
import stat
import zipfile
from pathlib import Path

import pytest

from crawler.errors import ListError
from crawler.lists import archives, blocks, open_list

pytestmark = pytest.mark.unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "lists"
MAIN = (FIXTURES / "okx_11.csv").read_bytes()


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def test_the_main_list_comes_first_and_rows_stay_distinct() -> None:
    published = open_list(FIXTURES / "okx_archive.zip")
    rows = [row["row"] for batch in published.batches() for row in batch.to_pylist()]
    assert rows == [6, 7, 8, 10, 11]
    main, staking = published.members
    assert (main.name, main.first_row_offset, main.lines) == ("b_main.csv", 0, 8)
    assert (staking.name, staking.first_row_offset, staking.lines) == ("a_staking.csv", 8, 3)
    assert main.sha256 == hashlib.sha256(MAIN).hexdigest()
    whole = (FIXTURES / "okx_archive.zip").read_bytes()
    assert (published.sha256, published.size) == (hashlib.sha256(whole).hexdigest(), len(whole))
    assert published.passed_over == ("__MACOSX/._b_main.csv",)


def test_totals_may_sit_in_another_member(tmp_path: Path) -> None:
    totals = b"coin,snapshot height,amount\nETH,100,7\n"
    path = archive(
        tmp_path / "a.zip", {"1.csv": totals, "2.csv": (FIXTURES / "okx_7.csv").read_bytes()}
    )
    published = open_list(path)
    assert [(total.label, total.row) for total in published.totals] == [("ETH", 5)]
    assert published.members[0].name == "2.csv"
    assert sum(batch.num_rows for batch in published.batches()) == 2
    assert published.account.lines == 5


def test_two_main_lists_are_both_named(tmp_path: Path) -> None:
    other = (FIXTURES / "okx_9.csv").read_bytes()
    path = archive(tmp_path / "a.zip", {"one.csv": MAIN, "two.csv": other})
    with pytest.raises(ListError, match=r"expected one main list .* found 2: one\.csv, two\.csv"):
        open_list(path)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("../list.csv", "unsafe name"),
        ("/list.csv", "unsafe name"),
        ("a\\list.csv", "unsafe name"),
        ("c:list.csv", "unsafe name"),
        ("list.xlsx", "no .csv file"),
        ("inner.zip", "no .csv file"),
        ("inner.csv.gz", "no .csv file"),
        ("a" * 300 + ".csv", "unsafe name"),
    ],
)
def test_odd_members_are_refused(tmp_path: Path, name: str, what: str) -> None:
    with pytest.raises(ListError, match=what):
        open_list(archive(tmp_path / "a.zip", {"list.csv": MAIN, name: MAIN}))


def test_a_member_without_a_name_is_no_table_and_no_debris() -> None:
    nameless = zipfile.ZipInfo("")
    assert not archives._is_debris(nameless)
    with pytest.raises(ListError, match=r"no \.csv file"):
        archives._check_member(Path("a.zip"), nameless)


def test_a_damaged_archive_does_not_repeat_its_longest_names(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"m" * 60_000 + ".csv": MAIN})
    path.write_bytes(path.read_bytes().replace(b"m", b"n", 1))  # in one of its two places
    with pytest.raises(ListError) as refused:
        open_list(path)
    assert len(str(refused.value)) < 1000


def test_links_and_encryption_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("list.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(info, b"/etc/hosts")
    with pytest.raises(ListError, match="is a link"):
        open_list(path)
    raw = bytearray(archive(path, {"list.csv": MAIN}).read_bytes())
    raw[6] |= 1
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(ListError, match=r"is encrypted; unpack it first"):
        open_list(path)


def test_bombs_are_refused_before_they_are_unpacked(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"list.csv": MAIN + b"\n" * (archives.RATIO_FREE + 1)})
    with pytest.raises(ListError, match="ratio above 200 is no wallet list"):
        open_list(path)


def test_the_unpacked_size_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED", 10)
    with pytest.raises(ListError, match="at most 10 are read"):
        open_list(archive(tmp_path / "a.zip", {"list.csv": MAIN}))


def test_damaged_archives(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"list.csv": MAIN})
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(ListError, match="damaged archive"):
        open_list(path)
    path.write_bytes(whole[:60] + bytes([whole[60] ^ 255]) + whole[61:])
    with pytest.raises(ListError, match="damaged archive"):
        open_list(path)
    with pytest.raises(ListError, match=r"holds no \.csv file"):
        open_list(archive(path, {}))


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ListError, match="cannot be read: No such file"):
        open_list(tmp_path / "none.csv")
    with pytest.raises(ListError, match="cannot be read: Is a directory"):
        open_list(tmp_path)


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"hello\nworld\n", b"coin,snapshot height,amount\nETH,1,2\n"]
)
def test_no_detail_section_says_what_was_looked_for(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(data)
    with pytest.raises(ListError, match=r"(?s)list\.csv: no detail section found.*HTX: coin,addr"):
        open_list(path)
    if data.strip():
        with pytest.raises(
            ListError, match=r"Found: line 1: '(hello|coin,snapshot height,amount)'"
        ):
            open_list(path)


def test_bytes_that_are_not_utf8_are_named(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(MAIN + b"ETH,ETH,1,caf\xe9,1\n")
    with pytest.raises(ListError, match=rf"list\.csv, line 9: byte {len(MAIN) + 13} \(0xe9\)"):
        list(open_list(path).batches())
    path.write_bytes(MAIN.decode().encode("utf-16"))
    with pytest.raises(ListError, match=r"line 1: byte 0 .* looks like UTF-16"):
        open_list(path)


def test_a_list_packed_by_gzip_is_named_as_such(tmp_path: Path) -> None:
    path = tmp_path / "list.csv.gz"
    path.write_bytes(gzip.compress(MAIN, mtime=0))
    with pytest.raises(ListError, match=r"list\.csv\.gz: is packed by gzip.*gunzip.*zip of \.csv"):
        open_list(path)


@pytest.mark.parametrize("size", [1000, blocks.BLOCK_SIZE])
def test_overlong_lines_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(blocks, "BLOCK_SIZE", size)
    path = tmp_path / "list.csv"
    path.write_bytes(MAIN + b"ETH,ETH,1," + b"a" * blocks.MAX_LINE + b",1\nETH,ETH,1,a,1\n")
    with pytest.raises(ListError, match=r"list\.csv, line 9: longer than 1048576 bytes"):
        list(open_list(path).batches())


def test_a_file_that_changes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(MAIN)
    published = open_list(path)
    path.write_bytes(MAIN.replace(b",5,", b",6,"))
    with pytest.raises(ListError, match="changed while it was being read"):
        list(published.batches())
