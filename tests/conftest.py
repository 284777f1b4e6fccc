"""Rules for every test: it carries a kind, and unit and property tests open no socket.

Tests that start a real node note it (``tests.nodes``); the summary says which were exercised, and
``RECOUNT_REQUIRED_NODES`` (names with commas) fails the session when one of them was not.
What tests start is the recount beside them, in whatever directory and whichever is installed.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import pytest
from pytest_socket import disable_socket, enable_socket

from tests.nodes import LOG, exercised

ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))

_LIMIT = sys.getrecursionlimit()
import py_ecc  # noqa: E402, F401 - its import raises the recursion limit, once: not for our tests

sys.setrecursionlimit(_LIMIT)

KINDS = {"unit", "integration", "property", "soak"}
OFFLINE = {"unit", "property"}


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        handle, path = tempfile.mkstemp(prefix="recount-nodes-")
        os.close(handle)
        os.environ[LOG] = path


def pytest_sessionfinish(session: pytest.Session) -> None:
    required = set(filter(None, os.environ.get("RECOUNT_REQUIRED_NODES", "").split(",")))
    if not hasattr(session.config, "workerinput") and required - set(exercised()):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if hasattr(terminalreporter.config, "workerinput"):
        return
    names = exercised()
    shown = ", ".join(f"{name} ({count} starts)" for name, count in sorted(names.items()))
    terminalreporter.write_line(f"real nodes exercised: {shown or 'none'}")
    required = set(filter(None, os.environ.get("RECOUNT_REQUIRED_NODES", "").split(",")))
    for name in sorted(required - set(names)):
        terminalreporter.write_line(f"REQUIRED NODE NOT EXERCISED: {name}", red=True)
    Path(os.environ[LOG]).unlink(missing_ok=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        kinds = KINDS & {mark.name for mark in item.iter_markers()}
        if len(kinds) != 1:
            message = f"{item.nodeid}: mark it with exactly one of {sorted(KINDS)}, not {kinds}"
            raise pytest.UsageError(message)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if OFFLINE & {mark.name for mark in item.iter_markers()}:
        disable_socket(allow_unix_socket=True)
    else:
        enable_socket()


def pytest_runtest_teardown() -> None:
    enable_socket()
