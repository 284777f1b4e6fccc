"""A run on a Dask cluster of real worker processes ends as the run of one process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
from pathlib import Path

import pyarrow as pa
import pytest

from crawler.cluster.coordinator import Cluster
from crawler.errors import EnvironmentFault
from crawler.examining.judging import TASKS, Reading
from crawler.settings import load_world
from tests.integration.dask_cluster import ROOT, dask_cluster
from tests.integration.made_up_run import recount, result_bytes, serving, start
from tests.integration.test_earlier import carried, marked, rows, spoil_a_signature

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("cluster")]

SECRET = "correct-horse-battery-staple"
NAME = "RECOUNT_TEST_KEY"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """Two workers with two threads each; one of them has the secret in a file."""
    folder = tmp_path_factory.mktemp("cluster")
    (folder / "key").write_text(SECRET + "\n")
    with dask_cluster(folder / "dask") as started:
        started.worker("--nthreads", "2", env={NAME: SECRET})
        started.worker("--nthreads", "2", env={f"{NAME}_FILE": str(folder / "key")})
        yield started


@pytest.fixture(scope="module")
def expected(tmp_path_factory):
    """What one process makes of the made-up exchange."""

    async def alone() -> bytes:
        folder = tmp_path_factory.mktemp("alone")
        async with serving(folder / "inputs") as made_up:
            code, _, err = await recount(*made_up.arguments(folder / "run"))
            assert code == 1, err
        return result_bytes(folder / "run")

    return asyncio.run(alone())


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, **more}


@contextlib.asynccontextmanager
async def exchange(folder: Path, **ethereum: str):
    """Serve the made-up exchange; ``ethereum`` are further lines of that endpoint."""
    async with serving(folder) as made_up:
        file = Path(made_up.options.endpoints)
        head, name, tail = file.read_text().partition('name = "ethereum-one"\n')  # noqa: ASYNC240
        assert name
        own, following, others = tail.partition("[[endpoints]]")
        kept = [one for one in own.splitlines() if one.partition(" = ")[0] not in ethereum]
        lines = [*kept, *(f"{key} = {value}" for key, value in ethereum.items()), ""]
        file.write_text(head + name + "\n".join(lines) + following + others)  # noqa: ASYNC240
        yield made_up


def shards(run: Path) -> dict[str, int]:
    return {file.name: file.stat().st_mtime_ns for file in run.glob("shards/*.parquet")}


async def until(condition, process) -> None:
    """Wait for what a running command brings about."""
    while not condition():
        assert process.returncode is None
        await asyncio.sleep(0.005)


async def test_the_same_result_as_one_process_and_no_secret_anywhere(cluster, expected, tmp_path):
    run = tmp_path / "run"
    header = f'{{ Authorization = "Bearer ${{{NAME}}}" }}'
    async with exchange(tmp_path / "inputs", headers=header) as made_up:
        code, _, err = await recount(
            *made_up.arguments(run), "--cluster", cluster.address, env=environment(**{NAME: SECRET})
        )
        assert code == 1, err
    assert result_bytes(run) == expected
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]
    assert SECRET not in cluster.logs()
    code, _, err = await recount("replay", str(run))
    assert code == 1, err


async def test_signature_results_of_an_earlier_run_are_carried_over_by_the_cluster_too(
    cluster, expected, tmp_path
):
    """The earlier run was made by one process, and the later one changes one signature."""
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    by_cluster = ("--cluster", cluster.address)
    async with exchange(tmp_path / "inputs") as made_up:
        await recount(*made_up.arguments(first))
        loud = [one for one in made_up.arguments(second) if one != "--quiet"]
        code, _, err = await recount(*loud, "--earlier", str(first), *by_cluster)
        assert code == 1, err
        assert result_bytes(second) == expected
        assert carried(second) == {"run": "first", "rows": rows(second)}
        assert marked(second) == rows(second)
        assert f"results of {rows(second)} of {rows(second)} rows are those of first" in err

        spoil_a_signature(Path(made_up.options.list_path))
        given = (*made_up.arguments(third), "--earlier", str(second))
        code, _, err = await recount(*given, *by_cluster)
        assert code == 1, err
        assert rows(third) - 4 <= marked(third) < rows(third)
        await recount(*made_up.arguments(tmp_path / "anew"))
    assert result_bytes(third) == result_bytes(tmp_path / "anew")


async def test_a_worker_killed_on_the_way_costs_nothing_but_work(cluster, expected, tmp_path):
    doomed = cluster.worker("--nthreads", "2")
    run = tmp_path / "run"
    async with exchange(tmp_path / "inputs") as made_up:
        for node in made_up.nodes.values():
            node.faults.delay_s = 0.05
        process = await start(*made_up.arguments(run), "--cluster", cluster.address)
        await until(lambda: shards(run), process)
        doomed.send_signal(signal.SIGKILL)
        _, err = await process.communicate()
        assert process.returncode == 1, err
    assert result_bytes(run) == expected
    names = [name.split(".", 1) for name in shards(run)]
    assert {attempt for _, attempt in names} == {"1.parquet"}
    assert not list(run.rglob(".*.part"))


@pytest.mark.parametrize("alone", [False, True], ids=["by the cluster", "by one process"])
async def test_a_killed_command_is_resumed_and_what_was_finished_stays(
    cluster, expected, tmp_path, alone
):
    run = tmp_path / "run"
    async with exchange(tmp_path / "inputs") as made_up:
        for node in made_up.nodes.values():
            node.faults.delay_s = 0.05
        process = await start(*made_up.arguments(run), "--cluster", cluster.address)
        await until(lambda: shards(run), process)
        process.kill()
        await process.communicate()
        before = shards(run)
        help_from = () if alone else ("--cluster", cluster.address)
        code, _, err = await recount("resume", str(run), "--quiet", *help_from)
        assert code == 1, err
    after = shards(run)
    assert {name: after[name] for name in before} == before
    assert result_bytes(run) == expected


async def test_workers_together_keep_to_rate_and_concurrency(cluster, tmp_path):
    rate, slots = 20, 3
    async with exchange(
        tmp_path / "inputs", rate=f'"{rate}"', concurrency=str(slots), batch="1"
    ) as made_up:
        node = made_up.nodes["ethereum-one"]
        times: list[float] = []
        most = active = 0
        answer = node.answer

        async def counted(request, body):
            nonlocal most, active
            times.append(time.monotonic())
            active += 1
            most = max(most, active)
            try:
                await asyncio.sleep(0.1)
                return await answer(request, body)
            finally:
                active -= 1

        node.answer = counted
        process = await start(*made_up.arguments(tmp_path / "run"), "--cluster", cluster.address)
        await until(lambda: any((tmp_path / "run").glob("plan/*.parquet")), process)
        pinned, began = len(times), time.monotonic()
        await process.communicate()
    asked = times[pinned:]
    assert len(asked) >= 2 * rate
    assert most == slots
    for seconds in (1.0, 2.0):
        within = max(sum(t <= x < t + seconds for x in asked) for t in asked)
        assert within <= rate * seconds + rate
    # From when nobody had a share: one that is not used at once may be made up for.
    assert len(asked) <= rate * (asked[-1] - began) + 1 + slots


async def test_a_lost_scheduler_is_one_sentence_and_the_run_is_resumed(expected, tmp_path):
    run = tmp_path / "run"
    soon = environment(DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s")
    async with exchange(tmp_path / "inputs") as made_up:
        for node in made_up.nodes.values():
            node.faults.delay_s = 0.05
        with dask_cluster(tmp_path / "dask") as doomed:
            doomed.worker("--nthreads", "2")
            given = (*made_up.arguments(run), "--cluster", doomed.address)
            process = await start(*given, env=soon)
            await until(lambda: shards(run), process)
            doomed.scheduler.kill()
            _, err = await process.communicate()
        assert process.returncode == 4, err
        assert b"the cluster at tcp://127.0.0.1:" in err
        assert b"was lost" in err
        assert b"Traceback" not in err
        code, _, told = await recount("resume", str(run))
        assert code == 1, told
    assert result_bytes(run) == expected


def test_what_goes_wrong_here_is_not_said_of_the_cluster(cluster):
    reading = Reading(world=load_world(), exchange="okx")
    with (
        pytest.raises(OSError, match="no space left here"),
        Cluster(cluster.address).judges(reading),
    ):
        raise OSError("no space left here")


def test_verdicts_that_never_come_are_said_of_the_cluster(tmp_path):
    import dask  # noqa: PLC0415 - an extra

    nothing = {field.name: [] if pa.types.is_list(field.type) else "" for field in TASKS}
    task = pa.RecordBatch.from_pylist([nothing], TASKS)
    with (
        dask_cluster(tmp_path) as doomed,
        dask.config.set({"distributed.comm.timeouts.connect": "1s"}),
    ):
        worker = doomed.worker()
        judges = Cluster(doomed.address).judges(Reading(world=load_world(), exchange="okx"))
        with judges as judging:
            assert judging(task).verdicts().num_rows == 1
            worker.kill()
            pending = judging(task)
            doomed.scheduler.kill()
            with pytest.raises(EnvironmentFault, match=f"{doomed.address} was lost"):
                pending.verdicts()


async def test_a_worker_of_another_build_is_refused(tmp_path):
    other = tmp_path / "other"
    for package in ("crawler", "chains", "config"):
        shutil.copytree(ROOT / package, other / package)
    with (other / "chains" / "flow.py").open("a") as file:
        file.write("\n# another build\n")
    async with exchange(tmp_path / "inputs") as made_up:
        with dask_cluster(tmp_path / "dask", env={"PYTHONPATH": str(other)}) as strange:
            strange.worker()
            code, _, err = await recount(
                *made_up.arguments(tmp_path / "run"), "--cluster", strange.address
            )
    assert code == 4
    assert "runs another build of recount (build " in err
    assert "Traceback" not in err


async def test_a_worker_without_the_secret_is_named(cluster, tmp_path):
    header = '{ Authorization = "Bearer ${RECOUNT_OTHER_KEY}" }'
    async with exchange(tmp_path / "inputs", headers=header) as made_up:
        code, _, err = await recount(
            *made_up.arguments(tmp_path / "run"),
            "--cluster",
            cluster.address,
            env=environment(RECOUNT_OTHER_KEY="x" * 20),
        )
    assert code == 4
    assert "neither RECOUNT_OTHER_KEY nor RECOUNT_OTHER_KEY_FILE is set" in err
    assert "worker tcp://127.0.0.1:" in err


async def test_a_secret_that_is_written_out_does_not_travel(cluster, tmp_path):
    header = f'{{ Authorization = "Bearer {SECRET}" }}'
    async with exchange(tmp_path / "inputs", headers=header) as made_up:
        code, _, err = await recount(
            *made_up.arguments(tmp_path / "run"), "--cluster", cluster.address
        )
    assert code == 2, err
    assert "endpoint ethereum-one: a header seems to hold a secret" in err
    assert SECRET not in err


async def test_no_scheduler_is_one_sentence(tmp_path):
    async with exchange(tmp_path / "inputs") as made_up:
        code, _, err = await recount(
            *made_up.arguments(tmp_path / "run"),
            "--cluster",
            "tcp://127.0.0.1:9",
            env=environment(DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="1s"),
        )
    assert code == 4
    assert "no Dask scheduler with workers answers at tcp://127.0.0.1:9" in err
    assert "Traceback" not in err
