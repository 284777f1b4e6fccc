"""Runs a campaign: ``python -m tests.fuzz [--seconds N] [NAME...]``, a table at its end.

Every target gets so many seconds of processor time in a process of its own. With ``atheris`` the
inputs are guided by coverage; ``--plain`` does without. An input that breaks a property is written
to ``fuzz-failures/`` and shown; the exit code is then 1. ``--again FILE NAME`` tries it once more.
``--corpus DIRECTORY`` keeps what took new branches and begins with it the next time. ``--record``
writes the table into ``docs/hostile-input.md``; targets that were not run keep their lines there.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import os
import random
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from tests.fuzz import table
from tests.fuzz.target import Target, leave_place, place

FAILURES = Path("fuzz-failures")
LONGEST_INPUT = 1 << 15
"""Bytes; longer seeds are cut to it, unless all of them are longer."""
HANGS_S = 30
"""Processor time after which an input is stopped that does not come to its end."""
LONGEST_WAIT_S = 3600
"""The same by the clock on the wall, for what no signal stops; the process may have been paused."""
MOST_MIB = 1024
"""Memory of one process, beyond which an input has blown it up."""
SAID = {
    "seeds": r"seeds: (\d+)",
    "corpus": r"corp: (\d+)",
    "inputs": r"inputs: (\d+)",
    "peak": r"peak: (\d+)",
}
"""Where the numbers stand in what we and libFuzzer say."""

NOISE = re.compile(r"#\d+\s|INFO: |stat::|\s*$")
"""What libFuzzer says as it goes."""

Work = Callable[[Target, argparse.Namespace], None]


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of targets' names; all by default")
    parser.add_argument(
        "--seconds", type=int, default=30, help="of processor time, for each target"
    )
    parser.add_argument("--plain", action="store_true", help="not guided by coverage")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="where the corpus is kept")
    parser.add_argument("--again", type=Path, metavar="FILE", help="try one input once more")
    parser.add_argument("--record", action="store_true", help="write the table into the documents")
    given = parser.parse_args()
    if given.seconds < 1:
        parser.error("--seconds: at least 1")
    guided = not (given.plain or given.again) and importlib.util.find_spec("atheris") is not None
    targets = _instrumented() if guided else _targets()
    chosen = _chosen(targets, given.names)
    if not chosen:
        parser.error(f"no target's name begins so; there are: {', '.join(targets)}")
    if given.again:
        return _once_more(chosen, given.names, given.again)
    say(f"fuzz: {'guided by atheris' if guided else 'plain mutations, not guided'}\n")
    say(f"{'target':26} {'seeds':>6} {'corpus':>6} {'inputs':>9} {'a second':>8} {'MiB':>5}\n")
    FAILURES.mkdir(exist_ok=True)
    lines, broken = [], []
    try:
        for target in chosen:
            line, well = _apart(_guided if guided else _plain, target, given)
            lines.append(line)
            broken += [] if well else [target.name]
    except KeyboardInterrupt:
        say("fuzz: stopped\n")
        return 130
    finally:
        leave_place()
        with contextlib.suppress(OSError):
            FAILURES.rmdir()  # nothing was left there
    say(f"fuzz: {len(lines)} targets, {sum(one.inputs for one in lines):,} inputs, ")
    say(f"broken: {', '.join(broken) or 'none'}\n")
    if given.record:
        table.write(lines, list(targets), guided=guided)
    return int(bool(broken))


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _chosen(targets: Mapping[str, Target], names: list[str]) -> list[Target]:
    return [one for one in targets.values() if not names or one.name.startswith(tuple(names))]


def _once_more(chosen: list[Target], names: list[str], file: Path) -> int:
    """Try one input on one target, with a traceback where it breaks."""
    exact = [one for one in chosen if [one.name] == names]
    chosen = exact or chosen
    if len(chosen) > 1:
        say(f"fuzz: which one: {', '.join(one.name for one in chosen)}?\n")
        return 2
    try:
        chosen[0].timed(file.read_bytes())
    finally:
        leave_place()
    say(f"{chosen[0].name}: holds\n")
    return 0


def _targets() -> Mapping[str, Target]:
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - only once it may be instrumented

    return TARGETS


def _instrumented() -> Mapping[str, Target]:
    """Import everything so that atheris sees which branches an input takes."""
    import atheris  # noqa: PLC0415 - the only place that needs it

    with (
        _quiet(),
        atheris.instrument_imports(include=["chains", "crawler"], enable_loader_override=False),
    ):
        return _targets()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what atheris says of every module; what goes wrong is raised anyway."""
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        sys.stderr.flush()
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def _apart(work: Work, target: Target, given: argparse.Namespace) -> tuple[table.Line, bool]:
    """Fuzz one target in a process of its own, print its line; tell whether all properties held."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        place()  # made here, so that it can be removed here
        child = os.fork()
        if not child:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(said.fileno(), stream.fileno())
            code = 1
            try:
                work(target, given)
                code = 0
            except BaseException:  # noqa: BLE001 - the child has no other way to tell
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        leave_place()
        said.seek(0)
        text = said.read().decode(errors="replace")
    found = {name: (re.findall(pattern, text) or [""])[-1] for name, pattern in SAID.items()}
    numbers = {name: int(number or 0) for name, number in found.items()}
    line = table.Line(target.name, seconds=given.seconds, **numbers)
    say(
        f"{target.name:26} {line.seeds:>6} {line.corpus or '-':>6} {line.inputs:>9} "
        f"{line.inputs / given.seconds:>8.0f} {line.peak:>5}\n"
    )
    if code or not line.inputs:
        told = "\n".join(one for one in text.splitlines() if not NOISE.match(one))
        say(f"{target.name}: BROKEN after {time.monotonic() - began:.0f} s\n{told[-6000:]}\n")
    return line, not code and line.inputs > 0


def _plain(target: Target, given: argparse.Namespace) -> None:
    """Try mutations of the seeds for some seconds of processor time."""
    from tests.fuzz.mutation import mutated  # noqa: PLC0415 - it imports what is instrumented

    rng = random.Random(f"{target.name} {given.seed}")
    seeds = _begun(target)
    trying = _Trying(target, given.seconds)
    while not trying.is_over():
        trying(mutated(seeds, rng))
    trying.tell()


class _Trying:
    """Tries inputs until the time is over, and counts them."""

    def __init__(self, target: Target, seconds: int) -> None:
        self._target = target
        self._inputs = 0
        self._until = time.process_time() + seconds
        signal.signal(signal.SIGVTALRM, _hangs)

    def __call__(self, data: bytes) -> None:
        """Try one input, and keep it where it breaks a property."""
        signal.setitimer(signal.ITIMER_VIRTUAL, HANGS_S)
        try:
            self._target.timed(data)
        except BaseException:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            kept = FAILURES / f"{_word(self._target)}-{_short(data)}"
            kept.write_bytes(data)
            say(f"{kept}: {data[:200]!r}\n")
            self.tell()
            raise
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        self._inputs += 1

    def is_over(self) -> bool:
        """Tell whether the time is over."""
        return time.process_time() > self._until

    def tell(self) -> None:
        """Say what there was."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        say(f"inputs: {self._inputs}\npeak: {peak}\n")


