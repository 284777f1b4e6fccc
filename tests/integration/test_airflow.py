"""The example DAG under a real Airflow: each exit code of a real ``recount``, and its time limit.

Airflow is looked for in RECOUNT_AIRFLOW (the Python of its environment) and in .nodes/airflow,
where .ci/install-airflow puts it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import sys
from pathlib import Path

import pytest
from command_line import CHAIN, WORLD, Files, row, serving

from crawler.keeping.runs import RunDirectory
from tests.nodes import note

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

ROOT = Path(__file__).resolve().parents[2]
DAG = ROOT / "examples/airflow/recount_dag.py"
DRIVER = Path(__file__).with_name("airflow_driver.py")
KEY = "s3cr3t-of-the-endpoint"
CODES = ("0", "1", "2", "3", "4")


def airflow() -> str:
    """Return Airflow's Python, or skip the test and say how to install it."""
    unpacked = ROOT / ".nodes/airflow/bin/python"
    found = os.environ.get("RECOUNT_AIRFLOW") or (str(unpacked) if unpacked.exists() else None)
    if found is None:
        pytest.skip("Airflow is not installed; run .ci/install-airflow")
    note("airflow")
    return found


def dag_for(place: Path, program: Path, limit: str) -> str:
    """Return the example with other paths, a name of its own and the test chain's configuration."""
    text = DAG.read_text(encoding="utf-8")
    for old, new in (
        ("/srv/reserves", str(place)),
        ("/opt/recount/bin/recount", str(program)),
        ('dag_id="recount"', f'dag_id="recount_{place.name}"'),
        ("--log json", f"--log json --config {place}/world.toml"),
        ("list.zip", "list.csv"),
        ("timedelta(hours=20)", f"timedelta({limit})"),
    ):
        assert old in text
        text = text.replace(old, new)
    return text


def night(place: Path, url: str, *rows: str) -> Files:
    """Write what a night finds: the list, the endpoint with its key, the configuration."""
    place.mkdir(exist_ok=True)
    files = Files(place)
    files.write("world.toml", WORLD)
    files.write("hosted-key", KEY + "\n")
    if rows:
        files.listed(*rows)
    endpoints = Path(files.endpoints(url))
    with endpoints.open("a", encoding="utf-8") as file:
        file.write('headers = { x-key = "${HOSTED_KEY}" }\n')
    return files


async def under_airflow(python: str, home: Path, dags: Path) -> tuple[dict[str, str], str]:
    """Return the state of each DAG's only task, and all that Airflow said."""
    quiet = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "NO_COLOR": "1",
    }
    said = b""
    for command in (("-m", "airflow", "db", "migrate"), (str(DRIVER), str(dags))):
        process = await asyncio.create_subprocess_exec(
            *(python, *command),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **quiet},
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()[-4000:]
    text = said.decode()
    found = [json.loads(one) for one in re.findall(r"^RESULT (.*)$", text, re.MULTILINE)]
    assert all(one["state"] == one["tasks"]["recount"] for one in found)
    return {one["dag"].removeprefix("recount_"): one["state"] for one in found}, text


async def test_the_dag_fails_for_every_exit_code_but_0_and_the_next_night_continues(
    tmp_path: Path,
) -> None:
    python, dags = airflow(), tmp_path / "dags"
    dags.mkdir()
    program = tmp_path / "recount"
    code = shlex.quote("from crawler.cli import main; main()")
    program.write_text(
        f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -c {code} "$@"\n', encoding="utf-8"
    )
    program.chmod(0o755)
    async with serving() as node, serving() as other, serving() as slow:
        other.wrong_chain_id = 1
        slow.faults.delay_s = 60.0
        nights = {
            "0": (node.url, row()),
            "1": (node.url, row(amount="6")),
            "2": (node.url,),
            "3": ("http://127.0.0.1:9", row()),
            "4": (other.url, row()),
            "limit": (slow.url, row()),
        }
        for name, given in nights.items():
            night(tmp_path / name, *given)
            limit = "seconds=8" if name == "limit" else "hours=20"
            text = dag_for(tmp_path / name, program, limit)
            (dags / f"{name}_dag.py").write_text(text, encoding="utf-8")
        states, said = await under_airflow(python, tmp_path / "home", dags)

        assert states == {**dict.fromkeys(nights, "failed"), "0": "success"}
        assert sorted(re.findall(r"exited with return code (\d)", said)) == [*CODES]
        assert KEY not in said
        events = [
            json.loads(one) for one in re.findall(r'\{"time":.*?"event":"finished".*?\}', said)
        ]
        assert sorted(one["exit_code"] for one in events) == [0, 1, 3]
        assert "ETH" in (tmp_path / "1/last.txt").read_text(encoding="utf-8")
        (stopped,) = (tmp_path / "limit/runs").iterdir()
        RunDirectory.open(stopped).close()  # nobody holds it any more

        for file in dags.iterdir():
            if file.name not in ("3_dag.py", "limit_dag.py"):
                file.unlink()
        night(tmp_path / "3", node.url)
        night(tmp_path / "limit", node.url)
        states, _ = await under_airflow(python, tmp_path / "home", dags)
    assert states == {"3": "success", "limit": "success"}
    for name in states:
        with contextlib.closing(
            RunDirectory.open(next((tmp_path / name / "runs").iterdir()))
        ) as run:
            assert run.manifest.snapshots is not None
            assert next(iter(run.manifest.snapshots)).startswith(f"eip155:{CHAIN}@")
