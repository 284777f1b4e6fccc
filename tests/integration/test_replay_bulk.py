"""``recount replay --bulk``: the dump that a run read, read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_up_run import recount, serving

pytestmark = pytest.mark.integration


async def test_the_dump_of_a_run_is_read_again_and_compared(tmp_path: Path) -> None:
    run = tmp_path / "run"
    async with serving(tmp_path / "in") as made:
        code, _, err = await recount(*made.arguments(run))
        assert (run / "report.json").exists(), err
    dump = tmp_path / "in" / "utxo.dat"

    again, _, err = await recount("replay", str(run), "--bulk", str(dump))
    said = err.splitlines()[0]
    assert (again, said) == (code, "recount: 1 reading(s) of bulk files gave the same bytes again")

    raw = bytearray(dump.read_bytes())
    changed = tmp_path / "changed.dat"
    raw[60] ^= 1  # a transaction's id
    changed.write_bytes(raw)
    other, out, err = await recount("replay", str(run), "--bulk", str(changed))
    assert (other, out) == (4, "")
    assert "gives something else than" in err

    short = tmp_path / "short.dat"
    short.write_bytes(raw[:-1])
    usage, out, err = await recount("replay", str(run), "--bulk", str(short))
    assert (usage, out) == (2, "")
    assert f"a file of {len(raw)} bytes" in err

    missing, _, err = await recount("replay", str(run), "--bulk", str(tmp_path / "nowhere"))
    assert missing == 2
    assert "cannot be read" in err
