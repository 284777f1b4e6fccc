"""The contract of every adapter: exactly one true answer or one Gap per question.

Whatever a node does (limits, hangs, cuts, garbage, lies) no question may come back with
another number than the ledger's, and nothing that failed may come back as zero.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from adapter_cases import Case, cases

from chains.adapter import ChainAdapter
from chains.adapters import capabilities, load
from chains.endpoints import EndpointSpec
from chains.errors import ChainError, Disagreement, WrongChain
from chains.model import AssetId, Extract, Gap, Method, Observation, QueryKind, Questions, Snapshot
from chains.reasons import GAPS
from chains.simulated.node import SimulatedNode
from chains.transport import HttpTransport, RetryPolicy
from crawler.asking.forecast import Load, load_of
from crawler.settings import load_world
from tests.certificates import make_certificate, serving_with
from tests.forecasts import check_about, received

pytestmark = pytest.mark.integration

FAULTS = {
    "rate_limit": {"rate-limited"},
    "hang": {"timeout"},
    "error": {"server-error"},
    "html": {"malformed-answer"},
    "redirect": {"refused"},
    "oversize": {"answer-too-large"},
    "cut": {"unreachable", "truncated-answer"},
    "truncate": {"truncated-answer", "malformed-answer"},
    "bad_json": {"malformed-answer"},
    "wrong_id": {"malformed-answer"},
}
"""Fault knobs with the reasons that they may become."""
WITHOUT_IDS = frozenset(
    {"aelf", "antelope", "aptos", "beacon", "hedera", "stellar", "sui", "tron", "tvm", "xrpl"}
)
"""Adapters whose protocol gives answers no ids that could be wrong: one answer a request."""
RETRIED = ("rate_limit", "hang", "error", "cut")
LARGEST_ANSWER = 1 << 19
PATIENCE_S = 0.4
"""How long a hanging node is waited for; users declare whole seconds, the tests are in a hurry."""

Found = Mapping[bytes, Observation | Gap]


FAULTY = [
    (case, knob)
    for case in cases()
    for knob in FAULTS
    if knob != "wrong_id" or case.name not in WITHOUT_IDS
]
"""Every adapter with every knob that can strike it."""
faulty = pytest.mark.parametrize(
    ("case", "knob"), FAULTY, ids=[f"{case.name}-{knob}" for case, knob in FAULTY]
)


@pytest.fixture(params=cases(), ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def connected(
    case: Case, *nodes: SimulatedNode, attempts: int = 2
) -> AsyncIterator[ChainAdapter]:
    """Start the nodes and an adapter that has them as endpoints ``n0``, ``n1``…"""
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node)
        specs = [
            EndpointSpec(
                name=f"n{i}",
                chain=case.spec.id,
                url=node.url,
                rate="0",
                timeout_s=PATIENCE_S,  # type: ignore[arg-type]
                concurrency=8,
                max_answer_bytes=LARGEST_ANSWER,
            )
            for i, node in enumerate(nodes)
        ]
        policy = RetryPolicy(attempts=attempts, first_wait_s=0.01, longest_wait_s=0.02)
        adapter = load(case.spec.adapter)
        answering = adapter.capabilities.answering
        transport = HttpTransport(case.spec.id, specs, policy, answering)
        yield adapter(case.spec, await stack.enter_async_context(transport))


def questions_of(case: Case, asset: AssetId | None = None) -> Questions:
    return Questions(
        kind=QueryKind.BALANCE,
        chain=case.spec.id,
        height=case.height,
        asset=asset or case.spec.native,
        accounts=tuple(sorted(case.ledger)),
    )


async def pinned(case: Case, adapter: ChainAdapter) -> Snapshot:
    return adapter.snapshot(case.height, await adapter.pin(case.height))


async def asked(
    adapter: ChainAdapter, questions: Questions, at: Snapshot
) -> tuple[Found, Sequence[Extract]]:
    """Ask all questions; fails if one is answered twice or not at all."""
    found: dict[bytes, Observation | Gap] = {}
    extracts: list[Extract] = []
    async for extract in adapter.extract(questions, at):
        extracts.append(extract)
        for position, answer in adapter.decode(questions, extract, at).each(questions):
            assert questions.accounts[position] not in found
            found[questions.accounts[position]] = answer
    assert set(found) == set(questions.accounts)
    return found, extracts


def check_true(case: Case, found: Found) -> None:
    """Every answer is the ledger's; every Gap has a reason that is listed."""
    for account, answer in found.items():
        if isinstance(answer, Gap):
            assert answer.reason in GAPS
            continue
        assert answer.units == case.ledger[account]
        assert answer.units == sum(part.units for part in answer.parts if part.counted)
        assert answer.subject == account


