"""The command line: exit codes, one clear error, machine output, verdict files."""

from __future__ import annotations

import asyncio
import contextlib
import csv
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pytest_socket import disable_socket

from chains.simulated.eip155 import SimulatedEvm
from crawler import cli
from crawler.demo import keys

pytestmark = pytest.mark.integration

CHAIN, HEIGHT = 31337, 20_000_000
KEY = keys.secp256k1_key("cli")
ACCOUNT = keys.evm_address(KEY)
ADDRESS = "0x" + ACCOUNT.hex()
OTHER = "0x" + "0b" * 20
HELD = 5 * 10**18
WORLD = f"""
[chains."eip155:{CHAIN}"]
name = "Ethereum (test)"
adapter = "eip155"
address = "evm"
native = "eip155:{CHAIN}/slip44:60"
source = "made up"
params = {{ chain_id = {CHAIN} }}

[assets."eip155:{CHAIN}/slip44:60"]
symbol = "ETH"
decimals = 18
counts_as = "ETH"
class = "native"
source = "made up"

[[exchanges]]
name = "acme"
title = "Acme"
messages = ["{keys.MESSAGE}"]
networks = [{{ network = "ETH", chain = "eip155:{CHAIN}", schemes = ["okx-evm"] }}]
labels = [{{ asset = "ETH", id = "eip155:{CHAIN}/slip44:60" }}]
"""
HEADER = "exchange,network,asset,address,amount,height,message,signature1,scheme"

Ended = tuple[int, str, str]


class Files(msgspec.Struct):
    """A directory with a list and all that is needed to read it."""

    path: Path

    def write(self, name: str, content: str | bytes) -> str:
        file = self.path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(file)

    def listed(self, *rows: str, name: str = "list.csv") -> str:
        return self.write(name, "\n".join([HEADER, *rows]) + "\n")

    def endpoints(self, url: str) -> str:
        return self.write(
            "endpoints.toml",
            f'[[endpoints]]\nname = "one"\nchain = "eip155:{CHAIN}"\nurl = "{url}"\n'
            'own_node = true\nrate = "0"\ntimeout_s = 3\n',
        )


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = Files(tmp_path)
    made.write("world.toml", WORLD)
    made.listed(row())
    return made


def row(
    address: str = ADDRESS,
    amount: str = "5",
    *,
    network: str = f"eip155:{CHAIN}",
    asset: str = "ETH",
    sign: bool = True,
    message: str = keys.MESSAGE,
) -> str:
    """One line of the generic table, signed by the key of ``ADDRESS``."""
    signature = keys.sign_evm(KEY) if sign else ""
    text = message if sign else ""
    return f"acme,{network},{asset},{address},{amount},{HEIGHT},{text},{signature},okx-evm"


