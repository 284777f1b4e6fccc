"""Runs a campaign: ``python -m tests.fuzz [--seconds N] [NAME...]``, a table at its end.

Every target gets so many seconds in a process of its own. With ``atheris`` the inputs are guided
by coverage; ``--plain`` does without. An input that breaks a property is written to
``fuzz-failures/`` and shown; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import random
import re
import resource
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.fuzz.mutation import mutated
from tests.fuzz.target import Target, leave_place, place

FAILURES = Path("fuzz-failures")
LONGEST_INPUT = 1 << 16
"""Bytes; longer seeds are cut to it."""
SAID = {
    "seeds": r"seeds: (\d+)",
    "corpus": r"corp: (\d+)",
    "inputs": r"number_of_executed_units: +(\d+)",
    "peak": r"peak_rss_mb: +(\d+)",
}
"""Where the numbers stand in what libFuzzer says, or we in its place."""

Work = Callable[[Target, int, int], None]


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("names", nargs="*", help="beginnings of targets' names; all by default")
    parser.add_argument("--seconds", type=int, default=30, help="for each target")
    parser.add_argument("--plain", action="store_true", help="not guided by coverage")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    guided = not given.plain and importlib.util.find_spec("atheris") is not None
    say(f"fuzz: {'guided by atheris' if guided else 'plain mutations, not guided'}\n")
    targets = _instrumented() if guided else _targets()
    FAILURES.mkdir(exist_ok=True)
    say(f"{'target':26} {'seeds':>6} {'corpus':>6} {'inputs':>9} {'s':>4} {'MiB':>5}\n")
    broken = 0
    for name, target in targets.items():
        if not given.names or any(name.startswith(one) for one in given.names):
            broken += _apart(_guided if guided else _plain, target, given)
    return int(broken > 0)


def say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _targets() -> Mapping[str, Target]:
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - only once it may be instrumented

    return TARGETS


def _instrumented() -> Mapping[str, Target]:
    """Import everything so that atheris sees which branches an input takes."""
    import atheris  # noqa: PLC0415 - the only place that needs it

    with atheris.instrument_imports(include=["chains", "crawler"], enable_loader_override=False):
        return _targets()


def _apart(work: Work, target: Target, given: argparse.Namespace) -> bool:
    """Fuzz one target in a process of its own, print its line; tell whether a property broke."""
    with tempfile.TemporaryFile() as said:
        place()  # made here, so that it can be removed here
        child = os.fork()
        if not child:
            for stream in (sys.stdout, sys.stderr):
                os.dup2(said.fileno(), stream.fileno())
            code = 1
            try:
                work(target, given.seconds, given.seed)
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
    numbers = {name: (re.findall(pattern, text) or ["-"])[-1] for name, pattern in SAID.items()}
    say(
        f"{target.name:26} {numbers['seeds']:>6} {numbers['corpus']:>6} {numbers['inputs']:>9} "
        f"{given.seconds:>4} {numbers['peak']:>5}\n"
    )
    if code:
        say(f"{target.name}: BROKEN\n{text[-6000:]}\n")
    return bool(code)


def _plain(target: Target, seconds: int, seed: int) -> None:
    """Try mutations of the seeds for some seconds of processor time."""
    rng = random.Random(f"{target.name} {seed}")
    seeds = target.seeds()
    inputs, began = 0, time.process_time()
    while time.process_time() - began < seconds:
        data = mutated(seeds, rng) if inputs >= len(seeds) else seeds[inputs]
        try:
            target.timed(data)
        except BaseException:
            short = hashlib.sha256(data).hexdigest()[:12]
            (FAILURES / f"{_word(target)}-{short}").write_bytes(data)
            raise
        inputs += 1
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    say(f"seeds: {len(seeds)}\nnumber_of_executed_units: {inputs}\npeak_rss_mb: {peak}\n")


def _guided(target: Target, seconds: int, seed: int) -> None:
    """Hand a target to libFuzzer through atheris, which ends the process."""
    import atheris  # noqa: PLC0415 - as above

    corpus = place() / "corpus"
    corpus.mkdir()
    seeds = target.seeds()
    for number, content in enumerate(seeds):
        (corpus / str(number)).write_bytes(content[:LONGEST_INPUT])
    say(f"seeds: {len(seeds)}\n")
    arguments = [
        *(sys.argv[0], str(corpus), f"-max_total_time={seconds}", f"-seed={seed}"),
        *("-timeout=30", "-rss_limit_mb=4096", f"-max_len={LONGEST_INPUT}"),
        *("-print_final_stats=1", f"-artifact_prefix={FAILURES}/{_word(target)}-"),
    ]
    atheris.Setup(arguments, target.timed)
    atheris.Fuzz()


def _word(target: Target) -> str:
    return re.sub(r"[^a-z0-9]+", "-", target.name)


if __name__ == "__main__":
    sys.exit(main())
