"""How well each network's reading has been tried: the kinds of answers that tests decode.

``config/provenance.toml`` is made from ``fixtures/PROVENANCE.toml``, because the fixtures are not
part of the installed package; a test keeps the two equal. ``recorded`` answers came from real node
software, ``documented`` ones stand in public documentation, ``constructed`` ones are our own.
``software`` is real node software that tests run an adapter against. Whether a network itself was
ever asked is another matter: so far none was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from chains.errors import ConfigError
from chains.model import ChainId
from crawler import declarations
from crawler.settings import World, config_root

KINDS = ("constructed", "documented", "recorded")
"""Weakest first."""
NEVER = "never"
"""There is no fixture at all."""
FILE = "provenance.toml"


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """The kinds of fixtures behind one network, weakest first.

    ``adapter``: those of its adapter, from any network of the family. ``own``: those that show an
    answer of this very network, which most networks of a family do not have. ``software``: what
    real node software tests run its adapter against.
    """

    adapter: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    software: tuple[str, ...] = ()

    @property
    def weakest(self) -> str:
        """The weakest kind that this network's reading rests on; ``never`` where there is none."""
        kinds = self.own or self.adapter
        return kinds[0] if kinds else NEVER


class _Tables(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    adapters: Mapping[str, tuple[str, ...]]
    chains: Mapping[str, tuple[str, ...]]
    software: Mapping[str, tuple[str, ...]] = {}


def load_provenance(world: World, path: Path | None = None) -> Mapping[ChainId, Provenance]:
    """Return the provenance of every configured chain that has an adapter.

    Raises ``ConfigError`` where the file cannot be read or names a kind that there is not.
    """
    path = path or config_root() / FILE
    table = declarations.parse(declarations.read_bytes(path, path.name), path.name)
    tables = declarations.convert(table, _Tables, path.name, "")
    for name, kinds in (*tables.adapters.items(), *tables.chains.items()):
        if not set(kinds) <= set(KINDS):
            raise ConfigError(f"{path.name}: {name}: kinds are {', '.join(KINDS)}")
    return {
        spec.id: Provenance(
            adapter=_sorted(tables.adapters.get(spec.adapter, ())),
            own=_sorted(tables.chains.get(spec.id, ())),
            software=tables.software.get(spec.adapter, ()),
        )
        for spec in world.chains.values()
        if spec.adapter != "none"
    }


OF_NO_ADAPTER = ("answers", "lists", "reports", "signatures")
"""Folders of ``fixtures``."""


def summarise(fixtures: Mapping[str, Any]) -> str:
    """Return the text of ``config/provenance.toml`` for the content of ``PROVENANCE.toml``.

    The first folder of a fixture's path is the adapter's name; ``chains`` names the networks whose
    own answers it shows. Folders that are no adapter's are left out.
    ``software`` has one entry for each program: the adapters that tests run against it.
    """
    adapters: dict[str, set[str]] = {}
    chains: dict[str, set[str]] = {}
    for fixture in fixtures["fixture"]:
        folder = str(fixture["path"]).partition("/")[0]
        if folder not in OF_NO_ADAPTER:
            adapters.setdefault(folder, set()).add(fixture["kind"])
        for chain in fixture.get("chains", ()):
            chains.setdefault(chain, set()).add(fixture["kind"])
    programs: dict[str, list[str]] = {}
    for program in fixtures["software"]:
        for adapter in program["adapters"]:
            programs.setdefault(adapter, []).append(program["name"])
    lines = [
        "# Made from fixtures/PROVENANCE.toml; do not edit. To make it again:",
        "# RECOUNT_UPDATE_GOLDEN=1 .venv/bin/python -m pytest tests/unit/test_provenance.py",
        "",
        "[adapters]",
        *_lines({name: _sorted(kinds) for name, kinds in adapters.items()}),
        "",
        "[chains]",
        *_lines({name: _sorted(kinds) for name, kinds in chains.items()}),
        "",
        "[software]",
        *_lines(programs),
    ]
    return "\n".join(lines) + "\n"


def _lines(table: Mapping[str, Sequence[str]]) -> list[str]:
    texts = {name: ", ".join(f'"{one}"' for one in entry) for name, entry in table.items()}
    return [f"{declarations.quoted(name)} = [{texts[name]}]" for name in sorted(texts)]


def _sorted(kinds: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(kinds, key=KINDS.index))
