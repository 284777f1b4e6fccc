"""An explanation shows the steps by which a verdict came about, and the same verdict."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from crawler import jobs
from crawler.demo import keys
from crawler.demo.declarations import world_toml
from crawler.demo.making import made_up
from crawler.demo.nodes import Listening
from crawler.errors import UsageError
from crawler.inputs import Options
from crawler.rowview.explain import explain, render
from crawler.watching.progress import Silent

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    folder = tmp_path_factory.mktemp("explain")
    (folder / "list.csv").write_text(made_up(60).list_text())
    genesis = dict.fromkeys(("bitcoin", "tron", "solana"), "00" * 32)
    (folder / "world.toml").write_text(world_toml(Listening(urls={}, genesis=genesis)))
    return Options(
        list_path=str(folder / "list.csv"),
        config=(str(folder / "world.toml"),),
        exchange="demo",
        processes=1,
    )


def test_every_row_is_explained_to_the_verdict_it_gets(options: Options) -> None:
    parts: list[pa.Table] = []
    jobs.verify(options, Silent(), keep=parts.append)
    ledger = pa.concat_tables(parts)
    verdicts = zip(*(ledger[name].to_pylist() for name in ("row", "status", "reason")), strict=True)
    for row, status, reason in verdicts:
        steps = {step.what: step.value for step in explain(options, row)}
        assert steps["status"] == status
        assert steps["reason"].partition(":")[0] == reason


def test_an_evm_row_shows_text_digest_key_and_address(options: Options) -> None:
    row = made_up(60).first_row
    address = made_up(60).rows[0].address
    values = {step.what: step.value for step in explain(options, row)}
    assert values["text as bytes"] == keys.MESSAGE.encode().hex()
    assert "key 04" in values["key recovered from the signature"]
    assert values["which is the address"].lower() == address
    assert values["status"] == "bound"


def test_a_line_that_is_no_row_is_an_error(options: Options) -> None:
    with pytest.raises(UsageError, match="line 1 is no row"):
        explain(options, 1)


def test_hostile_text_cannot_act_on_a_terminal(options: Options, tmp_path: Path) -> None:
    text = made_up(60).list_text().replace(keys.MESSAGE, "\x1b[31m\u202eI am", 1)
    (tmp_path / "list.csv").write_text(text)
    changed = Options(
        list_path=str(tmp_path / "list.csv"), config=options.config, exchange="demo", processes=1
    )
    shown = render(explain(changed, made_up(60).first_row))
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "unexpected-message" in shown
