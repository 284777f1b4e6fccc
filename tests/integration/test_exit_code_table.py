"""Every exit code of every command, one by one, as the table in docs/cli.md has them."""

from __future__ import annotations

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from command_line import HEIGHT, OTHER, Ended, Files, call, files, row, serving

from chains.simulated.eip155 import SimulatedEvm
from crawler import demo, jobs
from crawler.cli import pruning
from crawler.crawling import capture
from crawler.doctor import diagnosis
from crawler.keeping.runs import RunDirectory
from crawler.support import networks
from tests.unit.report_samples import sample

pytestmark = pytest.mark.integration

__all__ = ["call", "files"]  # fixtures
CODES = ("0", "1", "2", "3", "4", "130")
DOCUMENT = Path(__file__).resolve().parents[2] / "docs/cli.md"


class Night(msgspec.Struct):
    """A node, the files of a command, and the way to give one."""

    call: Any
    files: Files
    node: SimulatedEvm
    patch: pytest.MonkeyPatch

    @property
    def run(self) -> str:
        return str(self.files.path / "runs/run")

    @property
    def listed(self) -> str:
        return str(self.files.path / "list.csv")

    async def gives(self, *arguments: str) -> Ended:
        return await asyncio.to_thread(self.call, *arguments)

    def asks(self, url: str = "") -> tuple[str, ...]:
        return ("--endpoints", self.files.endpoints(url or self.node.url))

    @property
    def world(self) -> tuple[str, ...]:
        return ("--config", str(self.files.path / "world.toml"))

    async def runs(self, code: int) -> Ended:
        """Make a run that ends with 0, 1 or 3."""
        self.files.listed(row(amount="6" if code == 1 else "5"))
        asks = () if code == 3 else self.asks()
        (self.files.path / "runs").mkdir(exist_ok=True)
        given = ("run", self.listed, "--run", self.run, *self.world, *asks, "--quiet")
        ended = await self.gives(*given)
        assert (ended[0], ended[1] != "") == (code, True), ended
        return ended


@pytest.fixture
async def night(call: Any, files: Files, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Night]:
    async with serving() as node:
        yield Night(call, files, node, monkeypatch)


Case = Callable[[Night], Awaitable[Ended]]
CASES: dict[tuple[str, str], Case] = {}


def case(command: str, code: int) -> Callable[[Case], Case]:
    def kept(made: Case) -> Case:
        assert CASES.setdefault((command, str(code)), made) is made
        return made

    return kept


def stored(command: str, code: int) -> Case:
    """Look at, decode or continue a run that ended with this code."""

    async def ended(night: Night) -> Ended:
        await night.runs(code)
        return await night.gives(command, night.run)

    return ended


for _code in (0, 1, 3):
    CASES["run", str(_code)] = lambda night, code=_code: night.runs(code)
    for _command in ("resume", "replay", "report"):
        CASES[_command, str(_code)] = stored(_command, _code)
for _command in ("resume", "replay", "report"):
    CASES[_command, "2"] = lambda night, command=_command: night.gives(command, night.run)


@case("run", 2)
async def _(night: Night) -> Ended:
    return await night.gives("run", night.listed + ".zip", *night.world)


@case("run", 4)
async def _(night: Night) -> Ended:
    night.node.wrong_chain_id = 1
    return await night.gives("run", night.listed, "--run", night.run, *night.world, *night.asks())


@case("resume", 4)
async def _(night: Night) -> Ended:
    """Another process is at work on the run."""
    await night.runs(0)
    other = RunDirectory.open(Path(night.run))
    try:
        return await night.gives("resume", night.run)
    finally:
        other.close()


@case("replay", 4)
async def _(night: Night) -> Ended:
    await night.runs(0)
    shutil.rmtree(Path(night.run, "evidence"))
    return await night.gives("replay", night.run)


@case("report", 4)
async def _(night: Night) -> Ended:
    """One row's story rests on evidence that is gone."""
    await night.runs(0)
    shutil.rmtree(Path(night.run, "evidence"))
    return await night.gives("report", night.run, "--row", "2")


@case("verify", 0)
async def _(night: Night) -> Ended:
    return await night.gives("verify", night.listed, *night.world)


@case("verify", 1)
async def _(night: Night) -> Ended:
    return await night.gives("verify", night.files.listed(row(OTHER)), *night.world)


@case("verify", 2)
async def _(night: Night) -> Ended:
    return await night.gives("verify", night.listed, "--policy", night.listed)


@case("verify", 3)
async def _(night: Night) -> Ended:
    return await night.gives("verify", night.files.listed(), *night.world)


@case("verify", 4)
async def _(night: Night) -> Ended:
    place = str(night.files.path / "no/such/v.csv")
    return await night.gives("verify", night.listed, *night.world, "--verdicts", place)


@case("plan", 0)
async def _(night: Night) -> Ended:
    return await night.gives("plan", night.listed, *night.world, *night.asks())


@case("plan", 2)
async def _(night: Night) -> Ended:
    return await night.gives("plan", night.listed, *night.world, "--endpoints", night.listed)


@case("doctor", 0)
async def _(night: Night) -> Ended:
    return await night.gives("doctor", *night.asks(), night.listed, *night.world)


