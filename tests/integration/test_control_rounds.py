"""Who controls those in control is asked in rounds, each frozen before it is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from made_up_run import kill_when, recount, result_bytes, start
from validators import HEIGHT, NATIVE, OWNER, STRANGER, Row, Validators, paid_to, rows_of, serving

from chains.simulated.eip155 import Contract
from crawler.demo import keys

pytestmark = pytest.mark.integration

ME, ANOTHER = keys.evm_address(OWNER), keys.evm_address(STRANGER)
WALLET, SAFE, VAULT = (bytes((n,)) * 20 for n in range(0xA1, 0xA4))
CONTRACTS = {
    WALLET: Contract(owner=ME),
    SAFE: Contract(safe_owners=(ANOTHER, WALLET), threshold=1),
    VAULT: Contract(owner=SAFE),
}
ROWS = {
    "another's": Row(NATIVE, paid_to(ANOTHER)),
    "contract": Row(NATIVE, paid_to(WALLET)),
    "three contracts": Row(NATIVE, paid_to(VAULT)),
}
CONTROLLED, DENIED = ("controlled", "owner-in-control"), ("refuted", "owner-not-in-control")
EXPECTED = {"another's": DENIED, "contract": CONTROLLED, "three contracts": CONTROLLED}
NOT_SEEN = ("signer-only", "controller-unobserved")


def served(directory: Path):
    return serving(directory, ROWS, CONTRACTS, {})


def plan(run: Path) -> list[Mapping[str, object]]:
    """Return the frozen plan, as far as it got."""
    return json.loads((run / "manifest.json").read_bytes())["plan"] or []


def frozen(run: Path) -> int:
    """Return the newest round that is frozen, -1 for none."""
    if not (run / "manifest.json").exists():
        return -1
    return max((entry["round"] for entry in plan(run)), default=-1)


def answered(run: Path, number: int) -> bool:
    digests = [entry["digest"] for entry in plan(run) if entry["round"] == number]
    return bool(digests) and all((run / f"shards/{one}.1.parquet").exists() for one in digests)


async def whole(made: Validators, run: Path) -> bytes:
    code, _, err = await recount(*made.arguments(run))
    assert code == 1, err
    assert rows_of(run, ROWS).verdicts() == EXPECTED
    return result_bytes(run)


UNDISTURBED: list[tuple[bytes, list[Mapping[str, object]]]] = []
"""Result and plan of a run that nobody disturbs: the same for all tests, made by the first."""


async def undisturbed(made: Validators, run: Path) -> tuple[bytes, list[Mapping[str, object]]]:
    if not UNDISTURBED:
        UNDISTURBED.append((await whole(made, run), plan(run)))
    return UNDISTURBED[0]


async def test_a_round_asks_about_everybody_new_once_and_leaves_its_evidence(
    tmp_path: Path,
) -> None:
    async with served(tmp_path / "inputs") as made:
        UNDISTURBED[:] = [(await whole(made, tmp_path / "run"), plan(tmp_path / "run"))]
    control = [one for one in plan(tmp_path / "run") if one["kind"] == "control"]
    asked = [(one["chain"], one["questions"], one["round"]) for one in control]
    assert asked == [("beacon:1", 3, 0), ("eip155:1", 3, 1), ("eip155:1", 1, 2)]
    report = json.loads((tmp_path / "run/report.json").read_bytes())
    behind = [one["pack"] for one in report["circumstances"]["evidence"]]
    assert {f"evidence/{one['digest']}.1.jsonl.zst" for one in control[:2]} == set(behind)
    code, _, err = await recount("replay", str(tmp_path / "run"))
    assert code == 1, err


MOMENTS = {
    "first round asked": lambda run: frozen(run) == 0 and answered(run, 0),
    "second round frozen": lambda run: frozen(run) == 1,
    "second round asked": lambda run: frozen(run) == 1 and answered(run, 1),
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_kill_9_between_rounds_then_resume_gives_the_same_result(
    tmp_path: Path, moment: str
) -> None:
    async with served(tmp_path / "inputs") as made:
        expected, rounds = await undisturbed(made, tmp_path / "whole")
        for node in (made.beacon, made.evm):
            node.faults.delay_s = 0.05
        run = tmp_path / "killed"
        process = await start(*made.arguments(run))
        assert await kill_when(process, lambda: MOMENTS[moment](run))
        before = plan(run)
        code, _, err = await recount("resume", str(run), "--quiet")
        assert (code, result_bytes(run)) == (1, expected), err
        assert plan(run)[: len(before)] == before
        assert plan(run) == rounds


async def test_controllers_that_nobody_could_ask_are_asked_when_the_run_is_resumed(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    async with served(tmp_path / "inputs") as made:
        expected, _ = await undisturbed(made, tmp_path / "whole")
        made.evm.faults.status, made.evm.faults.error_every = 500, 1
        code, _, err = await recount(*made.arguments(run))
        assert code == 0, err
        assert rows_of(run, ROWS).verdicts() == dict.fromkeys(ROWS, NOT_SEEN)
        assert frozen(run) == 1
        replayed, _, err = await recount("replay", str(run))
        assert replayed == 0, err
        made.evm.faults.error_every = 0
        code, _, err = await recount("resume", str(run), "--quiet")
        assert (code, result_bytes(run)) == (1, expected), err
        (run / "plan" / f"{plan(run)[-1]['digest']}.parquet").unlink()
        code, _, err = await recount("resume", str(run), "--quiet")
        assert (code, result_bytes(run)) == (1, expected), err


async def test_a_capture_takes_the_rounds_with_it(tmp_path: Path) -> None:
    async with served(tmp_path / "inputs") as made:
        capture, run = tmp_path / "capture", tmp_path / "run"
        options = ("--at", str(HEIGHT), "--chain", "beacon:1", "--quiet")
        arguments = made.arguments(capture)[1:-1]
        code, _, err = await recount("capture", *arguments, *options)
        assert code == 0, err
        assert frozen(capture) == 2
        await made.evm.stop()
        code, _, err = await recount(*made.arguments(run), "--captured", str(capture))
        assert code == 1, err
        assert rows_of(run, ROWS).verdicts() == EXPECTED
        assert frozen(run) == 2
        replayed, _, err = await recount("replay", str(run))
        assert replayed == 1, err


async def test_a_plan_counts_calls_of_control_and_what_may_follow(tmp_path: Path) -> None:
    async with served(tmp_path / "inputs") as made:
        list_path, endpoints = made.arguments(tmp_path)[1:3]
        code, out, err = await recount("plan", list_path, endpoints, "--json", "--quiet")
        asked = made.beacon.requests + made.evm.requests
    assert (code, asked) == (0, 0), err
    shown = [
        (one["chain"], one["kind"], one["questions"], one["calls"], one["certain"])
        for one in json.loads(out)["questions"]
    ]
    assert shown == [
        ("beacon:1", "balance", 3, 5, True),
        ("beacon:1", "control", 3, 5, True),
        ("eip155:1", "control", 3, 21, False),
    ]