def gaps(found: Found) -> set[str]:
    return {answer.reason for answer in found.values() if isinstance(answer, Gap)}


def strike_once(node: SimulatedNode, knob: str) -> None:
    """Let a fault strike the next request only."""
    setattr(node.faults, f"{knob}_every", 1)
    strikes = node._strikes

    def strike(fault: str, every: int) -> bool:
        struck = strikes(fault, every)
        if struck:
            setattr(node.faults, f"{knob}_every", 0)
        return struck

    node._strikes = strike  # type: ignore[method-assign]


async def test_each_question_is_answered_once_and_truly(case):
    async with connected(case, case.node()) as adapter:
        at = await pinned(case, adapter)
        assert (at.height, at.endpoints) == (case.height, ("n0",))
        assert at.block_hash
        found, _ = await asked(adapter, questions_of(case), at)
    check_true(case, found)
    assert not gaps(found)


async def test_recorded_exchanges_decode_to_the_same_answers(case):
    questions = questions_of(case)
    async with connected(case, case.node()) as adapter:
        exchanges = await adapter.pin(case.height)
        at = adapter.snapshot(case.height, exchanges)
        _, extracts = await asked(adapter, questions, at)
        assert adapter.snapshot(case.height, exchanges) == at
        for extract in extracts:
            stored = msgspec.msgpack.decode(
                msgspec.msgpack.encode(
                    msgspec.structs.replace(extract, positions=list(extract.positions))
                ),
                type=Extract,
            )
            first = adapter.decode(questions, extract, at)
            again = adapter.decode(questions, stored, at)
            assert list(again.each(questions)) == list(first.each(questions))
            assert again.endpoint == "n0"


async def test_questions_are_the_same_bytes_every_time(case):
    sent: list[list[tuple[str, bytes]]] = []
    for _ in range(2):
        async with connected(case, case.node()) as adapter:
            at = await pinned(case, adapter)
            _, extracts = await asked(adapter, questions_of(case), at)
        requests = [exchange.request for one in extracts for exchange in one.exchanges]
        sent.append(sorted((request.path, request.body) for request in requests))
    assert sent[0] == sent[1]


async def test_another_asset_is_a_gap(case):
    async with connected(case, case.node()) as adapter:
        at = await pinned(case, adapter)
        other = AssetId(f"{case.spec.id}/nonsense:1")
        found, _ = await asked(adapter, questions_of(case, other), at)
    assert gaps(found) <= {"asset-unsupported", "no-history"}
    assert all(isinstance(answer, Gap) for answer in found.values())


@pytest.mark.parametrize("others", [0, 1], ids=["alone", "beside-an-honest-node"])
async def test_another_chain_stops_the_run(case, others):
    liar = case.node()
    case.be_another_chain(liar)
    nodes = [case.node() for _ in range(others)]
    async with connected(case, *nodes, liar) as adapter:
        exchanges = await adapter.pin(case.height)
        with pytest.raises(WrongChain):
            adapter.snapshot(case.height, exchanges)


async def test_two_endpoints_that_name_different_blocks_stop_the_run(case):
    liar = case.node()
    case.name_another_block(liar)
    async with connected(case, case.node(), liar) as adapter:
        exchanges = await adapter.pin(case.height)
        with pytest.raises(Disagreement):
            adapter.snapshot(case.height, exchanges)


async def test_a_node_that_is_behind_is_not_asked(case):
    behind = case.node()
    case.fall_behind(behind)
    async with connected(case, behind, case.node()) as adapter:
        at = await pinned(case, adapter)
        assert at.endpoints == ("n1",)
        assert at.rejected == {"n0": "node-behind"}
        found, _ = await asked(adapter, questions_of(case), at)
    check_true(case, found)
    assert not gaps(found)


async def test_no_node_at_the_height_answers_nothing(case):
    behind = case.node()
    case.fall_behind(behind)
    assert await gaps_or_error(case, behind) <= {"node-behind", "no-usable-endpoint"}


async def test_silent_zeros_are_never_believed(case):
    liar = case.node()
    case.answer_zero(liar)
    assert await gaps_or_error(case, liar)


async def test_silent_zeros_that_begin_after_the_pin_are_never_believed(case):
    liar = case.node()
    async with connected(case, liar) as adapter:
        at = await pinned(case, adapter)
        case.answer_zero(liar)
        found, _ = await asked(adapter, questions_of(case), at)
    assert all(isinstance(answer, Gap) for answer in found.values())
    check_true(case, found)


