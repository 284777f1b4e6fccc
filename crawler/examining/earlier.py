"""Signature results of an earlier run, used again: ``recount run LIST --earlier RUN``.

Month after month most rows of a list carry the same text, the same signature and the same key. What
such a row shows cannot change while nothing changes on which it rests: the row's own texts and
labels, the configuration, the exchange, the texts that are expected, and the program that judged.
Where any of the latter differs nothing is carried over; rows are compared by a digest of all that a
verdict rests on. Carried results are marked (``carried`` in the signature files) and counted in the
report's circumstances; the result itself is the same either way.

The earlier run is trusted like this one: its files must be what its manifest says, and nobody else
vouches for them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from chains.bulk import Halves
from crawler.errors import EnvironmentFault, UsageError
from crawler.examining.judges import Judging, Pending, in_order
from crawler.examining.judging import TASKS, VERDICTS
from crawler.examining.quick import Settled, one_batch
from crawler.keeping.runs import INPUTS, Manifest, RunDirectory
from crawler.model import RowKind
from crawler.tables.columns import Flags, Numbers, flags
from crawler.tables.digests import MANY, for_rows

MOST = 1 << 20
"""Different rows whose results are kept at a time, some 300 bytes each; others are judged anew."""
PROGRAM = "program-sha256"
"""Key in the versions of a run: the digest of the program text."""
_KEY = tuple(name for name in TASKS.names if name != "problem")


class Earlier(msgspec.Struct, frozen=True):
    """What an earlier run found out.

    ``firsts`` are the first halves of digests, ascending, ``seconds`` the other halves.
    ``places`` say where in ``verdicts`` (``VERDICTS``) the results of each digest are.
    """

    run: str
    firsts: Numbers
    seconds: Numbers
    places: Numbers
    verdicts: pa.RecordBatch

    def settle(self, tasks: pa.RecordBatch) -> Settled:
        """Return what is known of tasks, as the quick lane does."""
        if not len(self.firsts) or not tasks.num_rows:
            return self.verdicts.slice(0, 0), np.zeros(0, np.int64)
        halves = _digests(tasks)
        at = np.searchsorted(self.firsts, halves[:, 0])
        at[at == len(self.firsts)] = 0
        same = (self.firsts[at] == halves[:, 0]) & (self.seconds[at] == halves[:, 1])
        rows = np.flatnonzero(same & _lasting(tasks))
        return self.verdicts.take(pa.array(self.places[at[rows]])), rows

    def before(self, judging: Judging) -> Judging:
        """Return who looks here first, and has the rest judged."""

        def begin(tasks: pa.RecordBatch) -> Pending:
            settled = self.settle(tasks)
            left = np.setdiff1d(np.arange(tasks.num_rows), settled[1], assume_unique=True)
            return _Rest(settled, judging(tasks.take(pa.array(left))) if len(left) else None)

        return begin


class _Rest:
    """A slice of tasks of which some were known, and the rest is being judged."""

    def __init__(self, settled: Settled, rest: Pending | None) -> None:
        self._settled, self._rest = settled, rest

    def hand_on(self, *, wait: bool) -> None:
        """Let the rest take its next step."""
        if self._rest is not None:
            self._rest.hand_on(wait=wait)

    def is_done(self) -> bool:
        """Tell whether the rest is judged."""
        return self._rest is None or self._rest.is_done()

    def verdicts(self) -> pa.RecordBatch:
        """Return all verdicts, in order; waits for the rest."""
        return in_order(self._settled, [] if self._rest is None else [self._rest.verdicts()])


def check(path: str) -> None:
    """Raise ``UsageError`` where ``--earlier`` names no run whose list was examined."""
    if path:
        _opened(Path(path))


def open_earlier(
    path: str, now: Manifest, exchange: str, note: Callable[[str], None]
) -> Earlier | None:
    """Read the signature results of a run that may be carried over into the run of ``now``.

    ``exchange`` is whose list is being read. ``None`` without a ``path``, and, with a note for a
    person, where something differs on which results rest, or where the run was deleted since this
    one began (``check``). Raises ``EnvironmentFault`` where it is damaged.
    """
    if not path:
        return None
    if not (Path(path) / "manifest.json").exists():
        note(f"nothing is carried over from {Path(path).name}: it is gone")
        return None
    run = _opened(Path(path))
    different = _different(run.manifest, now)
    if _exchange(run) != exchange:
        different.append("exchange")
    if different:
        note(f"nothing is carried over from {run.path.name}: another {' and '.join(different)}")
        return None
    return _read(run)


def _opened(path: Path) -> RunDirectory:
    run = RunDirectory.open(path, lock=False)
    if run.manifest.kind != "run" or run.manifest.examined is None:
        raise UsageError(f"{path} holds no examined list; name another run for --earlier")
    return run


def _different(then: Manifest, now: Manifest) -> list[str]:
    """Name what differs between two runs and bears on signatures."""

    def messages(manifest: Manifest) -> str | None:
        return manifest.inputs.get("messages", {}).get("sha256")

    sides = {
        "program": (dict(then.versions), dict(now.versions)),
        "configuration": (then.config_sha256, now.config_sha256),
        "file of expected texts": (messages(then), messages(now)),
    }
    return [name for name, (one, other) in sides.items() if one != other]


def _exchange(run: RunDirectory) -> str:
    """Return whose list a run read; raises ``EnvironmentFault``."""
    try:
        return msgspec.json.decode(run.read(INPUTS), type=_Inputs).exchange
    except (OSError, ValueError, RecursionError) as error:
        raise EnvironmentFault(f"{run.path / INPUTS} is missing or damaged ({error})") from error


class _Inputs(msgspec.Struct, frozen=True):
    """What matters here of a run's inputs (``recount.Inputs``)."""

    exchange: str


