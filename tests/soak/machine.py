"""What the machine does to a run: kills, steps of the clock, full disks, a second process."""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.integration.made_up_run import start
from tests.soak.driver import ENVIRONMENT, PROVEN, Soak, copied, finished_shards, other_numbers

PAGE = 4096
FARTHEST_OFF_S = 20 * 365 * 86_400
"""A long run has steps enough to leave the years that a computer can count in nanoseconds."""
NO_CLOCK = "clock steps (.ci/install-faketime)"
NO_MOUNT = "a full file system (needs the right to mount)"
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
"""Source: linux/prctl.h, linux/capability.h."""


async def kills(soak: Soak, times: int) -> None:
    """Kill the process again and again in bad weather, then let it finish."""
    run = soak.directory / "killed"
    await soak.killed_when(run, lambda: any(run.glob("claims/*.parquet")))
    most = max(2, soak.exchanges // 2)
    for number in range(times):
        before = finished_shards(run)
        soak.bad_weather()
        dead = soak.rng.choice(["ethereum-one", "ethereum-two", "tron-one", "bitcoin-core"])
        if number % 2:
            await soak.proxies[dead].die()
        await soak.killed(run, soak.rng.randint(1, most))
        if number % 2:
            await soak.proxies[dead].revive()
            soak.done["dead endpoint that came back"] += 1
        after = finished_shards(run)
        assert {name: after[name] for name in before} == before
    soak.fair_weather()
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    assert not list(run.rglob(".*.part"))


async def clock_steps(soak: Soak) -> None:
    """Step the clock now and then: the time of day both ways, then all clocks forward."""
    library = faketime()
    if library is None:
        soak.left_out.append(NO_CLOCK)
        return
    for only_wall, steps in (("1", (-86_400, -3600, 3600, 400 * 86_400)), ("0", (1, 60, 3600))):
        offset = soak.directory / f"clock-{only_wall}.txt"
        clock = Clock(soak, offset, steps)
        environment = {
            **os.environ,
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": only_wall,
        }
        run = soak.directory / f"clock-{only_wall}"
        soak.on_exchange = clock.step
        await soak.finish(run, soak.calm, PROVEN, env=environment)
        assert other_numbers(run, soak.whole) == []
        soak.fair_weather()
        await soak.finish(run, soak.calm, PROVEN)
        soak.same_as_undisturbed(run)
        assert clock.stepped
        soak.done["clock step"] += clock.stepped


class Clock:
    """How far a process' clock is off, in a file that libfaketime reads at every look."""

    def __init__(self, soak: Soak, file: Path, steps: Sequence[int]) -> None:
        self._rng, self._file, self._steps = soak.rng, file, steps
        self._seconds = self.stepped = 0
        self._write()

    def step(self) -> None:
        """Step at one of three exchanges."""
        if self.stepped and self._rng.randrange(3):
            return
        self.stepped += 1
        seconds = self._seconds + self._rng.choice(self._steps)
        self._seconds = seconds if abs(seconds) <= FARTHEST_OFF_S else 0
        self._write()

    def _write(self) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(f"{self._seconds:+d}")
        new.rename(self._file)


def faketime() -> Path | None:
    """Find libfaketime; ``.ci/install-faketime`` unpacks it."""
    given = os.environ.get("RECOUNT_FAKETIME")
    unpacked = Path(__file__).parents[2] / ".nodes/faketime/libfaketime.so.1"
    found = Path(given) if given else unpacked
    return found if found.exists() else None


async def disk_full(soak: Soak) -> None:
    """Let no file grow beyond a limit: one sentence, nothing lost."""
    run = soak.directory / "full"
    sizes = [file.stat().st_size for file in soak.whole.glob("*/*.parquet")]
    limit = soak.rng.randint(256, max(sizes) // 2)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    err = await soak.finish(run, soak.calm, ENVIRONMENT, preexec_fn=small_files)
    assert "cannot write" in err
    assert "resume" in err
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    soak.done["full disk"] += 1


async def no_space(soak: Soak) -> None:
    """Fill a small file system: one sentence; with more space the run goes on."""
    place = soak.directory / "small"
    place.mkdir()
    whole = sum(-(-f.stat().st_size // PAGE) * PAGE for f in soak.whole.rglob("*") if f.is_file())
    size = soak.rng.randint(whole // 8, whole // 2)
    if not mounted(place, "-t", "tmpfs", "-o", f"size={size}", "none"):
        soak.left_out.append(NO_MOUNT)
        return
    try:
        run = place / "run"
        err = await soak.finish(run, soak.calm, ENVIRONMENT)
        assert "No space left" in err
        assert mounted(place, "-o", f"remount,size={16 * whole}")
        await soak.finish(run, soak.calm, PROVEN)
        soak.same_as_undisturbed(run)
    finally:
        subprocess.run(["umount", str(place)], check=True)  # noqa: ASYNC221 - a test may block
    soak.done["full file system"] += 1


def mounted(place: Path, *arguments: str) -> bool:
    """Mount something; False where that is not permitted."""
    try:
        done = subprocess.run(["mount", *arguments, str(place)], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return done.returncode == 0


async def read_only(soak: Soak) -> None:
    """Take away the right to write: one sentence, and with the right back all is well."""
    run = copied(soak, "read-only")
    places = [run, *run.rglob("*")]
    rights = {place: stat.S_IMODE(place.stat().st_mode) for place in places}
    for place in places:
        place.chmod(rights[place] & 0o555)
    err = await soak.finish(run, soak.calm, ENVIRONMENT, preexec_fn=ordinary_rights)
    assert "cannot write" in err
    assert "permission" in err.lower()
    for place in places:
        place.chmod(rights[place])
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    soak.done["read-only directory"] += 1


def ordinary_rights() -> None:
    """Make a superuser obey permission bits, as everybody else does."""
    if os.getuid() == 0:
        for right in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            if ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, right, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")


async def two_processes(soak: Soak) -> None:
    """Hold a process at its first exchange: a second one ends while the first still works."""
    run = soak.directory / "twice"
    for proxy in soak.proxies.values():
        proxy.gate.clear()
    first = await start(*soak.command(run, soak.calm))
    while not run.joinpath("manifest.json").exists():
        assert first.returncode is None
        await soak.turn()
    err = await soak.finish(run, soak.calm, ENVIRONMENT)
    assert "another process works on" in err
    assert first.returncode is None
    for proxy in soak.proxies.values():
        proxy.gate.set()
    _, said = await first.communicate()
    assert first.returncode == PROVEN, said
    soak.same_as_undisturbed(run)
    soak.done["second process"] += 1
