"""``recount chains``: readable at any width, whole in a pipe, and one network told in full."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from crawler.errors import UsageError
from crawler.settings import load_world
from crawler.support.networks import ChainSupport, chain_support, network_named
from crawler.support.tables import render_chain, render_chains

pytestmark = pytest.mark.unit

WORLD = load_world()
CHAINS = chain_support(WORLD)
ABLE = [chain for chain in CHAINS if chain.adapter != "none"]
WORDS = {word for chain in ABLE for word in (*chain.name.split(), *chain.methods, chain.history)}


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)


def shown(chain: ChainSupport | None = None, *, width: int = 80, terminal: bool = True) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=terminal, color_system=None)
    render_chains(CHAINS, console) if chain is None else render_chain(chain, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def of(name: str) -> ChainSupport:
    return next(chain for chain in CHAINS if chain.name == name)


@pytest.mark.parametrize("width", [30, 40, 60, 66, 67, 74, 76, 78, 79, 80, 100, 132, 200, 400])
def test_no_line_is_wider_than_the_terminal_and_no_word_is_broken(width: int) -> None:
    text = shown(width=width)
    assert max(map(len, text.splitlines())) <= width
    words = set(text.replace(":", " ").replace(",", " ").split())
    assert words >= WORDS
    assert not [word for word in words if word.endswith("-")]
    assert "…" not in text


def test_eighty_columns_hold_a_table_of_one_line_for_most_networks() -> None:
    lines = shown(width=80).splitlines()
    assert lines[0].split() == ["network", "history", "methods", "tested", "live"]
    table = lines[1 : lines.index("")]
    (line,) = (line for line in table if line.startswith("Vaulta "))
    assert line.split() == ["Vaulta", "held", "state", "untouched", "recorded*", "never"]
    assert len(table) <= len(ABLE) + 2


def test_a_wider_terminal_shows_more() -> None:
    headings = [shown(width=width).splitlines()[0] for width in (80, 140, 400)]
    assert ["CAIP-2" in heading for heading in headings] == [False, True, True]
    assert ["real software" in heading for heading in headings] == [False, False, True]


def test_a_pipe_gets_everything_on_one_line_per_network() -> None:
    lines = shown(terminal=False).splitlines()
    for chain in ABLE:
        (line,) = [one for one in lines if one.startswith(f"{chain.name}  ")]
        for text in (chain.chain, *chain.methods, *chain.control, *chain.assets, *chain.software):
            assert text in line
        assert line == line.rstrip()


def test_a_pipe_with_columns_set_keeps_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert max(map(len, shown(width=72, terminal=False).splitlines())) <= 72


@pytest.mark.parametrize("width", [50, 80, 300])
@pytest.mark.parametrize("name", ["Vaulta", "Bitcoin", "Ethereum", "Cardano"])
def test_one_network_is_told_in_full(name: str, width: int) -> None:
    chain = of(name)
    text = shown(chain, width=width)
    assert max(map(len, text.splitlines()[1:])) <= width  # below the heading with its id
    plain = " ".join(text.split())
    for said in (chain.history_means, *chain.how.values(), chain.zero_rule, *chain.schemes):
        assert " ".join(said.split()) in plain
    whole = "".join(text.split())
    assert all(asset in whole for asset in (chain.chain, *chain.readable))


def test_what_a_network_can_differs_within_a_family() -> None:
    assert {name: (of(name).history, of(name).methods) for name in
            ("Bitcoin", "Bitcoin Cash", "Dogecoin", "Dash", "Zcash")} == {
        "Bitcoin": ("bulk", ("proof", "bulk", "state", "untouched", "rolled-back")),
        "Bitcoin Cash": ("exact", ("state", "untouched", "rolled-back")),
        "Dogecoin": ("exact", ("untouched", "rolled-back")),
        "Dash": ("exact", ("bulk", "state")),
        "Zcash": ("exact", ("state",)),
    }  # fmt: skip
    proven = {chain.name for chain in ABLE if chain.proofs}
    assert {"Ethereum", "Bitcoin", "Polkadot", "Kusama Asset Hub"} <= proven
    assert not {"zkSync Era", "Arbitrum One", "Karura", "Dogecoin"} & proven
    assert "pod-owner" in of("Ethereum").control
    assert "pod-owner" not in of("Base").control
    assert of("OKTC").control == ()
    assert "REX" in of("Vaulta").how["state"]
    assert "REX" not in of("WAX").how["state"]
    assert "Multicall3" in of("zkSync Era").how["state"]
    assert "override" not in of("zkSync Era").how["state"]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("EOS", "Vaulta"),
        ("vaulta", "Vaulta"),
        ("antelope:aca376f206b8fc25a6ed44dbdc66547c", "Vaulta"),
        ("Bitcoin", "Bitcoin"),
        ("zksync", "zkSync Era"),
    ],
)
def test_a_network_is_found_by_name_alias_id_or_part(text: str, name: str) -> None:
    assert WORLD.chains[network_named(WORLD, text)].name == name


def test_a_name_that_means_none_or_several_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="Kusama Asset Hub, Polkadot Asset Hub"):
        network_named(WORLD, "hub")
    with pytest.raises(UsageError, match="no network is called 'nope'"):
        network_named(WORLD, "nope")
