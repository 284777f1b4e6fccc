"""What becomes of a run whose files were damaged, exchanged or lost."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from crawler import jobs
from crawler.errors import EnvironmentFault, UsageError
from crawler.reports import document
from crawler.watching.progress import Silent
from tests.soak.driver import ENVIRONMENT, PROVEN, Soak, copied

KINDS = (
    "claims/*.parquet",
    "signatures/*.parquet",
    "inputs/inputs.json",
    "manifest.json",
    "plan/*.parquet",
    "shards/*.parquet",
    "evidence/[0-9a-f]*.zst",
    "evidence/snapshot.*.zst",
)


async def damaged_files(soak: Soak, rounds: int = 1) -> None:
    """Damage one file of a finished run: what goes on or replays is the same, or stops clearly."""
    run = copied(soak, "files")
    calm = soak.calm

    def resume(run: Path) -> object:
        return jobs.resume(run, Silent(), endpoints=calm).result

    for pattern in KINDS * rounds:
        for damage in (flipped, cut, exchanged):
            file = soak.rng.choice(sorted(run.glob(pattern)))
            good = file.read_bytes()
            bad = damage(soak, run, file, good)
            if bad == good:
                continue
            for what in (jobs.replay, resume):
                file.write_bytes(bad)
                said = await ending(soak, what, run)
                assert not said or file.name[:12] in said or str(run) in said, said
                restored(soak, run)
                soak.done["stop because of damage"] += bool(said)
            soak.done[f"{damage.__name__} {pattern.partition('/')[0]}"] += 1


async def ending(soak: Soak, what: Callable[[Path], object], run: Path) -> str:
    """Do it in this process: return why it stopped, nothing where all is as undisturbed."""
    try:
        result = await asyncio.to_thread(what, run)
    except (EnvironmentFault, UsageError) as error:
        said = str(error)
        assert len(said.splitlines()) == 1, said
        return said
    found = json.loads(document.encode_result(result))
    assert json.dumps(found, sort_keys=True).encode() == soak.expected
    return ""


def restored(soak: Soak, run: Path) -> None:
    """Bring back every file of the undisturbed run."""
    shutil.copytree(soak.whole, run, dirs_exist_ok=True)


def flipped(soak: Soak, run: Path, file: Path, good: bytes) -> bytes:
    del run, file
    bad = bytearray(good)
    bad[soak.rng.randrange(len(bad))] ^= 1 << soak.rng.randrange(8)
    return bytes(bad)


def cut(soak: Soak, run: Path, file: Path, good: bytes) -> bytes:
    del run, file
    return good[: soak.rng.randrange(len(good))]


def exchanged(soak: Soak, run: Path, file: Path, good: bytes) -> bytes:
    """Return another file of the same kind; of what there is only one, another digit in it."""
    others = sorted(other for other in run.glob(f"{file.parent.name}/*") if other != file)
    if others and file.parent != run:
        return soak.rng.choice(others).read_bytes()
    return good.replace(b"1", b"2", 1)


async def damaged_shard(soak: Soak) -> None:
    """Flip a bit of the answers: a stop that names the file; deleting it heals the run."""
    run = copied(soak, "damaged")
    file = soak.rng.choice(sorted(run.glob("shards/*.parquet")))
    position = data_byte(file, soak.rng.randrange(1 << 30))
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << soak.rng.randrange(8)
    file.write_bytes(content)
    err = await soak.finish(run, soak.calm, ENVIRONMENT)
    words = err.split()
    assert str(file) in words, err
    assert {"damaged", "delete", "resume"} <= {word.strip("'();") for word in words}, err
    file.unlink()
    await soak.finish(run, soak.calm, PROVEN)
    soak.same_as_undisturbed(run)
    soak.done["flipped bit"] += 1


def data_byte(file: Path, number: int) -> int:
    """Choose a position within a Parquet file whose change matters: the data of a column."""
    group = pq.ParquetFile(file).metadata.row_group(0)
    column = group.column(number % group.num_columns)
    first = column.dictionary_page_offset or column.data_page_offset
    return first + column.total_compressed_size - 1


async def lost_part(soak: Soak) -> None:
    """Lose a part of the examined list: its rows must not be missing in silence."""
    run = copied(soak, "lost")
    for stage in ("claims", "signatures"):
        (run / stage / "part-000000.parquet").unlink()
    err = await soak.finish(run, soak.calm, ENVIRONMENT)
    assert "start a new run" in err
    soak.done["lost part"] += 1
