"""``recount run --earlier``: signature results of unchanged rows are those of an earlier run."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from made_up_run import MadeUpRun, recount, result_bytes, serving

pytestmark = pytest.mark.integration


def carried(run: Path) -> dict[str, object]:
    return dict(json.loads((run / "report.json").read_bytes())["circumstances"]["carried"])


def marked(run: Path) -> int:
    files = sorted((run / "signatures").glob("*.parquet"))
    return sum(sum(pq.read_table(file)["carried"].to_pylist()) for file in files)


def rows(run: Path) -> int:
    return int(json.loads((run / "manifest.json").read_bytes())["examined"]["rows"])


def append(file: Path, text: str) -> None:
    file.write_text(file.read_text() + text)


def spoil_a_signature(file: Path) -> None:
    """Change one digit of one signature of an Ethereum row."""
    lines = file.read_text().splitlines()
    place = next(i for i, line in enumerate(lines) if ",ETH," in line and "0x" in line)
    fields = lines[place].split(",")
    signed = next(i for i, one in enumerate(fields) if one.startswith("0x") and len(one) > 100)
    text = fields[signed]
    fields[signed] = text[:10] + ("1" if text[10] == "0" else "0") + text[11:]
    lines[place] = ",".join(fields)
    file.write_text("\n".join(lines) + "\n")


async def again(made: MadeUpRun, run: Path, earlier: Path, *more: str) -> tuple[int, str, str]:
    arguments = [one for one in made.arguments(run) if one != "--quiet"]
    return await recount(*arguments, "--earlier", str(earlier), *more)


async def test_the_result_is_the_same_and_says_what_was_carried_over(tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    async with serving(tmp_path / "in") as made:
        code, _, err = await recount(*made.arguments(first))
        assert (first / "report.json").exists(), err
        assert (carried(first), marked(first)) == ({}, 0)

        same, _, err = await again(made, second, first)
        assert (same, result_bytes(second)) == (code, result_bytes(first))
        assert carried(second) == {"run": "first", "rows": marked(second)}
        assert marked(second) == rows(second)
        assert (
            f"signature results of {rows(second)} of {rows(second)} rows are those of first" in err
        )

        spoil_a_signature(Path(made.options.list_path))
        _, _, err = await again(made, third, second)
        assert (third / "report.json").exists(), err
        assert marked(third) < rows(third)
        assert marked(third) >= rows(third) - 4  # rows with the same address and signature go along
        refuted = json.loads((third / "report.json").read_bytes())["result"]["discrepancies"]
        before = json.loads((second / "report.json").read_bytes())["result"]["discrepancies"]
        assert len([one for one in refuted if one["kind"] == "refuted"]) > len(
            [one for one in before if one["kind"] == "refuted"]
        )


async def test_another_program_or_configuration_carries_nothing_over(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    async with serving(tmp_path / "in") as made:
        await recount(*made.arguments(first))
        append(Path(made.options.config[0]), "# another word\n")
        _, _, err = await again(made, second, first)
    assert "nothing is carried over from first: another configuration" in err
    assert (carried(second), marked(second)) == ({}, 0)
    assert result_without_digests(second) == result_without_digests(first)


def result_without_digests(run: Path) -> object:
    result = json.loads((run / "report.json").read_bytes())["result"]
    del result["config_sha256"]
    return msgspec.to_builtins(result)


async def test_an_earlier_run_that_was_changed_is_not_believed(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    async with serving(tmp_path / "in") as made:
        await recount(*made.arguments(first))
        file = first / "signatures" / "part-000000.parquet"
        raw = bytearray(file.read_bytes())
        raw[len(raw) // 2] ^= 1
        file.write_bytes(raw)
        code, out, err = await again(made, second, first)
        assert (code, out) == (4, "")
        assert "signatures/part-000000.parquet is missing or damaged" in err

        missing, out, err = await again(made, tmp_path / "third", tmp_path / "nowhere")
        assert (missing, out) == (2, "")
        assert "is no run directory" in err
        assert not (tmp_path / "third").exists()
