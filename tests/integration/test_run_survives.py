"""A run that is killed, starved, lied to or disturbed ends as the undisturbed one, or says why."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aiohttp import web

from chains.simulated.node import SimulatedNode
from chains.transport import RetryPolicy
from crawler.counting.units import to_text
from crawler.demo.nodes import nodes
from tests.integration.made_up_run import kill_when, recount, result_bytes, serving, start

pytestmark = pytest.mark.integration

SHARDS = 10
"""Balances of six assets, control of the contracts and of their owners, facts of two tokens."""


def finished_shards(run: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in run.glob("shards/*.parquet")}


async def undisturbed(made_up, run: Path) -> bytes:
    code, _, err = await recount(*made_up.arguments(run))
    assert (code, err.count("Traceback")) == (1, 0), err
    assert len(finished_shards(run)) == SHARDS
    return result_bytes(run)


async def appears(path: Path) -> None:
    """Wait for a file; the test's own time limit ends a vain wait."""
    while not path.exists():  # noqa: ASYNC110, ASYNC240 - another process makes it
        await asyncio.sleep(0.01)


MOMENTS = {
    "before anything": lambda run: run.exists(),
    "while examining": lambda run: (run / "manifest.json").exists(),
    "examined": lambda run: (run / "inputs/inputs.json").exists(),
    "planned": lambda run: any(run.glob("plan/*.parquet")),
    "first evidence": lambda run: any(run.glob("evidence/[0-9a-f]*")),
    "one shard": lambda run: len(finished_shards(run)) >= 1,
    "five shards": lambda run: len(finished_shards(run)) >= 5,
    "all shards": lambda run: len(finished_shards(run)) >= SHARDS,
}


@pytest.mark.parametrize("moment", MOMENTS)
async def test_kill_9_then_resume_gives_the_same_result(tmp_path, moment):
    async with serving(tmp_path / "inputs") as made_up:
        expected = await undisturbed(made_up, tmp_path / "whole")
        run = tmp_path / "killed"
        for node in made_up.nodes.values():
            node.faults.delay_s = 0.02
        process = await start(*made_up.arguments(run))
        assert await kill_when(process, lambda: MOMENTS[moment](run))
        before = finished_shards(run)
        if not (run / "manifest.json").exists():
            code, _, err = await recount("resume", str(run), "--quiet")
            assert code == 2
            assert "is no run directory" in err
            code, _, err = await recount(*made_up.arguments(run))
            assert (code, result_bytes(run)) == (1, expected), err
            return
        code, _, err = await recount("resume", str(run), "--quiet")
        assert code == 1, err
        after = finished_shards(run)
        assert {name: after[name] for name in before} == before
        assert len(after) == SHARDS
        assert result_bytes(run) == expected
        assert not list(run.rglob(".*.part"))


async def test_transient_gaps_are_asked_again_and_become_observations(tmp_path):
    async with serving(tmp_path / "inputs") as made_up:
        expected = await undisturbed(made_up, tmp_path / "whole")
        run = tmp_path / "interrupted"
        tron = made_up.nodes["tron-one"]
        seen = 0

        async def failing_balances(request, body, answer=tron.answer):
            nonlocal seen
            if request.path == "/wallet/getaccountbalance" and b'"hash"' in body:
                seen += 1
                if seen > 2:
                    return web.Response(status=500)
            return await answer(request, body)

        healthy, tron.answer = tron.answer, failing_balances
        code, _, err = await recount(*made_up.arguments(run))
        assert code == 1, err
        assert "gap:server-error" in (run / "report.json").read_text()
        assert result_bytes(run) != expected
        tron.answer = healthy
        code, _, err = await recount("resume", str(run), "--quiet")
        assert code == 1, err
        assert result_bytes(run) == expected
        asked = made_up.requests
        code, _, err = await recount("resume", str(run), "--quiet")
        assert result_bytes(run) == expected
        pinning_only = made_up.requests - asked
        assert pinning_only < 30


def garbage_at_first(node: SimulatedNode, times: int) -> None:
    """Let a proxy's page answer the first requests with status 200."""
    strikes, left = node._strikes, iter(range(times))

    def strike(fault: str, every: int) -> bool:
        if fault == "html" and next(left, None) is not None:
            node.caused[fault] += 1
            return True
        return strikes(fault, every)

    node._strikes = strike


@pytest.mark.parametrize("times", [1, 3])
async def test_a_moment_whose_answer_cannot_be_read_is_asked_for_again(tmp_path, times):
    """One page of a proxy while pinning is no reason to ask about no account at all."""
    async with serving(tmp_path / "inputs") as made_up:
        expected = await undisturbed(made_up, tmp_path / "whole")
        node = made_up.nodes["tron-one"]
        garbage_at_first(node, times)
        run = tmp_path / "disturbed"
        code, _, err = await recount(*made_up.arguments(run))
        assert (code, node.caused["html"]) == (1, times), err
        assert result_bytes(run) == expected
        code, _, err = await recount("replay", str(run))
        assert code == 1, err


