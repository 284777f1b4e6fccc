"""``recount demo`` at the size from which every network is in it, and its parts."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from chains.simulated.anvil import find_anvil
from crawler import demo, settings, sources
from crawler.demo import making
from crawler.demo.exchange import MadeUp
from crawler.demo.families import FAMILIES
from crawler.demo.networks import networks
from crawler.demo.wallet_rows import WIDE_NUMBERS, bitcoin_row
from crawler.errors import EnvironmentFault
from crawler.watching.progress import Silent
from tests.nodes import note

pytestmark = pytest.mark.integration


def test_every_network_is_recounted_and_every_planted_fault_is_named(tmp_path: Path) -> None:
    """With anvil where it is installed, as the command does of itself."""
    if find_anvil() is not None:
        note("anvil")
    shown = demo.run(rows=making.WIDE_FROM, path=tmp_path / "run", keep=False, progress=Silent())
    assert shown.text().count("named  ") == 10
    assert shown.complete, shown.text()
    result = shown.report.result
    asked = {line.chain for line in result.snapshots}
    assert asked >= {network.id for network in networks()}
    gaps = [one.code for one in result.findings if one.code.startswith("gap:")]
    assert not gaps


def test_every_network_that_can_be_asked_has_a_copy() -> None:
    world = settings.load_world()
    askable = {spec.name for spec in world.chains.values() if spec.adapter != "none"}
    copied = {network.spec.name for network in networks()}
    assert askable - copied == {"Bitcoin", "Ethereum", "TRON", "Solana"}
    assert {network.spec.adapter for network in networks()} == FAMILIES.keys()


def test_a_world_made_in_parts_is_the_world_made_at_once() -> None:
    whole = making.made_up(700, wide=True)
    count = making.unplanted(700)
    world = making.part(range(300), sign=True, wide=True)
    making.join(world, making.part(range(300, count), sign=True, wide=True))
    joined = making.completed(world, sign=True, wide=True)
    assert msgspec.to_builtins(joined.rows) == msgspec.to_builtins(whole.rows)
    assert (joined.ether, joined.others) == (whole.ether, whole.others)


def test_a_wide_world_lists_no_account_twice_and_addresses_on_several_networks() -> None:
    world = making.part(range(9000), sign=False, wide=True)
    listed = Counter((row.coin, row.address.lower()) for row in world.rows)
    assert max(listed.values()) == 1
    evm = Counter(row.address for row in world.rows if row.address.startswith("0x"))
    assert sum(count > 1 for count in evm.values()) > 300


def test_there_are_never_more_bitcoin_than_there_can_be() -> None:
    """A dump with more is refused, rightly: a list of ten million rows had 34 million."""
    world, every, wallets = MadeUp(), 20_000, 17_000_000
    for own in range(0, wallets, every):
        bitcoin_row(world, WIDE_NUMBERS + own * 10, sign=False)
    held = sum(row.units for row in world.rows)
    assert 0 < held * every < 21 * 10**14
    assert sum(coin.units for coin in world.coins) == held


def test_the_nodes_are_of_the_recount_that_asks_wherever_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes of another checkout do not understand what is asked, and are blamed for it."""
    other = tmp_path / "crawler" / "demo"
    other.mkdir(parents=True)
    for place in (other.parent, other):
        (place / "__init__.py").touch()
    (other / "__main__.py").write_text("raise SystemExit('another recount')")
    monkeypatch.chdir(tmp_path)
    with demo.serving(60, tmp_path) as made:
        assert made.code == sources.digest()
    assert (tmp_path / "list.csv").exists()


def test_nodes_of_another_recount_are_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "digest", lambda: "another")
    with pytest.raises(EnvironmentFault, match="changed"), demo.serving(60, tmp_path):
        pytest.fail("they were handed over")


def test_a_recount_that_is_replaced_while_the_demo_runs_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, report = sources.digest(), tmp_path / "run" / "report.json"
    monkeypatch.setattr(sources, "digest", lambda: "another" if report.exists() else before)
    shown = demo.run(rows=60, path=tmp_path / "run", keep=False, progress=Silent())
    assert (shown.unexpected, shown.complete) == ((demo.CHANGED,), False)
    assert f"UNEXPECTED  {demo.CHANGED}" in shown.text()