@case("doctor", 1)
async def _(night: Night) -> Ended:
    night.node.pruned_below = HEIGHT + 1
    return await night.gives("doctor", *night.asks(), night.listed, *night.world)


@case("doctor", 2)
async def _(night: Night) -> Ended:
    return await night.gives("doctor", night.listed, *night.world)


@case("doctor", 4)
async def _(night: Night) -> Ended:
    night.node.wrong_chain_id = 1
    return await night.gives("doctor", *night.asks(), night.listed, *night.world)


async def captures(night: Night, *more: str) -> Ended:
    return await night.gives(
        "capture", night.listed, "--run", night.run, *night.world, *night.asks(), *more
    )


@case("capture", 0)
async def _(night: Night) -> Ended:
    return await captures(night, "--at", str(HEIGHT))


@case("capture", 2)
async def _(night: Night) -> Ended:
    return await captures(night, "--at", "soon")


@case("capture", 3)
async def _(night: Night) -> Ended:
    night.node.pruned_below = HEIGHT + 1
    return await captures(night, "--at", str(HEIGHT))


@case("capture", 4)
async def _(night: Night) -> Ended:
    return await captures(night, "--at", str(10 * HEIGHT), "--timeout", "0")


async def prunes(night: Night) -> Ended:
    await night.runs(0)
    shutil.move(night.run, night.run + "-before")
    await night.runs(0)
    return await night.gives("prune", str(night.files.path / "runs"), "--keep", "1")


CASES["prune", "0"] = prunes


@case("prune", 2)
async def _(night: Night) -> Ended:
    return await night.gives("prune", night.run, "--keep", "1")


@case("prune", 4)
async def _(night: Night) -> Ended:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    night.patch.setattr(pruning.shutil, "rmtree", refused)
    return await prunes(night)


@case("chains", 0)
async def _(night: Night) -> Ended:
    return await night.gives("chains")


@case("chains", 2)
async def _(night: Night) -> Ended:
    return await night.gives("chains", "no-such-network")


def demonstrates(*, complete: bool) -> Case:
    """What the demo makes of a finished run; that it names all faults is tested elsewhere."""

    async def ended(night: Night) -> Ended:
        named = (("a fault", "shortfall", complete),)
        shown = demo.Shown(report=sample(), path=Path(night.run), named=named, unexpected=())
        night.patch.setattr(demo, "run", lambda **_: shown)
        return await night.gives("demo")

    return ended


CASES["demo", "0"] = demonstrates(complete=True)
CASES["demo", "4"] = demonstrates(complete=False)


@case("demo", 2)
async def _(night: Night) -> Ended:
    return await night.gives("demo", "--rows", "59")


WORK: dict[str, tuple[Any, str, tuple[str, ...]]] = {
    "run": (jobs, "start", ("LIST",)),
    "resume": (jobs, "resume", ("RUN",)),
    "replay": (jobs, "replay", ("RUN",)),
    "report": (jobs, "stored_report", ("RUN",)),
    "verify": (jobs, "verify", ("LIST",)),
    "plan": (jobs, "planned", ("LIST",)),
    "doctor": (diagnosis, "diagnose", ("--endpoints", "ENDPOINTS", "LIST")),
    "capture": (capture, "take", ("LIST", "--run", "RUN", "--endpoints", "ENDPOINTS")),
    "prune": (pruning, "prune", ("DIR", "--keep", "1")),
    "chains": (networks, "chain_support", ()),
    "demo": (demo, "run", ()),
}
"""The part of each command that is interrupted, and its arguments."""


def interrupted(command: str) -> Case:
    async def ended(night: Night) -> Ended:
        def told_to_end(*_: Any, **__: Any) -> None:
            raise KeyboardInterrupt

        await night.runs(0)
        module, name, given = WORK[command]
        night.patch.setattr(module, name, told_to_end)
        places = {
            "LIST": night.listed,
            "RUN": night.run,
            "DIR": str(night.files.path),
            "ENDPOINTS": night.asks()[1],
        }
        return await night.gives(command, *(places.get(one, one) for one in given))

    return ended


for _command in WORK:
    CASES[_command, "130"] = interrupted(_command)


def documented() -> Iterator[tuple[str, str]]:
    """Name every cell of the table in docs/cli.md that says yes."""
    text = DOCUMENT.read_text(encoding="utf-8")
    for line in re.findall(r"^\| `([a-z]+)` \|((?: (?:yes)? ?\|){6})$", text, re.MULTILINE):
        cells = line[1].split("|")[:-1]
        assert len(cells) == len(CODES)
        yield from (
            (line[0], code) for code, cell in zip(CODES, cells, strict=True) if cell.strip()
        )


def test_every_cell_of_the_table_has_its_case_and_every_case_its_cell() -> None:
    assert set(documented()) == set(CASES)


@pytest.mark.parametrize(("command", "code"), sorted(CASES))
async def test_exit_code(night: Night, command: str, code: str) -> None:
    ended, out, err = await CASES[command, code](night)
    assert ended == int(code), (out, err)
    if code in ("2", "130"):
        assert out == ""
    if code == "130":
        assert err.endswith("recount: interrupted; nothing that was finished is lost\n")