def spoiling_at_first(node: SimulatedNode, asked: bytes, times: int, status: int) -> None:
    """Let the first requests for something end without an answer that can be read."""
    honest, left = node.answer, iter(range(times))

    async def answer(request: web.Request, body: bytes) -> web.StreamResponse:
        if asked in body and next(left, None) is not None:
            node.caused["spoilt"] += 1
            return web.Response(status=status, body=b'[{"\xff')
        return await honest(request, body)

    node.answer = answer


@pytest.mark.parametrize(
    ("status", "times"), [(500, RetryPolicy().attempts), (200, 1)], ids=["no-answer", "unreadable"]
)
async def test_a_moment_of_which_an_answer_is_missing_is_not_pinned_without_it(
    tmp_path, status, times
):
    """Without the block's reward no scan at this height would ever be believed in this run."""

    def canaries(run: Path) -> dict[str, object]:
        pinned = json.loads((run / "manifest.json").read_bytes())["snapshots"]
        return {key: one["snapshot"]["canaries"] for key, one in pinned.items()}

    async with serving(tmp_path / "inputs") as made_up:
        expected = await undisturbed(made_up, tmp_path / "whole")
        node = made_up.nodes["bitcoin-core"]
        spoiling_at_first(node, b"getrawtransaction", times, status)
        run = tmp_path / "disturbed"
        code, _, err = await recount(*made_up.arguments(run))
        assert (code, node.caused["spoilt"]) == (1, times), err
        assert canaries(run) == canaries(tmp_path / "whole")
        assert result_bytes(run) == expected
        code, _, err = await recount("replay", str(run))
        assert code == 1, err


async def test_a_moment_that_is_never_shown_is_asked_for_three_times(tmp_path):
    async with serving(tmp_path / "inputs") as made_up:
        node = made_up.nodes["tron-one"]
        node.faults.html_every = 1
        run = tmp_path / "disturbed"
        code, _, err = await recount(*made_up.arguments(run))
        assert (code, len(list(run.glob("evidence/snapshot.tron*")))) == (1, 3), err
        report = json.loads((run / "report.json").read_bytes())
        codes = {finding["code"] for finding in report["result"]["findings"]}
        assert "gap:malformed-answer" in codes
        node.faults.html_every = 0
        code, _, err = await recount("resume", str(run), "--quiet")
        assert result_bytes(run) == await undisturbed(made_up, tmp_path / "whole")


async def test_evidence_without_answers_is_decoded_and_not_asked_again(tmp_path):
    run = tmp_path / "run"
    async with serving(tmp_path / "inputs") as made_up:
        expected = await undisturbed(made_up, run)
        for file in run.glob("shards/*.parquet"):
            file.unlink()
        evidence = {file: file.stat().st_mtime_ns for file in run.glob("evidence/[0-9a-f]*")}
        asked = made_up.requests
        code, _, err = await recount("resume", str(run), "--quiet")
        assert code == 1, err
        pinning_only = made_up.requests - asked
    assert pinning_only < 30
    assert len(finished_shards(run)) == SHARDS
    assert result_bytes(run) == expected
    assert {file: file.stat().st_mtime_ns for file in evidence} == evidence


async def test_replay_needs_no_node_and_gives_the_same_result(tmp_path):
    async with serving(tmp_path / "inputs") as made_up:
        expected = await undisturbed(made_up, tmp_path / "run")
    for file in (tmp_path / "inputs").iterdir():
        file.unlink()
    code, out, err = await recount("replay", str(tmp_path / "run"), "--json")
    assert code == 1, err
    assert json.dumps(json.loads(out)["result"], sort_keys=True).encode() == expected


