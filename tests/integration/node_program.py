"""Starts a node that is a program of its own, waits until it answers, and ends it with the test."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.nodes import note

START_S = 60.0


@contextlib.contextmanager
def running(
    name: str,
    command: Sequence[str],
    directory: Path,
    is_up: Callable[[], object],
    environment: Mapping[str, str] | None = None,
) -> Iterator[None]:
    """Run ``command`` in ``directory`` until the context ends; it is up when ``is_up`` returns.

    ``is_up`` raises ``OSError`` as long as nothing listens.
    """
    note(name)
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=directory, env=environment)
    try:
        _wait(name, process, is_up)
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(name: str, process: subprocess.Popen[bytes], is_up: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"{name} ended with status {process.returncode}")
        with contextlib.suppress(OSError):
            is_up()
            return
        time.sleep(0.1)
    raise TimeoutError(f"{name} did not start")


def call(url: str, method: str, params: Sequence[Any]) -> Any:
    """Call a JSON-RPC method and return its result; an error object is raised."""
    body = json.dumps({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, data=body.encode(), headers=headers)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as response:
        answer = json.loads(response.read())
    if "result" not in answer:
        raise RuntimeError(answer)
    return answer["result"]