def recount(
    *arguments: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ended:
    """Run ``main`` as the console script does: exit code, stdout, stderr."""
    monkeypatch.setattr(sys, "argv", ["recount", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capsys.readouterr()
    code = ended.value.code
    assert isinstance(code, int)
    assert "Traceback" not in out + err
    return code, out, err


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def called(*arguments: str) -> Ended:
        return recount(*arguments, monkeypatch=monkeypatch, capsys=capsys)

    return called


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[SimulatedEvm]:
    async with SimulatedEvm(chain_id=CHAIN, height=HEIGHT, native={ACCOUNT: HELD}) as node:
        yield node


async def crawl(call: Any, files: Files, *rows: str, wrong_chain: bool = False) -> Ended:
    """Run the whole job against a simulated node."""
    async with serving() as node:
        if wrong_chain:
            node.wrong_chain_id = 1
        return await asyncio.to_thread(
            call,
            *("run", files.listed(*rows), "--run", str(files.path / "run"), "--quiet", "--json"),
            *("--config", str(files.path / "world.toml")),
            *("--endpoints", files.endpoints(node.url)),
        )


async def test_a_list_that_stands_ends_with_0(call: Any, files: Files) -> None:
    code, out, err = await crawl(call, files, row())
    assert (code, err) == (0, "")
    result = json.loads(out)["result"]
    assert result["outcome"]["exit_code"] == 0
    (ether,) = result["assets"]
    assert (ether["verdict"], ether["observed"], ether["owned"]) == ("stands", "5", "5")


async def test_a_proven_discrepancy_ends_with_1(call: Any, files: Files) -> None:
    code, out, _ = await crawl(call, files, row(amount="5.000000000000000001"))
    assert code == 1
    (found,) = json.loads(out)["result"]["discrepancies"]
    assert (found["kind"], found["difference"]) == ("shortfall", "-0.000000000000000001")


async def test_a_discrepancy_in_an_incomplete_run_ends_with_1(call: Any, files: Files) -> None:
    unknown = row(OTHER, "100", network="eip155:999999")
    code, out, _ = await crawl(call, files, row(amount="6"), unknown)
    assert code == 1
    assert len(json.loads(out)["result"]["outcome"]["sentences"]) == 2


def test_nobody_to_ask_ends_with_3(call: Any, files: Files) -> None:
    code, out, _ = call(
        *("run", str(files.path / "list.csv"), "--run", str(files.path / "run"), "--json"),
        *("--config", str(files.path / "world.toml"), "--quiet"),
    )
    assert code == 3
    (ether,) = json.loads(out)["result"]["assets"]
    assert (ether["verdict"], ether["observed"], ether["unobserved"]) == (
        "not-looked-at",
        None,
        "5",
    )


async def test_an_endpoint_of_another_chain_ends_with_4(call: Any, files: Files) -> None:
    code, out, err = await crawl(call, files, row(), wrong_chain=True)
    assert (code, out) == (4, "")
    assert_one_error(err, "chain")


async def test_a_finished_run_is_shown_replayed_and_resumed_with_the_same_code(
    call: Any, files: Files
) -> None:
    _, first, _ = await crawl(call, files, row(amount="6"))
    run = str(files.path / "run")
    for command in (("report", run), ("replay", run), ("resume", run, "--quiet")):
        code, out, _ = await asyncio.to_thread(call, *command, "--json")
        assert (command[0], code) == (command[0], 1)
        assert json.loads(out)["result"] == json.loads(first)["result"]
    code, out, err = call("report", run)
    assert (code, err) == (1, f"report: {run}/report.html\n")
    assert "ETH" in out


def assert_one_error(err: str, *expected: str) -> None:
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("recount: ")
    for text in expected:
        assert text in lines[0]


BAD_TOML = b"[policy\n"
ENDPOINT = b'[[endpoints]]\nname = "a"\nchain = "eip155:1"\nurl = '
TWO_CREDENTIALS = ENDPOINT + b'"https://u:s3cr3t@h"\nheaders = { authorization = "s3cr3t" }\n'
Wrong = tuple[str, str, bytes | None, Sequence[str]]


@pytest.mark.parametrize(
    "wrong",
    [
        ("", "list.csv", None, ("cannot be read", "No such file")),
        ("", "list.csv", b"", ()),
        ("", "list.csv", b"\x89PNG\r\n\x1a\n\x00\x00", ()),
        ("", "list.csv", b"a,b,c\n1,2,3\n", ("no detail section", "Looked for", "a,b,c")),
        ("", "list.csv", b"network,address,colour\nx,y,z\n", ("'colour'", "may have")),
        ("", "list.csv", b"network,address\nETH,\xff\xfe\n", ()),
        ("", "list.csv", b"PK\x03\x04broken", ("damaged archive",)),
        ("", "list.csv", b'{"network": "ETH"\n', ("line 1", "not JSON", "expected")),
        ("", "list.csv", b"PAR1broken", ("damaged Parquet",)),
        ("--config", "w.toml", None, ("cannot be read",)),
        ("--config", "w.toml", BAD_TOML, ("not valid TOML", "line 1")),
        ("--config", "w.toml", b"[colours]\na = 1\n", ("colours",)),
        ("--config", "w.toml", b"\xff", ("line 1", "not UTF-8")),
        ("--config", "w.toml", b'[assets."nonsense"]\ndecimals = 1\n', ("nonsense",)),
        ("--policy", "p.toml", None, ("cannot be read",)),
        ("--policy", "p.toml", BAD_TOML, ("not valid TOML",)),
        ("--policy", "p.toml", b"min_observed_share = 0.95\n", ("min_observed_share", "text")),
        ("--policy", "p.toml", b'min_observed_share = "1.5"\n', ("between 0 and 1",)),
        ("--policy", "p.toml", b"refuted_alowed = 1\n", ("refuted_alowed",)),
        ("--policy", "p.toml", b'conflict = "larger"\n', ("conflict",)),
        ("--heights", "h.toml", None, ("cannot be read",)),
        ("--heights", "h.toml", b"[heights]\nETH = -1\n", ("ETH", "negative")),
        ("--messages", "m.txt", None, ("cannot be read",)),
        ("--messages", "m.txt", b"\n\n", ("holds no text",)),
        ("--messages", "m.txt", b"\xff", ("UTF-8",)),
        ("--companion", "c.csv", None, ("cannot be read",)),
    ],
)
def test_a_wrong_file_is_one_error_that_names_it_and_what_was_expected(
    call: Any, files: Files, wrong: Wrong
) -> None:
    option, name, content, expected = wrong
    path = files.path / name
    path.unlink(missing_ok=True)
    if content is not None:
        path.write_bytes(content)
    more = (option, str(path)) if option else ()
    code, out, err = call("verify", str(files.path / "list.csv"), *more, "--quiet")
    assert (code, out) == (2, "")
    assert_one_error(err, name, *expected)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--endpoints", "e.toml", None, ("cannot be read",)),
        ("--endpoints", "e.toml", BAD_TOML, ("not valid TOML",)),
        ("--endpoints", "e.toml", ENDPOINT + b'"https://${NOT_SET_HERE}"', ("NOT_SET_HERE",)),
        ("--endpoints", "e.toml", TWO_CREDENTIALS, ("headers", "Authorization", "keep one")),
        ("--endpoints", "e.toml", ENDPOINT + b'"https://s3cr3t..h"', ("is not a URL",)),
        ("--liabilities", "l.toml", None, ("cannot be read",)),
        ("--liabilities", "l.toml", BAD_TOML, ("not valid TOML",)),
        ("--liabilities", "l.csv", b"coin;amount\n", ("line 1",)),
        ("--statement", "s.toml", None, ("cannot be read",)),
        ("--statement", "s.toml", b'exchange = "x"\n', ("title",)),
    ],
)
def test_a_wrong_input_of_a_run_is_one_error_and_leaves_no_run(
    call: Any, files: Files, wrong: Wrong
) -> None:
    option, name, content, expected = wrong
    path = files.path / name
    if content is not None:
        path.write_bytes(content)
    run = files.path / "run"
    code, out, err = call(
        *("run", str(files.path / "list.csv"), "--run", str(run), option, str(path), "--quiet"),
        *("--config", str(files.path / "world.toml")),
    )
    assert (code, out) == (2, "")
    assert_one_error(err, name, *expected)
    assert "s3cr3t" not in err
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("verify", "LIST", "--exchange", "nobody"), ("'nobody'", "known: ", "okx")),
        (("verify", "LIST", "--verdicts", "DIR/v.xlsx"), ("v.xlsx", ".csv, .jsonl, .parquet")),
        (("verify", "LIST", "--verdicts", "DIR/verdicts"), ("verdicts", ".csv, .jsonl, .parquet")),
        (("verify", "DIR"), ("DIR", "cannot be read")),
        (("verify",), ("LISTS",)),
        (("verify", "LIST", "--colour", "red"), ("--colour",)),
        (("verify", "LIST", "--processes", "-1"), ("processes",)),
        (("frobnicate",), ("frobnicate",)),
        (("run", "LIST", "--run", "DIR"), ("DIR is not empty", "recount resume DIR")),
        (("run", "LIST", "--run", "LIST"), ("list.csv is no directory",)),
        (("resume", "DIR/none"), ("DIR/none is no run directory", "manifest.json")),
        (("resume", "DIR"), ("DIR is no run directory", "manifest.json")),
        (("replay", "DIR/none"), ("DIR/none",)),
        (("report", "DIR/none"), ("DIR/none", "recount resume")),
    ],
)
def test_wrong_usage_is_one_error_that_says_what_was_expected(
    call: Any, files: Files, arguments: Sequence[str], expected: Sequence[str]
) -> None:
    def filled(text: str) -> str:
        return text.replace("LISTS", "lists").replace("DIR", str(files.path))

    places = {"LIST": str(files.path / "list.csv")}
    code, out, err = call(*(places.get(text, filled(text)) for text in arguments))
    assert (code, out) == (2, "")
    shown = err.lower() if arguments == ("verify",) else err
    assert_one_error(shown, *(filled(text) for text in expected))


