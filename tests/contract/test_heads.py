"""What adapters say about how far an endpoint is: a height, or why not; never an exception."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack

import pytest
from adapter_cases import Case, cases

from chains.adapters import load
from chains.endpoints import EndpointSpec
from chains.heads import UNTOLD, TellsHead, heads
from chains.model import Exchange, Gap, Request
from chains.reasons import GAPS
from chains.simulated.node import SimulatedNode
from chains.transport import HttpTransport, RetryPolicy

pytestmark = pytest.mark.integration

UNTOLD_OF = {"beacon"}
"""Heights are those of another chain there; the head would have to be looked up."""
BODIES = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"1e999",
    b'{"result":1e999999999999999999999}',
    b"[" * 5000,
    json.dumps({"jsonrpc": "2.0", "id": 0, "result": -1}).encode(),
    json.dumps({"jsonrpc": "2.0", "id": 0, "result": {"number": "0x" + "f" * 90}}).encode(),
    json.dumps([{"jsonrpc": "2.0", "id": 0, "result": 2**70}]).encode(),
    json.dumps({"block_header": {"raw_data": {"number": True}}, "data": {"tip": []}}).encode(),
    json.dumps({"blocks": [7], "result": {"info": {"complete_ledgers": "9-"}}}).encode(),
)


async def heads_of(case: Case, *nodes: SimulatedNode) -> list[int | Gap]:
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node)
        specs = [
            EndpointSpec(name=f"n{i}", chain=case.spec.id, url=node.url, rate="0", timeout_s=2)
            for i, node in enumerate(nodes)
        ]
        adapter = load(case.spec.adapter)
        policy = RetryPolicy(attempts=1, first_wait_s=0.01)
        answering = adapter.capabilities.answering
        transport = HttpTransport(case.spec.id, specs, policy, answering)
        await stack.enter_async_context(transport)
        found = await heads(adapter(case.spec, transport), transport)
    assert list(found) == [f"n{i}" for i in range(len(nodes))]
    return list(found.values())


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
async def test_each_endpoint_tells_its_own_head(case: Case):
    behind = case.node()
    case.fall_behind(behind)
    ahead, lagging = await heads_of(case, case.node(), behind)
    if case.name in UNTOLD_OF:
        assert (ahead, lagging) == (UNTOLD, UNTOLD)
        return
    assert isinstance(ahead, int)
    assert ahead >= case.height
    # what lies behind is seen before anything is pinned there
    assert isinstance(lagging, Gap) or lagging < case.height


@pytest.mark.parametrize("knob", ["error", "html", "bad_json", "redirect"])
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
async def test_a_faulty_endpoint_tells_no_head(case: Case, knob: str):
    broken = case.node()
    setattr(broken.faults, f"{knob}_every", 1)
    (found,) = await heads_of(case, broken)
    assert isinstance(found, Gap)
    assert found.reason in GAPS


class _Says:
    """A transport whose one endpoint gives the same answer to everything."""

    endpoints = ("n0",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        return Exchange(request=request, endpoint=endpoint, status=200, body=self._body)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
async def test_nonsense_is_no_head(case: Case, body: bytes):
    transport = _Says(body)
    adapter = load(case.spec.adapter)(case.spec, transport)  # type: ignore[arg-type]
    found = await heads(adapter, transport)  # type: ignore[arg-type]
    assert isinstance(found["n0"], Gap)


def test_adapters_that_tell_no_head_are_known():
    for case in cases():
        adapter = load(case.spec.adapter)(case.spec, _Says(b""))  # type: ignore[arg-type]
        told = isinstance(adapter, TellsHead) and bool(adapter.head_requests())
        assert told != (case.name in UNTOLD_OF), case.name