def _read(run: RunDirectory) -> Earlier:
    halves: list[Halves] = []
    verdicts: list[pa.RecordBatch] = []
    count = 0
    for claims, signatures in zip(run.parts("claims"), run.parts("signatures"), strict=True):
        tasks = one_batch(run.read_table(claims, [*TASKS.names]))
        lasting = np.flatnonzero(_lasting(tasks))
        own = _digests(tasks)[lasting]
        _, firsts = np.unique(own, axis=0, return_index=True)
        found = _verdicts(run, claims, signatures, lasting[firsts])
        halves.append(own[firsts])
        verdicts.append(found)
        count += len(firsts)
        if count > MOST:
            break
    together = np.concatenate(halves) if halves else np.zeros((0, 2), np.int64)
    # of results under one first half all but one are left out: they are judged anew
    firsts, places = np.unique(together[:, 0], return_index=True)
    return Earlier(
        run=run.manifest.run,
        firsts=firsts,
        seconds=together[places, 1],
        places=places,
        verdicts=one_batch(pa.Table.from_batches(verdicts, VERDICTS)),
    )


def _verdicts(run: RunDirectory, claims: str, signatures: str, rows: Numbers) -> pa.RecordBatch:
    names = [name for name in VERDICTS.names if name not in ("account", "carried")]
    judged = run.read_table(signatures, names).take(pa.array(rows))
    accounts = run.read_table(claims, ["account"]).take(pa.array(rows))
    columns = {**dict(zip(names, judged.columns, strict=True)), "account": accounts["account"]}
    columns["carried"] = pa.repeat(pa.scalar(value=True), len(rows))
    table = pa.table([columns[name] for name in VERDICTS.names], schema=VERDICTS)
    return one_batch(table)


def _lasting(tasks: pa.RecordBatch) -> Flags:
    """Tell which tasks have a verdict that may be carried over: not what could not be read."""
    return flags(pc.not_equal(tasks.column("kind"), RowKind.MALFORMED.value))


def _digests(tasks: pa.RecordBatch) -> Halves:
    """Digest, row by row, all on which a verdict rests."""
    digests = for_rows(MANY)  # one function for both runs, however short a part of them
    return digests([tasks.column(name) for name in _KEY])