@pytest.mark.parametrize("damage", ["manifest.json", "inputs/inputs.json", "report.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b'{"a": "\xff"}'])
def test_a_damaged_run_directory_is_one_error_that_names_the_file(
    call: Any, files: Files, damage: str, content: bytes
) -> None:
    run = files.path / "run"
    call(
        *("run", str(files.path / "list.csv"), "--run", str(run), "--quiet"),
        *("--config", str(files.path / "world.toml")),
    )
    (run / damage).write_bytes(content)
    command = "report" if damage == "report.json" else "resume"
    code, out, err = call(command, str(run))
    assert (code, out) == (2 if damage == "report.json" else 4, "")
    assert_one_error(err, "report" if damage == "report.json" else damage)


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        ([row()], 0),
        ([row(sign=False)], 0),
        ([row(network="eip155:999999")], 0),
        ([row(OTHER)], 1),
        ([row(message="something else")], 1),
        ([row("0xNO")], 1),
        ([row(), "torn"], 1),
    ],
    ids=["bound", "unsigned", "unknown", "wrong key", "wrong text", "bad address", "torn row"],
)
def test_verify_fails_only_for_what_is_refuted(
    call: Any, files: Files, rows: list[str], code: int
) -> None:
    config = str(files.path / "world.toml")
    found, out, err = call("verify", files.listed(*rows), "--config", config, "--json", "--quiet")
    assert (found, err) == (code, "")
    summary = json.loads(out)
    assert (summary["rows"], summary["exit_code"]) == (len(rows), code)