async def gaps_or_error(case: Case, node: SimulatedNode, attempts: int = 2) -> set[str]:
    """Pin and ask; returns the reasons, and fails if there is a single number."""
    async with connected(case, node, attempts=attempts) as adapter:
        try:
            at = await pinned(case, adapter)
        except ChainError as error:
            return {error.code}
        found, _ = await asked(adapter, questions_of(case), at)
    assert all(isinstance(answer, Gap) for answer in found.values())
    check_true(case, found)
    return gaps(found)


@faulty
async def test_a_fault_while_asking_is_a_gap_with_its_reason(case, knob):
    node = case.node()
    async with connected(case, node, attempts=1 if knob == "hang" else 2) as adapter:
        at = await pinned(case, adapter)
        setattr(node.faults, f"{knob}_every", 1)
        node.faults.retry_after = "0"
        found, _ = await asked(adapter, questions_of(case), at)
    assert node.caused
    check_true(case, found)
    assert all(isinstance(answer, Gap) for answer in found.values())
    assert gaps(found) <= FAULTS[knob]


@faulty
async def test_a_fault_while_pinning_yields_no_number(case, knob):
    node = case.node()
    setattr(node.faults, f"{knob}_every", 1)
    assert await gaps_or_error(case, node, attempts=1) <= FAULTS[knob] | {"no-usable-endpoint"}
    assert node.caused


@pytest.mark.parametrize("knob", RETRIED)
async def test_a_passing_fault_is_retried(case, knob):
    node = case.node()
    async with connected(case, node) as adapter:
        at = await pinned(case, adapter)
        strike_once(node, knob)
        found, _ = await asked(adapter, questions_of(case), at)
    assert node.caused.total() == 1
    check_true(case, found)
    assert not gaps(found)


@faulty
async def test_a_fault_now_and_then_never_changes_a_number(case, knob):
    node = case.node()
    async with connected(case, node, attempts=1) as adapter:
        at = await pinned(case, adapter)
        setattr(node.faults, f"{knob}_every", 3)
        for _ in range(1 if knob == "hang" else 3):
            found, _ = await asked(adapter, questions_of(case), at)
            check_true(case, found)


async def test_a_certificate_that_nobody_vouches_for_is_never_accepted(case, certificate):
    node = case.node()
    node.tls = serving_with(certificate)
    assert await gaps_or_error(case, node, attempts=1) == {"unreachable"}
    assert node.requests == 0


def forecast_of(case: Case, *, late: bool) -> Load:
    """Return what the case's questions take, as ``recount plan`` counts it."""
    world = msgspec.structs.replace(load_world(), chains={case.spec.id: case.spec})
    return load_of(world, questions_of(case), len(case.ledger), [], late=late)


async def test_it_asks_as_often_as_it_says(case: Case) -> None:
    can = capabilities(case.spec)
    node = case.node()
    async with connected(case, node) as adapter:
        at = await pinned(case, adapter)
        pinning = received(node)
        await asked(adapter, questions_of(case), at)
        check_about(forecast_of(case, late=False), received(node), pinning)
    assert can.pinning / 2 <= pinning.calls <= can.pinning * 2, (pinning, can.pinning)


LATER = {Method.UNTOUCHED, Method.ROLLED_BACK}
"""Methods by which balances are had after the fact."""
BY_A_SERVER = {"bip122"}
"""Adapters that take balances back at a server of another protocol, which has a test of its own."""
PASSING_BY = [case for case in cases() if case.pass_by is not None]


@pytest.mark.parametrize("case", PASSING_BY, ids=lambda case: case.name)
async def test_it_asks_as_often_late_as_it_says(case: Case) -> None:
    node = case.node()
    case.pass_by(node)
    async with connected(case, node) as adapter:
        at = await pinned(case, adapter)
        pinning = received(node)
        found, _ = await asked(adapter, questions_of(case), at)
        check_about(forecast_of(case, late=True), received(node), pinning)
    check_true(case, found)
    assert {one.method for one in found.values() if isinstance(one, Observation)}


def test_every_adapter_that_looks_back_says_what_that_takes() -> None:
    looking_back = {
        case.spec.adapter for case in cases() if LATER & set(capabilities(case.spec).methods)
    }
    # An account that did not exist yet is all that nodes of Antelope show after the fact.
    assert looking_back - {case.spec.adapter for case in PASSING_BY} - BY_A_SERVER == {"antelope"}
