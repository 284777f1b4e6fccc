"""``--public-endpoints``: said aloud, slow, and never without the option."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from chains.endpoints import EndpointSpec
from chains.model import ChainId
from chains.simulated.eip155 import SimulatedEvm
from crawler import cli, jobs

pytestmark = pytest.mark.integration

HEIGHT = 20_000_000
CANARY = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
ADDRESS = "0x" + "0b" * 20
LIST = f"network,address,asset,amount,height\neip155:1,{ADDRESS},ETH,5,{HEIGHT}\n"


def recount(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, str]:
    """Return exit code and stderr."""
    monkeypatch.setattr(sys, "argv", ["recount", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code, capsys.readouterr().err


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(LIST, encoding="utf-8")
    return path


async def test_a_run_asks_them_only_when_told_and_says_so(
    listed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    native = {bytes.fromhex(CANARY[2:]): 10**24, bytes.fromhex(ADDRESS[2:]): 5 * 10**18}
    async with SimulatedEvm(chain_id=1, height=HEIGHT, native=native) as node:
        local = EndpointSpec(
            name="public-1-local", chain=ChainId("eip155:1"), url=node.url, rate="100"
        )
        monkeypatch.setattr(jobs, "load_public", lambda _: (local,))

        async def run(name: str, *options: str) -> tuple[int, str]:
            arguments = ["run", str(listed), "--run", str(listed.parent / name), "--quiet"]
            return await asyncio.to_thread(
                recount, monkeypatch, capsys, *arguments, "--processes=1", *options
            )

        code, err = await run("silent")
        assert (code, node.requests) == (3, 0)
        assert "public" not in err
        code, err = await run("public", "--public-endpoints")
        assert code == 0, err
        assert node.requests > 0
        assert "asking the public endpoints" in err
        assert "unverified" in err
        code, err = await asyncio.to_thread(
            recount, monkeypatch, capsys, "resume", str(listed.parent / "public"), "--quiet"
        )
        assert code == 0
        assert "asking the public endpoints" in err


def test_a_file_and_the_public_ones_exclude_each_other(
    listed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, err = recount(
        monkeypatch, capsys, "run", str(listed), "--endpoints", "x.toml", "--public-endpoints"
    )
    assert code == 2
    assert "exclude each other" in err


def test_a_plan_with_them_asks_nobody(
    listed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = recount(monkeypatch, capsys, "plan", str(listed), "--public-endpoints", "--quiet")
    assert code == 0
