"""Rules for every test: it carries a kind, and unit and property tests open no socket."""

from __future__ import annotations

import pytest
from pytest_socket import disable_socket, enable_socket

KINDS = {"unit", "integration", "property", "soak"}
OFFLINE = {"unit", "property"}


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
