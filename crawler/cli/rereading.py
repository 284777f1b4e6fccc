"""Files too large to be kept as evidence, read again: ``recount replay RUN --bulk FILE``.

Of a UTXO set dump a run keeps digest, size and what was found. Whoever has the file can have it
read once more for the very accounts that were asked about, and compared byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from chains import adapters
from chains.adapter import ReadsBulk
from chains.model import ChainSpec, Exchange, Questions
from crawler.counting import recount as pure
from crawler.crawling import replaying
from crawler.crawling.evidence import Header, evidence_pack, read_pack
from crawler.crawling.pins import stored_pins
from crawler.errors import EnvironmentFault, UsageError
from crawler.jobs import stored_inputs
from crawler.keeping.runs import RunDirectory
from crawler.keeping.storage import RunPlace


class _Reading(msgspec.Struct, frozen=True):
    """One reading of a bulk file, as the evidence has it."""

    adapter: ReadsBulk
    exchange: Exchange
    accounts: tuple[bytes, ...]
    height: int
    sha256: str
    size: int


def reread(path: RunPlace, files: Sequence[Path]) -> int:
    """Read every bulk file of a run again; returns how many readings gave the same bytes.

    Raises ``UsageError`` where a file that the run read is not among ``files``, and
    ``EnvironmentFault`` where one now gives something else.
    """
    sizes = {_size(file): file for file in files}
    count = 0
    run = RunDirectory.open(path)
    try:
        for one in _readings(run):
            file = sizes.get(one.size)
            if file is None:
                raise UsageError(
                    f"{path} was made with a file of {one.size} bytes, sha256 {one.sha256}; "
                    "none of those given with --bulk has that size"
                )
            if (
                one.adapter.reread(one.exchange, one.accounts, one.height, file)
                != one.exchange.body
            ):
                raise EnvironmentFault(
                    f"{file} gives something else than {path} holds as evidence of a file with "
                    f"sha256 {one.sha256}: it is another file, or the run directory was changed"
                )
            count += 1
    finally:
        run.close()
    if not count:
        raise UsageError(f"{path} was made without bulk files; leave out --bulk")
    return count


def _readings(run: RunDirectory) -> Iterator[_Reading]:
    world = stored_inputs(run).world
    for entry, questions in pure.planned_questions(run, stored_pins(run)):
        spec = world.chains[questions.chain]
        for attempt in run.attempts(entry.digest):
            for witness in (False, True):
                name = evidence_pack(entry.digest, attempt, witness=witness)
                if run.holds(name):
                    with run.reading(name) as pack:
                        yield from _in_pack(spec, questions, pack)


def _in_pack(spec: ChainSpec, questions: Questions, pack: Path) -> Iterator[_Reading]:
    adapter = adapters.load(spec.adapter)(spec, replaying.NoTransport())  # type: ignore[arg-type]
    if not isinstance(adapter, ReadsBulk):
        return
    for line in read_pack(pack):
        if isinstance(line, Header):
            continue
        for exchange in line.exchanges:
            source = adapter.bulk_source(exchange)
            if source is not None:
                accounts = tuple(questions.accounts[position] for position in line.positions)
                yield _Reading(adapter, exchange, accounts, questions.height, *source)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise UsageError(f"{file} cannot be read ({error.strerror}); see --bulk") from error
