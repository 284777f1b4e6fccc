"""The digest of recount's own files covers all of them: what rests on it must miss none."""

from __future__ import annotations

from pathlib import Path

import pytest

import chains
import crawler
from crawler import sources

pytestmark = pytest.mark.unit

MADE_UP = {"chains/a.py": "A", "chains/deep/er/b.py": "B", "crawler/examining/earlier.py": "C"}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in MADE_UP.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    for package in (chains, crawler):
        monkeypatch.setattr(package, "__file__", str(tmp_path / package.__name__ / "__init__.py"))
    return tmp_path


def test_every_file_of_both_packages_is_covered() -> None:
    packages = {"chains": chains, "crawler": crawler}
    expected = {
        f"{name}/{file.relative_to(folder).as_posix()}"
        for name, package in packages.items()
        for folder in [Path(package.__file__ or "").parent]
        for file in folder.rglob("*.py")
    }
    covered = set(sources.files())
    assert expected == covered
    assert {
        "chains/__init__.py",
        "chains/adapters/eip155/adapter.py",
        "chains/signatures/lanes/evm.py",
        "crawler/__init__.py",
        "crawler/examining/earlier.py",
        "crawler/settings.py",
    } <= covered


def test_only_program_text_is_covered(tree: Path) -> None:
    (tree / "chains/notes.txt").write_text("not a program", encoding="utf-8")
    (tree / "tests").mkdir()
    (tree / "tests/c.py").write_text("C", encoding="utf-8")
    assert list(sources.files()) == sorted(MADE_UP)


@pytest.mark.parametrize("name", [*MADE_UP, "chains/new.py", "crawler/new/room.py"])
def test_another_or_a_further_file_gives_another_digest(tree: Path, name: str) -> None:
    before = sources.digest()
    file = tree / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("changed", encoding="utf-8")
    assert sources.digest() != before


@pytest.mark.parametrize("name", MADE_UP)
def test_a_file_that_is_gone_or_has_moved_gives_another_digest(tree: Path, name: str) -> None:
    before = sources.digest()
    file = tree / name
    moved = file.rename(file.with_name("moved.py"))
    assert sources.digest() != before
    moved.unlink()
    assert sources.digest() != before


def test_the_same_text_gives_the_same_digest(tree: Path) -> None:
    before = sources.digest()
    file = tree / "chains/a.py"
    file.write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    assert sources.digest() == before
