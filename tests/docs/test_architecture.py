"""The map in docs/architecture.md is the tree, and its order is what the import rules check."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]


def lines_of(package: str) -> list[list[str]]:
    """Names of modules and folders on each line of a package's part of the map."""
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    part = re.search(rf"^{package}/ .*\n((?:    .*\n)+)", text, re.MULTILINE)
    assert part is not None
    name = re.compile(r"(?:(?<=  )|(?<=\.py ))(\w+)(?:\.py\b|/ )")
    found = (name.findall(line) for line in part[1].splitlines())
    return [names for names in found if names]


@pytest.mark.parametrize("package", ["chains", "crawler"])
def test_the_map_names_every_module_and_folder_once(package: str) -> None:
    entries = (ROOT / package).iterdir()
    there = {e.stem for e in entries if e.suffix == ".py" or (e / "__init__.py").exists()}
    mapped = [name for names in lines_of(package) for name in names]
    assert sorted(there - {"__init__"}) == sorted(mapped)


def test_the_map_has_the_order_of_the_import_rules() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    (layers,) = [
        contract["layers"]
        for contract in rules["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    ]
    level = {name: at for at, layer in enumerate(layers) for name in re.findall(r"\w+", layer)}
    levels = [level[name] for names in lines_of("crawler") for name in names]
    assert levels == sorted(levels)
