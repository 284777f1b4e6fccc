"""From raw exchanges to answers: pure, and the same for a crawl, a replay and a broken-off attempt.

An adapter that fails on an answer that nobody foresaw gives Gaps, never a number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from chains.adapter import ChainAdapter
from chains.errors import ChainError, Fatal, Transient
from chains.model import Answers, Extract, Gap, Questions, Snapshot, all_gaps
from crawler.crawling.answers import AnswerColumns
from crawler.crawling.evidence import Header, read_pack
from crawler.errors import EnvironmentFault

DEFECTS = (
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    ArithmeticError,
    AttributeError,
    RecursionError,
)
"""What an adapter may raise on an answer that nobody foresaw; it becomes a Gap, never a number."""


def decode(adapter: ChainAdapter, asked: Questions, extract: Extract, at: Snapshot) -> Answers:
    """Decode one extract; an error of the decoder becomes Gaps, never a number."""
    try:
        return _fitting(adapter.decode(asked, extract, at), extract)
    except Fatal:
        raise
    except ChainError as error:
        return all_gaps(extract, Gap(error.code, isinstance(error, Transient), str(error)[:200]))
    except DEFECTS as error:
        return all_gaps(extract, Gap("adapter-error", detail=named(error)))


def named(error: Exception) -> str:
    """Describe an error that nobody foresaw, in at most 200 characters."""
    return f"{type(error).__name__}: {error}"[:200]


def _fitting(answers: Answers, extract: Extract) -> Answers:
    """Return ``answers``; raises ``ValueError`` where they are not about the extract."""
    if len(answers.units) != len(answers.positions):
        raise ValueError(f"{len(answers.units)} units for {len(answers.positions)} positions")
    if answers.positions is not extract.positions and not (
        set(answers.positions) <= set(extract.positions)
    ):
        raise ValueError("positions that the extract is not about")
    return answers


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt at a shard asked: the questions at ``positions`` of the whole shard."""

    shard: str
    attempt: int
    questions: Questions
    positions: Sequence[int]
    at: Snapshot


def decoded_pack(
    path: Path,
    adapter: ChainAdapter,
    asked: Asked,
    redact: Callable[[str], str] = lambda text: text,
) -> AnswerColumns:
    """Decode the evidence pack of an attempt; raises ``EnvironmentFault`` for another's."""
    columns = AnswerColumns(asked.positions, redact)
    within = {position: i for i, position in enumerate(asked.positions)}
    lines = read_pack(path)
    header = next(lines)
    if not isinstance(header, Header) or header.subject != asked.shard:
        raise EnvironmentFault(f"{path} is the evidence of another shard")
    for count, line in enumerate(lines):
        if isinstance(line, Header):
            raise EnvironmentFault(f"{path} has a second header")
        if not within.keys() >= set(line.positions):
            raise EnvironmentFault(
                f"{path} answers positions that attempt {asked.attempt} did not ask"
            )
        local = msgspec.structs.replace(line, positions=[within[p] for p in line.positions])
        columns.add(decode(adapter, asked.questions, local, asked.at), count)
    columns.fill(Gap("not-answered", retryable=True))
    return columns
