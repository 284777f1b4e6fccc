"""Where the fixtures are from, and what the installed package says of it."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from chains.errors import ConfigError
from chains.model import ChainId
from crawler.counting.provenance import FILE, KINDS, NEVER, Provenance, load_provenance, summarise
from crawler.settings import World, config_root, load_world

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2] / "fixtures"


@pytest.fixture(scope="module")
def fixtures() -> dict[str, Any]:
    return tomllib.loads((ROOT / "PROVENANCE.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def world() -> World:
    return load_world()


def test_every_fixture_is_entered_and_every_entry_is_there(fixtures: dict[str, Any]) -> None:
    paths = [entry["path"] for entry in fixtures["fixture"]]
    assert len(paths) == len(set(paths))
    assert [path for path in paths if not (ROOT / path).exists()] == []
    entered = {Path(path) for path in paths}
    for file in sorted(path for path in ROOT.rglob("*") if path.is_file()):
        name = file.relative_to(ROOT)
        assert name.name == "PROVENANCE.toml" or entered & {name, *name.parents}, name


def test_every_entry_says_what_it_is_and_where_it_is_from(
    fixtures: dict[str, Any], world: World
) -> None:
    for entry in fixtures["fixture"]:
        assert entry["kind"] in KINDS, entry
        assert entry.get("source") or (entry["kind"] == "constructed" and entry["note"]), entry
        assert set(entry) <= {"path", "kind", "source", "note", "chains"}, entry
        assert set(entry.get("chains", ())) <= set(world.chains), entry


def test_every_program_names_the_adapters_and_the_test_that_runs_against_it(
    fixtures: dict[str, Any], world: World
) -> None:
    adapters = {spec.adapter for spec in world.chains.values()}
    for program in fixtures["software"]:
        assert set(program) == {"name", "adapters", "note", "test"}, program
        assert set(program["adapters"]) <= adapters, program
        assert (ROOT.parent / program["test"]).is_file(), program
        row = f"| {program['name']} | {', '.join(program['adapters'])} | {program['note']} |"
        assert row in (ROOT.parent / "docs" / "nodes.md").read_text(encoding="utf-8")


def test_what_a_network_was_run_against_stands_with_its_fixtures(world: World) -> None:
    found = load_provenance(world)
    assert found[ChainId("fil:f")].software == ("ganache-filecoin 0.9.2",)
    assert found[ChainId("xrpl:0")].software == ()


def test_the_shipped_summary_equals_the_fixtures(fixtures: dict[str, Any]) -> None:
    shipped = config_root() / FILE
    if os.environ.get("RECOUNT_UPDATE_GOLDEN"):
        shipped.write_text(summarise(fixtures), encoding="utf-8")
    assert shipped.read_text(encoding="utf-8") == summarise(fixtures)


def test_every_chain_with_an_adapter_rests_on_some_fixture(world: World) -> None:
    found = load_provenance(world)
    asked = {spec.id for spec in world.chains.values() if spec.adapter != "none"}
    assert set(found) == asked
    assert {chain for chain, said in found.items() if said.weakest == NEVER} == set()
    scroll = found[ChainId("eip155:534352")]
    assert (scroll.adapter[-1], scroll.own, scroll.weakest) == (
        "recorded", ("constructed",), "constructed",
    )  # fmt: skip


def test_the_weakest_kind_is_the_networks_own_before_the_familys() -> None:
    assert Provenance(adapter=("constructed", "recorded")).weakest == "constructed"
    assert Provenance(adapter=("constructed",), own=("documented",)).weakest == "documented"
    assert Provenance().weakest == NEVER


def test_a_damaged_summary_is_an_error(world: World, tmp_path: Path) -> None:
    for text in ('[adapters]\neip155 = ["seen"]\n[chains]\n', "[adapters]\n", "["):
        path = tmp_path / FILE
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError):
            load_provenance(world, path)
