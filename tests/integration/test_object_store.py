"""A run in an S3-compatible store (moto's server): made, killed, resumed and replayed there."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.runs import RunDirectory
from crawler.keeping.storage import AlreadyThere, place_of
from tests.integration.dask_cluster import dask_cluster
from tests.integration.made_up_run import recount, result_bytes, serving, start
from tests.unit.test_runs import manifest

MISSING = [name for name in ("s3fs", "moto", "flask") if importlib.util.find_spec(name) is None]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.xdist_group("cluster"),
    pytest.mark.skipif(bool(MISSING), reason="pip install s3fs 'moto[server]'"),
]
KEYS = {"AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up"}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Serve a store on loopback; returns what points s3fs to it."""
    log = tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, env={**os.environ, **KEYS})
    try:
        patience = time.monotonic() + 60
        while "Running on " not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < patience, log.read_text()
            time.sleep(0.05)
        url = log.read_text().partition("Running on ")[2].split()[0]
        with pytest.MonkeyPatch.context() as patch:
            given = {**KEYS, "AWS_ENDPOINT_URL": url, "AWS_DEFAULT_REGION": "us-east-1"}
            for name, value in given.items():
                patch.setenv(name, value)
            import s3fs  # noqa: PLC0415 - skipped where it is missing

            s3fs.S3FileSystem().mkdir("recount")
            yield given
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def place():
    return f"s3://recount/{uuid.uuid4().hex}/run"


@pytest.mark.usefixtures("store")
def test_of_two_who_create_an_object_one_wins(place):
    run = RunDirectory.create(place_of(place), manifest())

    def write(content: bytes, meanwhile=lambda: None) -> None:
        with run.creating("shards/a") as path:
            path.write_bytes(content)
            meanwhile()

    with pytest.raises(AlreadyThere):
        write(b"slow", lambda: write(b"fast"))
    assert run.read("shards/a") == b"fast"
    with pytest.raises(EnvironmentFault, match="works on s3://recount/"):
        RunDirectory.open(place_of(place))
    run.close()
    with pytest.raises(UsageError, match="is not empty"):
        RunDirectory.create(place_of(place), manifest())


@pytest.mark.usefixtures("store")
def test_a_bucket_that_is_not_there_is_one_sentence():
    with pytest.raises((EnvironmentFault, UsageError), match="s3://elsewhere"):
        RunDirectory.create(place_of("s3://elsewhere/run"), manifest())


async def test_a_run_by_a_cluster_in_a_store_ends_as_the_one_on_disk(store, place, tmp_path):
    import s3fs  # noqa: PLC0415 - skipped where it is missing

    files = s3fs.S3FileSystem(use_listings_cache=False)
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(dask_cluster(tmp_path / "dask", env=store))
        cluster.worker("--nthreads", "2")
        async with serving(tmp_path / "inputs") as made_up:
            code, _, err = await recount(*made_up.arguments(tmp_path / "disk"))
            assert code == 1, err
            for node in made_up.nodes.values():
                node.faults.delay_s = 0.05
            arguments = made_up.arguments(Path("unused"))
            arguments[arguments.index("unused")] = place
            process = await start(*arguments, "--cluster", cluster.address)
            while not files.glob(f"{place}/shards/*.parquet"):
                assert process.returncode is None
                await asyncio.sleep(0.2)
            process.kill()
            await process.communicate()
            code, _, err = await recount("resume", place, "--cluster", cluster.address, "--quiet")
            assert code == 1, err
    assert not files.exists(f"{place}/lock")
    (tmp_path / "report.json").write_bytes(files.cat_file(f"{place}/report.json"))
    assert result_bytes(tmp_path) == result_bytes(tmp_path / "disk")
    code, out, err = await recount("replay", place)
    assert code == 1, err
    code, out, err = await recount("report", place)
    assert (code, "falls short" in out) == (1, True), err
