"""What libraries log or warn of by themselves: a line like ours, and no secret in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SAYING = """
import logging, sys, warnings
from crawler.cli import commands, main
from crawler.watching.logs import STDERR, LogFormat

def app(**_):
    STDERR.form = LogFormat(sys.argv[1])
    logging.getLogger("aiohttp.client").info("nothing")
    logging.getLogger("aiohttp.client").warning("%s, retry", "https://me:word@node.test/v3/k3y99secret77?api=0123")
    try:
        raise ValueError("tcp://node.test:50002/k3y99secret77")
    except ValueError:
        logging.getLogger("asyncio").exception("Task was lost\\nfuture: <Task>")
    logging.getLogger("asyncio").error("%d of \\x1b[2J", "no number")
    warnings.warn("becomes old", UserWarning)
    return 3

commands.app = app
main()
"""


def said(form: str) -> list[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "always", "-c", SAYING, form]
    ended = subprocess.run(command, check=False, env=env, timeout=60, capture_output=True)
    assert (ended.returncode, ended.stdout) == (3, b"")
    return ended.stderr.decode().splitlines()


def test_libraries_speak_json_where_we_do() -> None:
    lines = [json.loads(line) for line in said("json")]
    assert {line["event"] for line in lines} == {"library"}
    texts = [line["text"] for line in lines]
    assert texts[0].startswith("aiohttp.client: https://")
    assert "Task was lost; future: <Task>: ValueError: tcp://node.test:50002/" in texts[1]
    assert texts[2] == "asyncio: %d of ⟨U+001B⟩[2J"
    assert "UserWarning: becomes old" in texts[3]
    assert len(texts) == 4


@pytest.mark.parametrize("form", ["json", "text"])
def test_nothing_of_theirs_holds_a_secret_or_a_traceback(form: str) -> None:
    lines = said(form)
    assert len(lines) == 4
    text = "\n".join(lines)
    assert "node.test" in text
    for hidden in ("word", "k3y99secret77", "0123", "Traceback", "\x1b"):
        assert hidden not in text