def test_several_lists_give_one_json_document_and_the_worst_code(call: Any, files: Files) -> None:
    good, bad = files.listed(row(), name="a.csv"), files.listed(row(OTHER), name="b.csv")
    config = str(files.path / "world.toml")
    verdicts = str(files.path / "v.jsonl")
    code, out, _ = call(
        "verify", bad, good, "--config", config, "--json", "--quiet", "--verdicts", verdicts
    )
    assert code == 1
    assert [(one["list"], one["exit_code"]) for one in json.loads(out)] == [
        ("b.csv", 1),
        ("a.csv", 0),
    ]
    assert sorted(file.name for file in files.path.glob("v.*")) == ["v.1.b.jsonl", "v.2.a.jsonl"]


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


FIELDS = ["row", "network", "asset", "address", "status", "reason", "validity"]
NASTY = ["=1+1", "+1", "-1", "@SUM(A1)", '"=1\n+2"', "\uff1d1"]


def read_back(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    with path.open(newline="", encoding="utf-8") as file:
        return [{**one, "row": int(one["row"])} for one in csv.DictReader(file)]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet", ".CSV"])
def test_verdicts_have_one_record_per_row_with_the_documented_fields(
    call: Any, files: Files, suffix: str
) -> None:
    rows = [row(), row("0X" + ADDRESS[2:]), row(OTHER), row(amount="x"), row(), "torn"]
    path = files.path / f"verdicts{suffix}"
    config = str(files.path / "world.toml")
    code, _, _ = call(
        "verify", files.listed(*rows), "--config", config, "--verdicts", str(path), "--quiet"
    )
    assert code == 1
    lower = path.rename(path.with_suffix(suffix.lower()))
    found = read_back(lower)
    assert [list(one) for one in found] == [FIELDS] * len(rows)
    assert [one["row"] for one in found] == [2, 3, 4, 5, 6, 7]
    assert [(one["status"], one["reason"], one["validity"]) for one in found] == [
        ("bound", "key-derives-address", "valid"),
        ("refuted", "bad-address", "valid"),
        ("refuted", "wrong-key", "valid"),
        ("bound", "key-derives-address", "bad-amount"),
        ("bound", "key-derives-address", "repeat-of:2"),
        ("refuted", "malformed-row", "bad-amount"),
    ]
    assert (found[0]["network"], found[0]["asset"]) == (f"eip155:{CHAIN}", "ETH")
    assert found[1]["address"] == "0X" + ADDRESS[2:]


def test_texts_of_the_list_are_inert_in_a_spreadsheet(call: Any, files: Files) -> None:
    path = files.path / "verdicts.csv"
    rows = [row(text, network=text, asset=text) for text in NASTY]
    call("verify", files.listed(*rows), "--verdicts", str(path), "--quiet")
    found = read_back(path)
    for text, one in zip(NASTY, found, strict=True):
        for field in ("network", "asset", "address"):
            assert one[field] == "'" + text.strip('"').replace("\n", "⟨U+000A⟩")
    with path.open(newline="", encoding="utf-8") as file:
        cells = [cell for line in csv.reader(file) for cell in line]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n\uff1d"))]
    assert path.read_bytes().count(b"\n") == 1 + len(NASTY)


def test_machine_formats_keep_the_texts_of_the_list_as_they_are(call: Any, files: Files) -> None:
    for suffix in (".jsonl", ".parquet"):
        path = files.path / f"verdicts{suffix}"
        call("verify", files.listed(row("=1+1")), "--verdicts", str(path), "--quiet")
        assert read_back(path)[0]["address"] == "=1+1"


def test_the_types_of_the_parquet_verdicts(call: Any, files: Files) -> None:
    path = files.path / "verdicts.parquet"
    call("verify", str(files.path / "list.csv"), "--verdicts", str(path), "--quiet")
    schema = pq.read_schema(path)
    assert [(field.name, field.type) for field in schema] == [
        ("row", pa.int64()),
        *((name, pa.string()) for name in FIELDS[1:]),
    ]


def test_a_place_that_cannot_be_written_ends_with_4(call: Any, files: Files) -> None:
    place = str(files.path / "no" / "such" / "v.csv")
    code, _, err = call(
        "verify", str(files.path / "list.csv"), "--verdicts", place, "--quiet", "--json"
    )
    assert code == 4
    assert_one_error(err, "cannot write", "v.csv")


def test_help_ends_with_0(call: Any) -> None:
    for arguments in (("--help",), ("run", "--help")):
        code, out, _ = call(*arguments)
        assert code == 0
        assert "Usage" in out
