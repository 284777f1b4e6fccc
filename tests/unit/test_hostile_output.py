"""What a node says of itself, on the terminal of whoever asked: shown, cut, never obeyed."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from chains.errors import LONGEST_MESSAGE, ConfigError, WrongChain
from crawler.cli import commands
from crawler.doctor import diagnosis
from crawler.errors import ListError

pytestmark = pytest.mark.unit

NASTY = "safe\u202egnp \x1b[2J\x1b]0;owned\x07\r\nrecount: all is well \u2028\u200b"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongChain(f"n0 serves {NASTY}"), 4),
        (ConfigError(NASTY), 2),
        (ListError(NASTY), 2),
        (OSError(5, NASTY, NASTY), 4),
        (ValueError(NASTY), 4),
    ],
    ids=lambda one: type(one).__name__,
)
def test_an_error_is_one_plain_line_whatever_it_repeats(
    error: Exception,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(**_: object) -> None:
        raise error

    monkeypatch.setattr(commands, "app", fail)
    monkeypatch.delenv("RECOUNT_DEBUG", raising=False)
    with pytest.raises(SystemExit) as ended:
        commands.main()
    out, err = capsys.readouterr()
    assert (ended.value.code, out, err[-1:]) == (code, "", "\n")
    assert err[:-1].isprintable()
    assert "⟨U+202E⟩" in err


def test_what_a_node_says_is_cut() -> None:
    assert len(str(WrongChain("x" * (1 << 20)))) == LONGEST_MESSAGE
    assert str(WrongChain("x" * LONGEST_MESSAGE)) == "x" * LONGEST_MESSAGE


def test_the_blocks_that_endpoints_name_are_shown_as_text() -> None:
    file = io.StringIO()
    found = diagnosis.Diagnosis(endpoints=(), unasked=(), disagreements=(f"n0 names {NASTY}",))
    diagnosis.render(found, Console(file=file, width=200, _environ={}))
    assert file.getvalue().replace("\n", "").isprintable()
