"""Balances captured at the height give exact totals after the nodes have moved on."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest
from capture_world import HEIGHT, POOR, RICH, World, ledger_of, observed, world
from made_up_run import recount

from chains.simulated.solana import SimulatedSolana

pytestmark = pytest.mark.integration


async def captured(made: World, name: str = "capture", *more: str) -> Path:
    """Take a capture of all five chains now."""
    table = made.write("addresses.csv", made.rows(amounts=False))
    run = made.directory / name
    code, taken, err = await made.command("capture", table, run, *more)
    assert code == 0, (taken, err)
    return run


def true_totals(made: World) -> dict[str, Counter[str | None]]:
    return {network: Counter(map(str, ledger.values())) for network, ledger in made.ledgers.items()}


def totals(run: Path) -> dict[str, Counter[str | None]]:
    found: dict[str, Counter[str | None]] = {}
    for (network, _), (units, _, _) in observed(run).items():
        found.setdefault(network, Counter())[units] += 1
    return found


async def test_a_capture_answers_what_the_nodes_have_forgotten(tmp_path: Path):
    async with world(tmp_path) as made:
        table = made.write("addresses.csv", made.rows(amounts=False))
        code, taken, err = await made.command("capture", table, tmp_path / "capture")
        assert code == 0, err
        heads = {one["chain"]: (one["height"], one["questions"]) for one in taken["chains"]}
        assert heads == {spec.id: (HEIGHT, 3) for spec in made.specs.values()}
        made.move_on()
        published = made.write("list.csv", made.rows(amounts=True))

        code, _, err = await made.command("run", published, tmp_path / "without")
        assert code == 3, err
        lost = [gap for units, _, gap in observed(tmp_path / "without").values() if units is None]
        assert len(lost) == 15  # nothing can be seen any more

        given = f"--captured={tmp_path / 'capture'}"
        code, report, err = await made.command("run", published, tmp_path / "with", given)
        assert code == 0, err
        assert totals(tmp_path / "with") == true_totals(made)
        assert {method for _, method, _ in observed(tmp_path / "with").values()} == {"captured"}
        assert {one["block_hash"] for one in report["result"]["snapshots"]} == {
            one["block_hash"] for one in taken["chains"]
        }
    # the nodes are gone, and so is the original
    shutil.rmtree(tmp_path / "capture")
    code, out, err = await recount("replay", str(tmp_path / "with"), "--json")
    assert code == 0, err
    assert json.loads(out)["result"] == report["result"]


async def test_the_evidence_of_a_captured_answer_lies_in_the_run(tmp_path: Path):
    async with world(tmp_path) as made:
        capture = await captured(made)
        made.move_on()
        rows = made.rows(amounts=True)
        rows[0]["amount"] = "999999"  # a shortfall, whose evidence the report points to
        published = made.write("list.csv", rows)
        run = tmp_path / "run"
        code, report, err = await made.command("run", published, run, f"--captured={capture}")
    assert code == 1, err
    pointers = report["circumstances"]["evidence"]
    assert pointers
    assert all(one["pack"].startswith("captured/") for one in pointers)
    assert all((run / one["pack"]).is_file() for one in pointers)
    (row,) = [row for row in ledger_of(run) if row["row"] == pointers[0]["row"]]
    assert (row["observed"], row["method"]) == (str(RICH), "captured")


async def test_without_any_endpoint_the_captured_block_is_the_moment(tmp_path: Path):
    async with world(tmp_path) as made:
        capture = await captured(made)
    published = made.write("list.csv", made.rows(amounts=True))
    given = f"--captured={capture}"
    code, report, err = await made.command("run", published, tmp_path / "run", given, asks=False)
    assert code == 0, err
    assert totals(tmp_path / "run") == true_totals(made)
    assert all(one["block_hash"] for one in report["result"]["snapshots"])


async def test_what_was_not_captured_and_cannot_be_asked_says_why(tmp_path: Path):
    async with world(tmp_path) as made:
        table = made.write("addresses.csv", made.rows(amounts=False, networks=["EOSX"])[:2])
        code, _, err = await made.command("capture", table, tmp_path / "capture")
        assert code == 0, err
    published = made.write("list.csv", made.rows(amounts=True, networks=["EOSX"]))
    given = f"--captured={tmp_path / 'capture'}"
    code, _, err = await made.command("run", published, tmp_path / "run", given, asks=False)
    assert code == 0, err  # the missing one holds nothing of the claimed amount
    found = observed(tmp_path / "run")
    assert found["EOSX", "carol"] == (None, "", "no-endpoint")
    assert found["EOSX", "alice"] == (str(RICH), "captured", "")


async def test_accounts_that_were_not_captured_are_asked(tmp_path: Path):
    async with world(tmp_path) as made:
        some = [row for i, row in enumerate(made.rows(amounts=False)) if i % 3]
        table = made.write("addresses.csv", some)
        code, _, err = await made.command("capture", table, tmp_path / "capture")
        assert code == 0, err
        made.move_on("EOSX")
        published = made.write("list.csv", made.rows(amounts=True))
        given = f"--captured={tmp_path / 'capture'}"
        code, _, err = await made.command("run", published, tmp_path / "run", given)
    assert code == 3, err
    found = observed(tmp_path / "run")
    assert found["EOSX", "alice"] == (None, "", "no-history")
    assert found["EOSX", "bob"] == (str(POOR), "captured", "")
    others = {(network, *one[1:]) for (network, _), one in found.items() if network != "EOSX"}
    assert others == {  # what is seen stands by itself
        ("EVMX", "state", ""), ("TRONX", "state", ""), ("SOLX", "state", ""),
        ("ELFX", "untouched", ""),
    }  # fmt: skip


async def test_a_capture_never_overrides_what_is_observed(tmp_path: Path):
    async with world(tmp_path) as made:
        liar = made.nodes["EVMX"]
        address = next(iter(made.ledgers["EVMX"]))
        truth = liar.history[HEIGHT].native
        truth[address] += 1
        capture = await captured(made)
        truth[address] -= 1
        published = made.write("list.csv", made.rows(amounts=True))
        given = f"--captured={capture}"
        code, _, err = await made.command("run", published, tmp_path / "run", given)
        assert code == 3, err
        found = observed(tmp_path / "run")
        lost = {key: one for key, one in found.items() if one[0] is None}
        assert [(key[0], one[2]) for key, one in lost.items()] == [("EVMX", "capture-disagrees")]
        code, _, err = await recount("replay", str(tmp_path / "run"), "--json")
        assert code == 3, err


async def test_two_captures_that_disagree_answer_nothing(tmp_path: Path):
    async with world(tmp_path) as made:
        first = await captured(made, "first")
        made.nodes["TRONX"].contradict = 5
        second = await captured(made, "second")
        made.move_on()
        published = made.write("list.csv", made.rows(amounts=True))
        given = (f"--captured={first}", f"--captured={second}")
        code, _, err = await made.command("run", published, tmp_path / "run", *given)
    assert code == 3, err
    lost = Counter((key[0], one[2]) for key, one in observed(tmp_path / "run").items() if one[2])
    assert lost == {("TRONX", "capture-disagrees"): 2}  # both zeros are zero


async def test_a_capture_of_another_block_stops_the_run(tmp_path: Path):
    async with world(tmp_path) as made:
        capture = await captured(made)
        made.nodes["EVMX"].reorganise(HEIGHT)
        published = made.write("list.csv", made.rows(amounts=True))
        given = f"--captured={capture}"
        code, _, err = await made.command("run", published, tmp_path / "run", given)
    assert code == 4
    assert "not of this chain any more" in err


async def test_a_capture_at_another_height_is_not_used(tmp_path: Path):
    async with world(tmp_path) as made:
        capture = await captured(made)
        made.move_on()
        rows = made.rows(amounts=True)
        for row in rows:
            row["height"] = str(HEIGHT + 1)
        published = made.write("list.csv", rows)
        given = f"--captured={capture}"
        code, _, err = await made.command("run", published, tmp_path / "run", given)
    assert code == 3, err
    assert {units for units, _, _ in observed(tmp_path / "run").values()} == {None}


@pytest.mark.parametrize("part", ["evidence", "shards"])
async def test_a_damaged_capture_is_not_taken_in(tmp_path: Path, part: str):
    async with world(tmp_path) as made:
        capture = await captured(made)
        for file in (capture / part).iterdir():
            if not file.name.startswith("snapshot"):
                file.write_bytes(file.read_bytes()[:-20])
        published = made.write("list.csv", made.rows(amounts=True))
        given = f"--captured={capture}"
        code, _, err = await made.command("run", published, tmp_path / "run", given)
    assert code == 4
    assert "damaged" in err


async def test_links_in_a_capture_take_no_other_file_into_the_run(tmp_path: Path):
    (tmp_path / "private").write_text("private")
    async with world(tmp_path) as made:
        capture = await captured(made)
        (capture / "evidence" / "more.jsonl.zst").symlink_to(tmp_path / "private")
        published = made.write("list.csv", made.rows(amounts=True))
        given = f"--captured={capture}"
        code, _, err = await made.command("run", published, tmp_path / "run", given)
    assert code == 4
    assert "is a link" in err
    assert not list((tmp_path / "run").rglob("more*"))


async def test_a_run_is_no_capture(tmp_path: Path):
    async with world(tmp_path) as made:
        published = made.write("list.csv", made.rows(amounts=True))
        await made.command("run", published, tmp_path / "first")
        given = f"--captured={tmp_path / 'first'}"
        code, _, err = await made.command("run", published, tmp_path / "second", given)
        assert code == 2
        assert "is no capture" in err
        assert not (tmp_path / "second").exists()


async def test_the_same_command_continues_a_capture(tmp_path: Path):
    async with world(tmp_path) as made:
        made.nodes["SOLX"].faults.error_every = 1
        table = made.write("addresses.csv", made.rows(amounts=False))
        code, taken, err = await made.command("capture", table, tmp_path / "capture")
        assert code == 3, err
        missing = [one for one in taken["chains"] if one["reason"]]
        assert [(one["chain"], one["reason"]) for one in missing] == [
            ("solana:sim", "server-error")
        ]
        # heights are frozen; the chain that had none gets its own now
        made.nodes["SOLX"].faults.error_every = 0
        made.nodes["EVMX"].head = HEIGHT + 7
        made.nodes["SOLX"].finalized = HEIGHT + 7
        code, again, err = await made.command("capture", table, tmp_path / "capture")
        assert code == 0, err
        heights = {one["chain"]: one["height"] for one in again["chains"]}
        assert heights.pop("solana:sim") == HEIGHT + 7
        assert set(heights.values()) == {HEIGHT}
        code, out, err = await recount("replay", str(tmp_path / "capture"), "--json")
        assert code == 0, err
        assert len(json.loads(out)["chains"]) == 5
        code, _, err = await recount("resume", str(tmp_path / "capture"), "--quiet")
        assert code == 2
        assert "is a capture" in err


async def test_a_height_is_waited_for(tmp_path: Path):
    async with world(tmp_path) as made:
        node: SimulatedSolana = made.nodes["SOLX"]
        node.finalized = HEIGHT - 2
        slots = node._methods["getSlot"]

        def moving(params: object) -> object:
            node.finalized = min(node.finalized + 1, HEIGHT)
            return slots(params)  # type: ignore[arg-type]

        node._methods["getSlot"] = moving
        table = made.write("addresses.csv", made.rows(amounts=False, networks=["SOLX"]))
        code, taken, err = await made.command(
            "capture", table, tmp_path / "capture", f"--at={HEIGHT}", "--timeout=60"
        )
    assert code == 0, err
    assert [(one["height"], one["answered"]) for one in taken["chains"]] == [(HEIGHT, 3)]
    assert node.calls["getSlot"] >= 2


async def test_a_height_that_does_not_come_ends_the_wait(tmp_path: Path):
    async with world(tmp_path) as made:
        table = made.write("addresses.csv", made.rows(amounts=False, networks=["EOSX"]))
        run = tmp_path / "capture"
        late = f"--at={HEIGHT + 1}"
        code, _, err = await made.command("capture", table, run, late, "--timeout=0")
        assert code == 4
        assert "has not reached 20000001" in err
        made.nodes["EOSX"].head += 1
        code, taken, err = await made.command("capture", table, run, late, "--timeout=0")
    assert code == 0, err
    assert taken["chains"][0]["height"] == HEIGHT + 1


async def test_one_height_is_of_one_chain(tmp_path: Path):
    async with world(tmp_path) as made:
        table = made.write("addresses.csv", made.rows(amounts=False))
        at = f"--at={HEIGHT}"
        code, _, err = await made.command("capture", table, tmp_path / "a", at)
        assert (code, "--chain" in err) == (2, True)
        code, taken, err = await made.command(
            "capture", table, tmp_path / "b", at, "--chain=tron:sim"
        )
        assert code == 0, err
        assert [one["chain"] for one in taken["chains"]] == ["tron:sim"]
        code, _, err = await made.command("capture", table, tmp_path / "c", "--chain=tron:other")
        assert code == 2
        code, _, err = await made.command("capture", table, tmp_path / "d", "--at=soon")
        assert (code, "'now'" in err) == (2, True)