def _hangs(*_: object) -> None:
    raise AssertionError(f"no end after {HANGS_S} s of processor time")


def _short(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def _guided(target: Target, given: argparse.Namespace) -> None:
    """Hand a target to libFuzzer through atheris, which ends the process."""
    import atheris  # noqa: PLC0415 - as above

    from tests.fuzz.mutation import mutated  # noqa: PLC0415

    seeds = _begun(target)
    corpus = (given.corpus or place() / "corpus") / _word(target)
    corpus.mkdir(parents=True, exist_ok=True)
    short = [one for one in seeds if len(one) <= LONGEST_INPUT] or [
        one[:LONGEST_INPUT] for one in seeds
    ]
    for content in short:
        (corpus / f"seed-{_short(content)}").write_bytes(content)
    rng = random.Random()

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        rng.seed(seed)
        if rng.randrange(3):
            return bytes(atheris.Mutate(data, most))
        return mutated((data, data, rng.choice(short)), rng)[:most]

    trying = _Trying(target, given.seconds)

    def one(data: bytes) -> None:
        trying(data)
        if trying.is_over():  # libFuzzer itself knows the time of the wall only
            trying.tell()
            sys.stdout.flush()
            os._exit(0)

    arguments = [
        *(sys.argv[0], str(corpus), f"-seed={given.seed}"),
        *(f"-timeout={LONGEST_WAIT_S}", f"-rss_limit_mb={MOST_MIB}", f"-max_len={LONGEST_INPUT}"),
        f"-report_slow_units={LONGEST_WAIT_S}",  # of the wall as well; ours is of the processor
        f"-artifact_prefix={FAILURES}/{_word(target)}-",
    ]
    atheris.Setup(arguments, one, custom_mutator=mutator)
    atheris.Fuzz()


def _begun(target: Target) -> list[bytes]:
    """Return the seeds, each tried once: what is imported or made once is there then."""
    sys.modules.setdefault("pandas", None)  # type: ignore[arg-type] # pyarrow looks for it each time
    seeds = target.seeds()
    for seed in seeds:
        target.check(seed)
    say(f"seeds: {len(seeds)}\n")
    return seeds


def _word(target: Target) -> str:
    return re.sub(r"[^a-z0-9]+", "-", target.name)


if __name__ == "__main__":
    sys.exit(main())
