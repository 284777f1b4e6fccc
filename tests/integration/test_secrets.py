"""A node that repeats what it was asked with: no secret reaches anything that people are shown.

Evidence packs alone hold answers as they came; SECURITY.md says so.
"""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pyarrow.parquet as pq
import pytest
from aiohttp import web
from capture_world import world
from command_line import ACCOUNT, CHAIN, HEIGHT, HELD, WORLD, Files, call, row
from made_up_run import recount

from chains.simulated.eip155 import SimulatedEvm

pytestmark = pytest.mark.integration

__all__ = ["call"]  # a fixture

SECRETS = {
    "USER_NAME": "user-of-the-node",
    "PASSWORD": "p@ss:word/9",
    "PATH_KEY": "path-k3y-0123456789",
    "QUERY_KEY": "qu+ery&k3y=",
    "TOKEN": "header-t0ken",
}
SHOWN_AS = {
    form
    for secret in SECRETS.values()
    for form in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1])
} | {base64.b64encode(f"{SECRETS['USER_NAME']}:{SECRETS['PASSWORD']}".encode()).decode()}


ACCOUNT_ITSELF = "whatever names the account"


class Echo(SimulatedEvm):
    """Answers ``method`` with everything that it was sent, in one of three ways."""

    method = ""
    how = ""

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        calls = json.loads(body)
        calls = calls if isinstance(calls, list) else [calls]
        struck = {call["id"] for call in calls if self.strikes(call)}
        honest = await super().answer(request, body)
        if not struck:
            return honest
        keys = [request.headers.get(name, "") for name in ("Authorization", "x-key")]
        heard = " ".join([*keys, request.raw_path, request.query["key"], *map(unquote, keys)])
        if self.how == "status":
            return web.Response(status=403, text=heard, reason=heard[:60])
        said = {"error": {"code": -32000, "message": heard, "data": heard}}
        if self.how == "result":
            said = {"result": heard}
        assert isinstance(honest, web.Response)
        answers = json.loads(honest.body)
        answers = [
            {"jsonrpc": "2.0", "id": one["id"], **said} if one["id"] in struck else one
            for one in (answers if isinstance(answers, list) else [answers])
        ]
        return web.json_response(answers if len(answers) > 1 else answers[0])

    def strikes(self, call: dict[str, Any]) -> bool:
        """Tell whether this call is answered so: its method, or that it names the account."""
        if self.method == ACCOUNT_ITSELF:
            return ACCOUNT.hex() in json.dumps(call).lower()
        return bool(call["method"] == self.method)


def endpoint(files: Files, node: Echo, *, in_url: bool) -> str:
    """Declare the node, with every secret where users put them."""
    user = "${USER_NAME}:${PASSWORD}@" if in_url else ""
    host = node.url.removeprefix("http://")
    declared = files.endpoints(f"http://{user}{host}/v2/${{PATH_KEY}}/rpc?key=${{QUERY_KEY}}")
    headers = 'x-key = "${TOKEN}"' + ("" if in_url else ', Authorization = "Bearer ${PASSWORD}"')
    with Path(declared).open("a", encoding="utf-8") as file:
        file.write(f"headers = {{ {headers} }}\n")
    return declared


def environment(*, in_url: bool) -> dict[str, str]:
    """Set the secrets; what stands in a URL must be quoted as in any URL."""
    quoted = {"PATH_KEY", "QUERY_KEY"} | ({"USER_NAME", "PASSWORD"} if in_url else set())
    return {
        name: quote(secret, safe="") if name in quoted else secret
        for name, secret in SECRETS.items()
    }


def leaks(text: str) -> list[str]:
    return [form for form in sorted(SHOWN_AS) if form in text]


