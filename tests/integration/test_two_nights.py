"""Night after night: captures before the list, late and missed ones, and what may be deleted."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from capture_world import World, observed, world
from made_up_run import recount, result_bytes, serving, start

from crawler.keeping.runs import RunDirectory

pytestmark = pytest.mark.integration


def kept(capture: Path) -> dict[str, object]:
    """What a capture holds: its answers, their evidence, and the blocks they are of."""
    files = [file for part in ("plan", "shards") for file in (capture / part).iterdir()]
    found: dict[str, object] = {str(file.relative_to(capture)): file.read_bytes() for file in files}
    snapshots = RunDirectory.open(capture, lock=False).manifest.snapshots or {}
    return found | {key: entry["snapshot"]["block_hash"] for key, entry in snapshots.items()}


async def capture(made: World, run: Path) -> int:
    table = made.write("addresses.csv", made.rows(amounts=False))
    code, _, _ = await made.command("capture", table, run)
    return code


def exact(made: World, run: Path) -> None:
    truth = Counter(
        (network, str(units)) for network, held in made.ledgers.items() for units in held.values()
    )
    assert Counter((key[0], one[0]) for key, one in observed(run).items()) == truth


async def test_the_list_comes_a_night_after_its_height_was_captured(tmp_path: Path) -> None:
    taken, run = tmp_path / "captures/june", tmp_path / "run"
    given = (f"--captured={taken}", "--log=json", f"--metrics={tmp_path / 'acme.prom'}")
    async with world(tmp_path) as made:
        # the night of the height: a capture, and no list yet
        assert await capture(made, taken) == 0
        code, _, err = await made.command("run", tmp_path / "list.csv", run, *given)
        assert (code, run.exists()) == (2, False), err

        # the next night: the same capture once more changes nothing, however far the nodes are
        made.move_on()
        before = kept(taken)
        assert await capture(made, taken) == 0
        assert kept(taken) == before

        # the list is late by a night; then it is there, and once more
        published = made.write("list.csv", made.rows(amounts=True))
        for more in ((), ("--resume",)):
            code, _, err = await made.command("run", published, run, *given, *more)
            assert code == 0, err
            exact(made, run)
        assert 'recount_run_exit_code{target="acme"} 0\n' in (tmp_path / "acme.prom").read_text()


async def test_a_capture_that_missed_the_height_says_so_and_its_rows_stay_gaps(
    tmp_path: Path,
) -> None:
    taken, run = tmp_path / "capture", tmp_path / "run"
    async with world(tmp_path) as made:
        table = made.write("addresses.csv", made.rows(amounts=False, networks=["TRONX"]))
        made.move_on()
        code, found, err = await made.command("capture", table, taken, "--at=20000000")
        assert code == 3, err
        (moment,) = found["chains"]
        assert (moment["reason"], moment["answered"]) == ("no-usable-endpoint", 0)
        assert moment["gaps"] == {"no-usable-endpoint": 3}
        published = made.write("list.csv", made.rows(amounts=True, networks=["TRONX"]))
        code, _, err = await made.command("run", published, run, f"--captured={taken}")
    assert code == 3, err
    assert {one[0] for one in observed(run).values()} == {None}
    assert "captured" not in {one[1] for one in observed(run).values()}


async def test_what_retention_deletes_leaves_the_newer_run_as_it_was(tmp_path: Path) -> None:
    """The newer run took over signature results; the older one goes, and so may the capture."""
    runs, taken = tmp_path / "runs", tmp_path / "capture"
    old, new = runs / "may", runs / "june"
    async with world(tmp_path) as made:
        assert await capture(made, taken) == 0
        published = made.write("list.csv", made.rows(amounts=True))
        assert (await made.command("run", published, old, f"--captured={taken}"))[0] == 0
        made.move_on()
        given = (f"--earlier={old}", f"--captured={taken}")
        code, _, err = await made.command("run", published, new, *given)
        assert code == 0, err
        assert json.loads((new / "report.json").read_bytes())["circumstances"]["carried"] == {
            "run": "may",
            "rows": 15,
        }
        before = result_bytes(new)
        code, out, err = await recount("prune", str(runs), "--keep", "1", "--json")
        assert (code, json.loads(out)["deleted"]) == (0, [str(old)]), err
        assert taken.exists()
        shutil.rmtree(taken)
        for command in ("replay", "resume", "report"):
            code, _, err = await recount(command, str(new))
            assert code == 0, (command, err)
            assert result_bytes(new) == before
        exact(made, new)


STOPPED_BEFORE_EXAMINING = """
import os
from crawler import jobs
jobs.examine_list = lambda *_, **__: os._exit(9)
"""


async def test_an_unfinished_run_goes_on_where_its_earlier_run_was_pruned(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    async with serving(tmp_path / "in") as made:
        for name in ("april", "may"):
            code, _, err = await recount(*made.arguments(runs / name))
            assert code == 1, err
        given = (*made.arguments(runs / "june"), "--earlier", str(runs / "april"))
        process = await start(*given, prelude=STOPPED_BEFORE_EXAMINING)
        await process.communicate()
        assert process.returncode == 9
        assert RunDirectory.open(runs / "june", lock=False).manifest.examined is None
        code, out, err = await recount("prune", str(runs), "--keep", "1", "--json")
        assert (code, json.loads(out)["deleted"]) == (0, [str(runs / "april")]), err

        code, _, err = await recount("resume", str(runs / "june"))
        assert code == 1, err
        assert "nothing is carried over from april: it is gone" in err
    assert result_bytes(runs / "june") == result_bytes(runs / "may")
