"""``--public-endpoints``: said aloud, slow, and never without the option."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from command_line import Ended, call

from chains.endpoints import EndpointSpec
from chains.model import ChainId
from chains.simulated.eip155 import SimulatedEvm
from crawler import jobs

pytestmark = pytest.mark.integration

__all__ = ["call"]  # a fixture

HEIGHT = 20_000_000
CANARY = "0x00000000219ab540356cBB839Cbe05303d7705Fa"
ADDRESS = "0x" + "0b" * 20
LIST = f"network,address,asset,amount,height\neip155:1,{ADDRESS},ETH,5,{HEIGHT}\n"


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(LIST, encoding="utf-8")
    return path


async def test_a_run_asks_them_only_when_told_and_says_so(
    listed: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    native = {bytes.fromhex(CANARY[2:]): 10**24, bytes.fromhex(ADDRESS[2:]): 5 * 10**18}
    async with SimulatedEvm(chain_id=1, height=HEIGHT, native=native) as node:
        local = EndpointSpec(
            name="public-1-local", chain=ChainId("eip155:1"), url=node.url, rate="100"
        )
        monkeypatch.setattr(jobs, "load_public", lambda _: (local,))

        async def run(name: str, *options: str) -> Ended:
            arguments = ["run", str(listed), "--run", str(listed.parent / name), "--quiet"]
            return await asyncio.to_thread(call, *arguments, "--processes=1", *options)

        code, _, err = await run("silent")
        assert (code, node.requests) == (3, 0)
        assert "public" not in err
        code, _, err = await run("public", "--public-endpoints")
        assert code == 0, err
        assert node.requests > 0
        assert "asking the public endpoints" in err
        assert "unverified" in err
        again = ("resume", str(listed.parent / "public"), "--quiet")
        code, _, err = await asyncio.to_thread(call, *again)
        assert code == 0
        assert "asking the public endpoints" in err


def test_a_file_and_the_public_ones_exclude_each_other(listed: Path, call: Any) -> None:
    code, _, err = call("run", str(listed), "--endpoints", "x.toml", "--public-endpoints")
    assert code == 2
    assert "exclude each other" in err


def test_a_plan_with_them_asks_nobody(listed: Path, call: Any) -> None:
    code, _, _ = call("plan", str(listed), "--public-endpoints", "--quiet")
    assert code == 0