def leaking_files(directory: Path) -> dict[str, list[str]]:
    """Look into every file but evidence; what is compressed there, uncompressed."""
    found = {}
    for file in directory.rglob("*"):
        if file.is_file() and file.parent.name != "evidence":
            if file.suffix == ".parquet":
                text = json.dumps(pq.read_table(file).to_pylist(), default=str, ensure_ascii=False)
            else:
                text = file.read_bytes().decode(errors="replace")
            if leaks(text):
                found[str(file.relative_to(directory))] = leaks(text)
    return found


@pytest.mark.parametrize("in_url", [True, False], ids=["in the URL", "in a header"])
@pytest.mark.parametrize(
    ("method", "how"),
    [
        (ACCOUNT_ITSELF, "error"),
        (ACCOUNT_ITSELF, "result"),
        ("eth_getBlockByNumber", "error"),
        ("eth_chainId", "result"),
        ("eth_chainId", "status"),
    ],
)
async def test_what_a_node_repeats_is_hidden_everywhere(
    tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch, method: str, how: str,
    *, in_url: bool,
) -> None:  # fmt: skip
    files = Files(tmp_path / "in")
    files.path.mkdir()
    config = ("--config", files.write("world.toml", WORLD))
    listed = files.listed(row())
    out = tmp_path / "out"
    out.mkdir()
    for name, value in environment(in_url=in_url).items():
        monkeypatch.setenv(name, value)
    shown: list[str] = []

    async def tell(*arguments: str) -> int:
        ended, told, err = await asyncio.to_thread(call, *arguments)
        shown.append(told + err)
        return ended

    async with Echo(chain_id=CHAIN, height=HEIGHT, native={ACCOUNT: HELD}) as node:
        node.method, node.how = method, how
        asked = ("--endpoints", endpoint(files, node, in_url=in_url))
        run, figures = str(out / "run"), str(out / "acme.prom")
        more = ("--log", "json", "--metrics", figures, "--processes", "1", *config)
        assert await tell("run", listed, "--run", run, *asked, *more) == 3
        await tell("resume", run, "--log", "json", "--metrics", figures)
        for command in (("report", run), ("report", run, "--row", "2"), ("replay", run)):
            await tell(*command)
            await tell(*command, "--json")
        await tell("doctor", *asked, listed, *config, "--write", str(out / "found.toml"))
        await tell("doctor", *asked, listed, *config, "--json")
        await tell("plan", listed, *asked, *config, "--json")
        await tell("capture", listed, "--run", str(out / "capture"), *asked, *config)
    assert node.requests > 0
    assert [found for text in shown if (found := leaks(text))] == []
    assert leaking_files(out) == {}
    if (method, how) == (ACCOUNT_ITSELF, "error"):
        gaps = [
            one
            for file in (out / "run/shards").iterdir()
            for one in pq.read_table(file)["detail"].to_pylist()
        ]
        assert any(gap.startswith("-32000: ") and "***" in gap for gap in gaps), gaps


async def test_a_node_that_names_its_chain_by_the_secret_shows_nothing(tmp_path: Path) -> None:
    async with world(tmp_path) as made:
        secret = "s3cr3t-of-the-n0de"
        made.nodes["SOLX"]._methods["getGenesisHash"] = lambda _: secret
        file = made.endpoints({"SOLX": made.nodes["SOLX"]})
        with file.open("a", encoding="utf-8") as more:
            more.write(f'headers = {{ x-key = "{secret}" }}\n')
        published = made.write("list.csv", made.rows(amounts=True, networks=["SOLX"]))
        code, _, told = await made.command("run", published, tmp_path / "out")
        assert code == 4, told
        code, out, err = await recount("doctor", f"--endpoints={file}", f"--config={made.config()}")
        assert code == 4, err
        code, _, again = await made.command("capture", published, tmp_path / "capture")
    assert "serves the cluster with genesis ***" in told, told
    assert [text for text in (told, out, err, again) if secret in text] == []
    written = [file for name in ("out", "capture") for file in (tmp_path / name).rglob("*.*")]
    assert [file for file in written if secret.encode() in file.read_bytes()] == []
