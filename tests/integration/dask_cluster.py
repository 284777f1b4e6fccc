"""A Dask scheduler and workers as real processes on loopback, for tests and the benchmark."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60
QUIET = {"DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False"}
"""What docs/cluster.md sets for workers: their profiler looks a hundred times a second."""


class DaskCluster:
    """Processes of one cluster; every one ends with the block that started it."""

    def __init__(self, folder: Path, env: Mapping[str, str], options: tuple[str, ...]) -> None:
        self._folder = folder
        self._options = options
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self._env = {**os.environ, **QUIET, "PYTHONPATH": path, **env}
        self._file = folder / "scheduler.json"
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start("scheduler", "scheduler", "--port", "0")
        self.address = self._address()

    def worker(self, *more: str, env: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker of one process; ``more`` are options of ``dask worker``."""
        name = f"worker-{len(self._processes)}"
        return self._start(
            "worker", name, self.address, "--no-nanny", "--name", name,
            "--local-directory", str(self._folder), *more, env=env,
        )  # fmt: skip

    def log(self, name: str) -> str:
        """What a process has written: ``scheduler``, ``worker-1``, …"""
        return (self._folder / f"{name}.log").read_text()

    def logs(self) -> str:
        """What all processes have written."""
        return "".join(file.read_text() for file in sorted(self._folder.glob("*.log")))

    def stop(self) -> None:
        for process in reversed(self._processes):
            process.kill()
            process.wait()

    def _start(
        self, kind: str, name: str, *more: str, env: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        common = ("--host", "127.0.0.1", "--no-dashboard")
        if kind == "scheduler":
            common += ("--scheduler-file", str(self._file), "--idle-timeout", "300s")
        else:
            common += ("--death-timeout", "60")
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", kind, *common, *self._options, *more],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**self._env, **(env or {})},
                cwd=self._folder,
            )
        self._processes.append(process)
        return process

    def _address(self) -> str:
        patience = time.monotonic() + PATIENCE_S
        while time.monotonic() < patience and self.scheduler.poll() is None:
            with contextlib.suppress(OSError, ValueError):
                return json.loads(self._file.read_text())["address"]
            time.sleep(0.02)
        raise AssertionError(self.log("scheduler"))


@contextlib.contextmanager
def dask_cluster(
    folder: Path, *options: str, env: Mapping[str, str] | None = None
) -> Iterator[DaskCluster]:
    """Start a scheduler; ``options`` go to it and to every worker."""
    folder.mkdir(parents=True, exist_ok=True)
    started = DaskCluster(folder, env or {}, options)
    try:
        yield started
    finally:
        started.stop()
