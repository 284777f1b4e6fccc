"""The documents say what the code does: commands, options, links, words, formats."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

import msgspec
import pytest
import typer
from reasons_doc import reasons_markdown

from chains import addresses, workings
from chains import model as chain_model
from chains.model import AssetId, ChainId, Exchange, Extract, Request
from crawler import model
from crawler.asking.plan import DECODER_VERSION, PLAN
from crawler.cli import commands
from crawler.counting.ledger import LEDGER
from crawler.crawling import evidence
from crawler.crawling.answers import ANSWERS
from crawler.examining.ownership import SIGNATURES
from crawler.keeping import runs
from crawler.liabilities import Trust
from crawler.lists.generic import COLUMNS
from crawler.result import SCHEMA
from crawler.rowview import records
from crawler.settings import Policy, load_world
from crawler.support.documents import chains_markdown, readme_markdown
from crawler.support.networks import chain_support

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    path for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md") for path in ROOT.glob(pattern)
)
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
COMMANDS = typer.main.get_command(commands.app).commands  # type: ignore[attr-defined]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]:\s*(\S+)$", re.MULTILINE)
_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(recount [^`]+)`")
_ENDS = {"|", ">", "&&", ";", "#", "||", "2>"}


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks_of(name: str, language: str) -> list[str]:
    return [body for found, body in _FENCE.findall(text_of(name)) if found == language]


def anchors_of(text: str) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", _FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def command_lines(text: str) -> Iterator[list[str]]:
    """Yield the arguments behind ``recount`` of every command line in a document or a unit."""
    found = [line for _, body in _FENCE.findall(text) for line in body.splitlines()]
    for line in [*found, *_INLINE.findall(text)]:
        match = re.search(r"(?:^|[\s/=])recount (?=[a-z-])(.*)$", line)
        if match is None:
            continue
        words: list[str] = []
        for word in shlex.split(match[1], comments=True):
            if word in _ENDS:
                break
            words.append(word)
        yield words


def check_command(words: list[str]) -> None:
    """Fail unless the command line parses; a bare command name must be a command."""
    name, *rest = words
    if name.startswith("-"):
        assert name == "--help"
        return
    assert name in COMMANDS, words
    if rest and rest != ["--help"]:
        COMMANDS[name].make_context(name, rest)


def test_the_reasons_document_is_what_the_code_says():
    path = ROOT / "docs/reasons.md"
    if os.environ.get("RECOUNT_UPDATE_GOLDEN"):
        path.write_text(reasons_markdown(), encoding="utf-8")
    assert path.read_text(encoding="utf-8") == reasons_markdown()


def test_the_table_of_networks_is_what_the_code_says():
    path = ROOT / "docs/chains.md"
    text = chains_markdown(chain_support(load_world()))
    if os.environ.get("RECOUNT_UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text


def test_the_readmes_table_of_networks_is_what_the_code_says():
    path = ROOT / "README.md"
    before, begin, rest = path.read_text(encoding="utf-8").partition("writes it -->\n")
    _, end, after = rest.partition("<!-- end of networks -->")
    expected = f"{before}{begin}{readme_markdown(chain_support(load_world()))}\n{end}{after}"
    if os.environ.get("RECOUNT_UPDATE_GOLDEN"):
        path.write_text(expected, encoding="utf-8")
    assert begin
    assert end
    assert path.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize("name", NAMES)
def test_every_relative_link_leads_somewhere(name: str):
    for inline, reference in _LINK.findall(_FENCE.sub("", text_of(name))):
        target, _, anchor = (inline or reference).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        place = (ROOT / name).parent / target if target else ROOT / name
        if place.resolve().is_relative_to(ROOT):
            assert place.exists(), f"{name} links to {target}"
            if anchor and place.exists():
                assert anchor in anchors_of(place.read_text(encoding="utf-8")), (name, anchor)
        else:
            pytest.fail(f"{name} links outside of the repository: {target}")


@pytest.mark.parametrize("name", NAMES)
def test_every_command_line_in_a_document_parses(name: str):
    for words in command_lines(text_of(name)):
        check_command(words)


@pytest.mark.parametrize(
    "path",
    sorted(path for path in (ROOT / "examples").rglob("*") if path.is_file()),
    ids=lambda path: path.name,
)
def test_every_command_line_in_an_example_parses(path: Path):
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    for words in command_lines(f"```\n{text}\n```\n"):
        check_command(words)


def test_a_wrong_command_line_is_noticed():
    with pytest.raises(Exception, match="No such option"):
        check_command(["run", "list.csv", "--no-such-option"])
    with pytest.raises(AssertionError):
        check_command(["no-such-command"])
    assert list(command_lines("see `recount verify a.csv --json` | wc")) == [
        ["verify", "a.csv", "--json"]
    ]


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_is_documented(name: str):
    sections = re.split(r"^## ", text_of("docs/cli.md"), flags=re.MULTILINE)
    section = next((part for part in sections if part.startswith(f"recount {name}\n")), None)
    assert section is not None, f"docs/cli.md has no section 'recount {name}'"
    table = set(re.findall(r"^\| .*?`(--[a-z-]+)", section, re.MULTILINE))
    known = {
        option
        for parameter in COMMANDS[name].params
        if parameter.param_type_name == "option"
        for option in parameter.opts
    }
    assert table == known


def test_no_command_is_documented_that_is_not_there():
    documented = re.findall(r"^## recount ([a-z-]+)$", text_of("docs/cli.md"), re.MULTILINE)
    assert sorted(documented) == sorted(COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        chain_model.Ownership,
        chain_model.Source,
        chain_model.Method,
        chain_model.PartKind,
        chain_model.QueryKind,
        model.Validity,
        model.Reconciliation,
        model.RowKind,
        model.AssetClass,
        Trust,
    ],
    ids=lambda words: words.__name__,
)
def test_every_word_is_in_the_tables_of_the_architecture(words: type[StrEnum]):
    text = text_of("docs/architecture.md")
    assert [word.value for word in words if f"`{word.value}`" not in text] == []


def test_the_evidence_document_names_every_field_and_format():
    text = text_of("docs/evidence.md")
    records = (
        evidence.Header,
        evidence.ExtractLine,
        evidence.ExchangeLine,
        runs.Manifest,
        runs.ShardEntry,
    )
    names = {field for record in records for field in record.__struct_fields__}
    for schema in (ANSWERS, LEDGER, PLAN, SIGNATURES):
        names |= set(schema.names)
    names |= {evidence.FORMAT, runs.FORMAT, SCHEMA}
    assert sorted(name for name in names if f"`{name}`" not in text) == []
    assert f'`DECODER_VERSION` (now `"{DECODER_VERSION}"`)' in text


def test_the_evidence_document_names_what_a_view_of_a_row_holds():
    text = text_of("docs/evidence.md")
    names = {*records.RowView.__struct_fields__, *records.Balance.__struct_fields__}
    names |= {*workings.Rule, *workings.Clock, records.FORMAT}
    assert sorted(name for name in names if f"`{name}`" not in text) == []


def test_the_digest_script_of_the_evidence_document_works(tmp_path: Path):
    (script,) = blocks_of("docs/evidence.md", "python")
    line = evidence.PackWriter(
        tmp_path / "pack", evidence.Header(format=evidence.FORMAT, subject="s", attempt=1)
    )
    bodies = (b'{"result": "0x1"}', b"\xff\x00 not text", b"")
    exchanges = tuple(
        Exchange(request=Request(path="/p", body=body), endpoint="one", status=200, body=body)
        for body in bodies
    )
    line.add(Extract(positions=[0], decoder="d", exchanges=exchanges))
    line.close()
    header, extract = evidence.read_pack(tmp_path / "pack")
    lines = [
        msgspec.json.encode(header),
        msgspec.json.encode(
            evidence.ExtractLine(
                positions=list(extract.positions),
                decoder=extract.decoder,
                exchanges=[evidence._to_line(exchange) for exchange in extract.exchanges],
            )
        ),
    ]
    good = run_script(script, b"\n".join(lines) + b"\n")
    assert good == (0, "3 exchanges, 0 wrong\n")
    record = json.loads(lines[1])
    record["exchanges"][0]["received"] = '{"result": "0x2"}'
    bad = run_script(script, lines[0] + b"\n" + json.dumps(record).encode() + b"\n")
    assert bad[0] == 1
    assert bad[1].endswith("3 exchanges, 1 wrong\n")


def run_script(script: str, data: bytes) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", script], input=data, capture_output=True, check=False
    )
    assert done.stderr == b""
    return done.returncode, done.stdout.decode()


def test_the_lists_document_names_every_column_and_kind_of_line():
    text = text_of("docs/lists.md")
    assert [name for name in COLUMNS if f"`{name}`" not in text] == []
    kinds = model.LineAccount.__struct_fields__
    assert [kind for kind in kinds if f"`{kind}`" not in text] == []


def test_every_rule_of_the_policy_is_documented():
    text = text_of("docs/cli.md")
    assert [rule for rule in Policy.__struct_fields__ if f"`{rule}`" not in text] == []


def test_the_first_chain_of_the_guide_loads(tmp_path: Path):
    block = blocks_of("docs/adding-a-chain.md", "toml")[0]
    path = tmp_path / "chain.toml"
    path.write_text(block, encoding="utf-8")
    (chain,) = tomllib.loads(block)["chains"]
    world = load_world([path])
    spec = world.chains[ChainId(chain)]
    assert (spec.adapter, world.assets[AssetId(spec.native)].chain) == ("eip155", chain)
    assert len(addresses.decode(spec, "0x" + "11" * 20)) == 20


def test_the_second_chain_of_the_guide_is_the_one_that_ships():
    told = tomllib.loads(blocks_of("docs/adding-a-chain.md", "toml")[1])
    ((chain, declared),) = told["chains"].items()
    ((asset, facts),) = told["assets"].items()
    world = load_world()
    spec, native = world.chains[ChainId(chain)], world.assets[AssetId(asset)]
    for name in ("name", "adapter", "address", "native", "address_params"):
        assert getattr(spec, name) == declared[name]
    assert (native.symbol, native.decimals) == (facts["symbol"], facts["decimals"])


def test_the_documents_name_no_machine():
    for name in NAMES:
        text = text_of(name)
        for home in ("root", "home", "Users"):
            assert f"/{home}/" not in text, f"{name} names a path of a machine"


def test_the_licence_is_the_whole_of_the_gpl():
    text = text_of("LICENSE")
    assert text.lstrip().startswith("GNU GENERAL PUBLIC LICENSE")
    assert "END OF TERMS AND CONDITIONS" in text
