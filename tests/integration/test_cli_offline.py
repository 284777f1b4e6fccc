"""What needs no network opens no socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from command_line import Files, call, files
from pytest_socket import disable_socket

pytestmark = pytest.mark.integration

__all__ = ["call", "files"]  # fixtures


def test_plan_is_json_and_asks_nobody(call: Any, files: Files) -> None:
    endpoints = files.endpoints("http://127.0.0.1:9")
    disable_socket(allow_unix_socket=True)
    code, out, _ = call(
        *("plan", str(files.path / "list.csv"), "--config", str(files.path / "world.toml")),
        *("--endpoints", endpoints, "--json", "--quiet"),
    )
    assert code == 0
    plan = json.loads(out)
    (entry,), (load,) = plan["questions"], plan["endpoints"]
    assert (entry["questions"], entry["calls"], entry["endpoints"]) == (1, 1, ["one"])
    # One request for the question and five to pin the block.
    assert (load["name"], load["calls"], load["seconds"]) == ("one", 6, plan["seconds"])


def test_verify_opens_no_socket(call: Any, files: Files) -> None:
    disable_socket()
    code, out, _ = call(
        *("verify", str(files.path / "list.csv"), "--config", str(files.path / "world.toml")),
        *("--json", "--quiet", "--processes", "1"),
    )
    assert (code, json.loads(out)["statuses"]["bound"]) == (0, 1)


def test_the_installed_command_verifies_in_a_process_without_sockets(files: Files) -> None:
    files.write(
        "sitecustomize.py",
        "import socket\n"
        "def refuse(*_, **__):\n    raise RuntimeError('a socket was opened')\n"
        "socket.socket.__init__ = refuse\nsocket.socketpair = refuse\n"
        "socket.create_connection = refuse\nsocket.getaddrinfo = refuse\n",
    )
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("recount")), "verify", "list.csv"),
            *("--config", "world.toml", "--json", "--quiet"),
        ],
        cwd=files.path,
        env={**os.environ, "PYTHONPATH": str(files.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["statuses"]["bound"] == 1