async def test_changed_evidence_or_answers_stop_the_replay(tmp_path):
    run = tmp_path / "run"
    async with serving(tmp_path / "inputs") as made_up:
        await undisturbed(made_up, run)
    pack = max(run.glob("evidence/[0-9a-f]*.zst"), key=lambda file: file.stat().st_size)
    good = pack.read_bytes()
    with pa.input_stream(str(pack), compression="zstd") as stream:
        text = stream.read()
    with pa.CompressedOutputStream(str(pack), "zstd") as stream:
        stream.write(text.replace(b'"result":"0x', b'"result":"0x1', 1).replace(b"units", b"unitz"))
    if text == text.replace(b'"result":"0x', b'"result":"0x1', 1).replace(b"units", b"unitz"):
        pack.write_bytes(good[: len(good) // 2])
    code, _, err = await recount("replay", str(run))
    assert code == 4, err
    assert "evidence" in err or "digest" in err
    assert "Traceback" not in err
    pack.write_bytes(good)
    shard = max(run.glob("shards/*.parquet"), key=lambda file: file.stat().st_size)
    table = pq.read_table(shard)
    units = table["units"].to_pylist()
    units[0] = str(int(units[0]) + 1)
    pq.write_table(table.set_column(3, table.schema.field(3), [units]), shard)
    code, _, err = await recount("replay", str(run))
    assert code == 4
    assert "gives another units than was stored" in err


async def test_two_processes_on_one_run_directory(tmp_path):
    async with serving(tmp_path / "inputs") as made_up:
        for node in made_up.nodes.values():
            node.faults.delay_s = 0.1
        run = tmp_path / "run"
        first = await start(*made_up.arguments(run))
        await appears(run / "manifest.json")
        code, _, err = await recount("resume", str(run), "--quiet")
        assert code == 4
        assert "another process works on" in err
        await first.communicate()
        assert first.returncode == 1


async def test_a_full_disk_is_one_sentence_and_loses_nothing(tmp_path):
    async with serving(tmp_path / "inputs") as made_up:
        expected = await undisturbed(made_up, tmp_path / "whole")
        run = tmp_path / "full"

        def at_most_4_kib() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

        code, _, err = await recount(*made_up.arguments(run), preexec_fn=at_most_4_kib)
        assert code == 4, err
        assert "cannot write" in err
        assert "Traceback" not in err
        code, _, err = await recount("resume", str(run), "--quiet")
        assert code == 1, err
        assert result_bytes(run) == expected


async def test_a_dead_endpoint_leaves_the_run_incomplete_not_wrong(tmp_path):
    async with serving(tmp_path / "inputs") as made_up:
        await made_up.nodes["solana-one"].stop()
        run = tmp_path / "run"
        await recount(*made_up.arguments(run))
        report = json.loads((run / "report.json").read_bytes())["result"]
        sol = next(line for line in report["assets"] if line["asset"] == "SOL")
        assert (sol["verdict"], sol["observed"], sol["coverage"]) == ("not-looked-at", None, "0")
        codes = {finding["code"]: finding["about"] for finding in report["findings"]}
        assert codes["gap:unreachable"] == "recount"


@contextlib.asynccontextmanager
async def witnessed(made_up, *, lying_about=()):
    """Add a witness to the Ethereum endpoint; it says one wei more of some accounts."""
    state = made_up.world
    honest = made_up.nodes["ethereum-one"]
    native = {account: units + (account in lying_about) for account, units in state.ether.items()}
    other = nodes(msgspec.structs.replace(state, ether=native))["ethereum-one"]
    other.genesis_time = honest.genesis_time
    async with other:
        file = Path(made_up.options.endpoints)
        text = file.read_text() + (  # noqa: ASYNC240 - a test may block
            '\n[[endpoints]]\nname = "witness"\nrole = "witness"\nchain = "eip155:31337"\n'
            f'url = "{other.url}"\nown_node = true\n'
        )
        file.write_text(text)  # noqa: ASYNC240
        yield


async def test_a_witness_that_agrees_makes_a_quorum(tmp_path):
    async with serving(tmp_path / "inputs") as made_up, witnessed(made_up):
        await recount(*made_up.arguments(tmp_path / "run"))
        result = json.loads((tmp_path / "run/report.json").read_bytes())["result"]
        ether = next(line for line in result["assets"] if line["asset"] == "ETH")
        assert ether["sources"] == {"quorum/state": ether["observed"]}
        code, _, err = await recount("replay", str(tmp_path / "run"))
        assert code == 1, err


async def test_a_witness_that_disagrees_leaves_a_gap_that_nobody_counts(tmp_path):
    async with serving(tmp_path / "inputs") as made_up, contextlib.AsyncExitStack() as stack:
        row = next(row for row in reversed(made_up.world.rows) if row.coin == "ETH")
        account = bytes.fromhex(row.address[2:])
        await stack.enter_async_context(witnessed(made_up, lying_about={account}))
        code, _, err = await recount(*made_up.arguments(tmp_path / "run"))
        assert code == 1, err
        result = json.loads((tmp_path / "run/report.json").read_bytes())["result"]
        ether = next(line for line in result["assets"] if line["asset"] == "ETH")
        assert ether["unobserved"] == to_text(row.units, 18)
        assert ether["sources"] == {"quorum/state": ether["observed"]}
        (found,) = [f for f in result["findings"] if f["code"] == "gap:witness-disagrees"]
        assert (found["about"], found["count"]) == ("recount", 1)


async def test_endpoints_that_disagree_about_a_canary_stop_the_run(tmp_path):
    async with serving(tmp_path / "inputs") as made_up, contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(witnessed(made_up, lying_about=made_up.world.ether))
        code, _, err = await recount(*made_up.arguments(tmp_path / "run"))
        assert code == 4
        assert "reported differently" in err


async def test_an_endpoint_of_another_chain_stops_the_run(tmp_path):
    async with serving(tmp_path / "inputs") as made_up:
        made_up.nodes["ethereum-one"].wrong_chain_id = 1
        code, _, err = await recount(*made_up.arguments(tmp_path / "run"))
        assert code == 4
        assert "chain" in err
        assert "Traceback" not in err


async def test_a_reorganised_block_stops_the_resume(tmp_path):
    async with serving(tmp_path / "inputs") as made_up:
        await undisturbed(made_up, tmp_path / "run")
        made_up.nodes["ethereum-one"].reorganise(1)
        code, _, err = await recount("resume", str(tmp_path / "run"), "--quiet")
        assert code == 4
        assert "start a new run" in err
