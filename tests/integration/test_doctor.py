"""``recount doctor`` against simulated nodes: each fault is found before a run meets it."""

from __future__ import annotations

import json
from collections import deque
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from aiohttp import web
from capture_world import HEIGHT, World, observed, world
from made_up_run import recount

from chains.model import ChainId
from chains.simulated.eip155 import SimulatedEvm
from chains.simulated.solana import SimulatedSolana
from chains.simulated.tron import SimulatedTron
from crawler.endpoints import load_endpoints

pytestmark = pytest.mark.integration

NETWORKS = ("EVMX", "TRONX", "SOLX", "EOSX")


async def doctor(made: World, *more: str, list_path: Path | None = None) -> tuple[int, Any, str]:
    given = [] if list_path is None else [str(list_path)]
    code, out, err = await recount(
        "doctor", *given, f"--endpoints={made.directory / 'endpoints.toml'}",
        f"--config={made.config()}", "--quiet", "--json", *more,
    )  # fmt: skip
    return code, json.loads(out) if out else None, err


def by_name(found: Any) -> dict[str, Any]:
    return {one["name"]: one for one in found["endpoints"]}


async def test_healthy_endpoints_are_fine_at_the_heights_of_the_list(tmp_path: Path):
    async with world(tmp_path) as made:
        made.nodes["EVMX"].pruned_below = HEIGHT // 4 * 3
        published = made.write("list.csv", made.rows(amounts=True))
        code, found, err = await doctor(made, list_path=published)
    assert code == 0, (found, err)
    shown = by_name(found)
    assert {one["head"] for one in shown.values()} == {HEIGHT}
    for name in NETWORKS:
        assert list(shown[name]["blocks"]) == [str(HEIGHT)]
        assert (shown[name]["answered"], shown[name]["gaps"]) == (3, {})
        assert shown[name]["rate"] == "0"
    evm = shown["EVMX"]
    assert HEIGHT // 4 * 3 <= evm["oldest"] <= HEIGHT // 4 * 3 + HEIGHT // 1000
    assert evm["older"] == "state-pruned"
    assert (shown["EOSX"]["history"], shown["EOSX"]["stands"]) == ("held", {str(HEIGHT): True})
    assert found["unasked"] == []


async def test_a_node_that_should_be_held_at_the_height_is_said_to_be_past_it(tmp_path: Path):
    async with world(tmp_path) as made:
        made.endpoints({"EOSX": made.nodes["EOSX"]})
        command = (
            "doctor", f"--endpoints={tmp_path / 'endpoints.toml'}", f"--config={made.config()}",
            "--quiet", f"--at={HEIGHT}",
        )  # fmt: skip
        wide: dict[str, Any] = {"env": {"COLUMNS": "300", "PATH": ""}}
        held = await recount(*command, **wide)
        made.move_on("EOSX")
        code, found, _ = await doctor(made, f"--at={HEIGHT}")
        past = await recount(*command, **wide)
        unasked = await recount(*command[:-1], **wide)  # at its own head: nothing is wrong
    assert held[0] == 0
    assert f"fine: its head stands at the height, {HEIGHT}" in held[1]
    assert (code, by_name(found)["EOSX"]["stands"]) == (1, {str(HEIGHT): False})
    assert past[0] == 1
    assert f"its head is past {HEIGHT}, and it knows the state of its head only; hold a" in past[1]
    assert unasked[0] == 0


async def test_another_chain_is_said_in_a_sentence_and_ends_with_4(tmp_path: Path):
    async with world(tmp_path) as made:
        made.nodes["EVMX"].wrong_chain_id = 5
        published = made.write("list.csv", made.rows(amounts=True))
        code, found, _ = await doctor(made, list_path=published)
        assert code == 4
        assert by_name(found)["EVMX"]["failed"] == {str(HEIGHT): "wrong-chain"}
        code, out, _ = await recount(
            "doctor", str(published), f"--endpoints={tmp_path / 'endpoints.toml'}",
            f"--config={tmp_path / 'world.toml'}", "--quiet", env={"COLUMNS": "300", "PATH": ""},
        )  # fmt: skip
    assert code == 4
    assert "wrong-chain: The endpoint serves another chain" in out


async def test_endpoints_that_name_different_blocks_end_with_4(tmp_path: Path):
    async with world(tmp_path) as made:
        other = SimulatedEvm(chain_id=1337, height=HEIGHT, native=made.ledgers["EVMX"])
        other.wrong_block_hash = True
        async with other:
            made.endpoints({**made.nodes, "EVMX-two": other})
            code, found, _ = await doctor(made)
    assert code == 4
    assert len(found["disagreements"]) == 1
    assert "EVMX-two names" in found["disagreements"][0]


async def test_a_node_without_the_state_is_found(tmp_path: Path):
    async with world(tmp_path) as made:
        made.move_on()
        published = made.write("list.csv", made.rows(amounts=True))
        code, found, _ = await doctor(made, list_path=published)
    assert code == 1
    shown = by_name(found)
    assert shown["EVMX"]["failed"] == {str(HEIGHT): "state-pruned"}
    assert shown["TRONX"]["failed"] == {str(HEIGHT): "canary-failed"}
    assert (shown["SOLX"]["answered"], sum(shown["SOLX"]["gaps"].values())) == (0, 3)
    assert shown["EOSX"]["gaps"] == {"no-history": 3}


async def test_what_no_endpoint_can_answer_is_listed(tmp_path: Path):
    async with world(tmp_path) as made:
        rows = made.rows(amounts=True)
        rows += [{**rows[0], "network": "NOWHERE"}, {**rows[0], "asset": "NOTHING"}]
        published = made.write("list.csv", rows)
        nodes = {name: node for name, node in made.nodes.items() if name != "SOLX"}
        made.endpoints(nodes)
        code, found, _ = await doctor(made, list_path=published)
    assert code == 1
    reasons = {(one["chain"], one["reason"]) for one in found["unasked"]}
    assert reasons == {
        ("NOWHERE", "unknown-network"),
        ("eip155:1337", "unknown-label"),
        ("solana:sim", "no-endpoint"),
    }


class _Limited(SimulatedTron):
    """Takes at most ``most`` requests in any second."""

    most = 20

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        times: deque[float] = self.__dict__.setdefault("times", deque())
        now = monotonic()
        while times and times[0] < now - 1:
            times.popleft()
        if len(times) >= self.most:
            self.caused["rate-limit"] += 1
            return web.Response(status=429, text="slow down")
        times.append(now)
        return await super()._handle(request)


@pytest.mark.parametrize("declared", ["", 'rate = "40"\n'])
async def test_the_rate_found_is_used_by_runs(tmp_path: Path, declared: str):
    async with world(tmp_path) as made:
        limited = _Limited(HEIGHT, made.ledgers["TRONX"])
        async with limited:
            endpoints = made.endpoints({"TRONX": limited})
            endpoints.write_text(endpoints.read_text() + declared, encoding="utf-8")
            written = tmp_path / "found.toml"
            code, found, err = await doctor(made, f"--at={HEIGHT}", f"--write={written}")
    assert code == 0, (found, err)
    one = by_name(found)["TRONX"]
    assert limited.caused["rate-limit"] > 0
    assert one["limited"]
    assert 0 < float(one["rate"]) <= _Limited.most
    endpoints.write_text('found = "found.toml"\n' + endpoints.read_text(), encoding="utf-8")
    (spec,) = load_endpoints(endpoints, {}, [ChainId("tron:sim")])
    assert spec.rate == one["rate"]


async def test_no_secret_is_shown_or_written(tmp_path: Path):
    secret = "k3y0f7h3c10ud5"
    async with world(tmp_path) as made:
        file = made.endpoints({"EVMX": made.nodes["EVMX"]})
        url = made.nodes["EVMX"].url
        file.write_text(file.read_text().replace(url, url + "/v2/${KEY}"), encoding="utf-8")
        written = tmp_path / "found.toml"
        for more in ((), ("--json",)):
            code, out, err = await recount(
                "doctor", f"--endpoints={file}", f"--config={made.config()}",
                f"--write={written}", *more, env={"KEY": secret, "PATH": ""},
            )  # fmt: skip
            assert code == 0, err
            assert secret not in out + err + written.read_text()


async def test_one_height_is_of_one_chain(tmp_path: Path):
    async with world(tmp_path) as made:
        code, _, err = await doctor(made, f"--at={HEIGHT}")
    assert (code, "one chain" in err) == (2, True)


class _Narrow(SimulatedSolana):
    """Takes requests of at most 1,200 bytes: some twenty accounts."""

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        if len(body) > 1200:
            self.caused["too-large"] += 1
            return web.Response(status=413, text="payload too large")
        return await super().answer(request, body)


async def test_the_batch_found_is_used_by_runs(tmp_path: Path):
    async with world(tmp_path) as made:
        made.ledgers = {"SOLX": {bytes((i,)) * 32: 10**9 + i for i in range(1, 61)}}
        node = _Narrow(HEIGHT, made.ledgers["SOLX"], finalized=HEIGHT)
        async with node:
            endpoints = made.endpoints({"SOLX": node})
            published = made.write("list.csv", made.rows(amounts=True))
            code, _, err = await made.command("run", published, tmp_path / "without")
            assert code == 3, err
            written = f"--write={tmp_path / 'found.toml'}"
            code, found, err = await doctor(made, written, list_path=published)
            assert code == 0, (found, err)
            one = by_name(found)["SOLX"]
            assert (one["batch"], one["tried"]) == (15, 60)
            endpoints.write_text('found = "found.toml"\n' + endpoints.read_text(), encoding="utf-8")
            refused = node.caused["too-large"]
            code, _, err = await made.command("run", published, tmp_path / "with")
            assert code == 0, err
    assert node.caused["too-large"] == refused
    assert {one[0] for one in observed(tmp_path / "with").values()} == {
        str(units) for units in made.ledgers["SOLX"].values()
    }
