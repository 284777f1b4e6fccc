"""Pods and EIP-1271 against the simulated node: what lying contracts and failing nodes lead to."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

import generic_run
import pytest
from coincurve import PrivateKey
from contracts import address_of, hashed, sign
from evm_crawl import chain, endpoint, pinned

from chains.control import ControlFacts, decode
from chains.model import Gap, Observation, QueryKind
from chains.simulated.eip155 import Contract, SimulatedEvm
from chains.simulated.node import Faults

pytestmark = pytest.mark.integration

HEIGHT = 1000
MAGIC = bytes.fromhex("1626ba7e").ljust(32, b"\0")
MANAGER = bytes.fromhex("e1" * 20)
SPEC = chain(1, eigen_pod_manager="0x" + MANAGER.hex())
MESSAGE = "We control this account."
DIGEST = hashed(b"\x19Ethereum Signed Message:\n" + str(len(MESSAGE)).encode() + MESSAGE.encode())
SIGNATURE = b"\x77" * 130
KEY = PrivateKey(b"\x31" * 32)
OWNER = address_of(KEY)


def account(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()[:20]


def signing(said: bytes | None, **more: object) -> Contract:
    """Return a contract that answers our signature with these bytes; ``None`` reverts."""
    known = {} if said is None else {DIGEST + SIGNATURE: said}
    return Contract(signatures=known, **more)  # type: ignore[arg-type]


CONTRACTS = {
    account("accepts"): signing(MAGIC),
    account("delegates"): signing(MAGIC, code=bytes.fromhex("ef0100") + OWNER),
    account("rejects"): signing(bytes(32)),
    account("other text"): Contract(signatures={bytes(32) + SIGNATURE: MAGIC}, rejection=bytes(32)),
    account("reverts"): signing(None),
    account("no function"): Contract(),
    account("falls back"): signing(b""),
    account("short"): signing(MAGIC[:31]),
    account("long"): signing(MAGIC + bytes(32)),
    account("dirty"): signing(MAGIC[:31] + b"\1"),
    account("pod"): Contract(pod_owner=OWNER),
    account("fake pod"): Contract(pod_owner=OWNER),
    account("pod of nobody"): Contract(pod_owner=bytes(20)),
    MANAGER: Contract(pods={OWNER: account("pod"), bytes(20): account("pod of nobody")}),
}
SAYS = {
    "accepts": ("controlled", "contract-accepts"),
    "delegates": ("controlled", "contract-accepts"),
    "rejects": ("refuted", "contract-rejects"),
    "other text": ("refuted", "contract-rejects"),
    "reverts": ("signer-only", "no-control-rule"),
    "no function": ("signer-only", "no-control-rule"),
    "falls back": ("signer-only", "no-control-rule"),
    "short": ("signer-only", "no-control-rule"),
    "long": ("signer-only", "no-control-rule"),
    "dirty": ("refuted", "contract-rejects"),
    "a key's account": ("signer-only", "nothing-at-address"),
}
PODS = {
    "pod": ("controlled", "owner-in-control"),
    "fake pod": ("signer-only", "no-control-rule"),
    "pod of nobody": ("signer-only", "no-control-rule"),
}
UNASKED = ("signer-only", "contract-unasked")


def node(**options: object) -> SimulatedEvm:
    native = dict.fromkeys(map(account, (*SAYS, *PODS)), 10**18)
    return SimulatedEvm(
        chain_id=1,
        height=HEIGHT,
        native=native,
        contracts=CONTRACTS,
        **options,  # type: ignore[arg-type]
    )


def rows(names: Sequence[str] = (*SAYS, *PODS)) -> dict[str, dict[str, str]]:
    """Return one row a name, one coin each."""
    found = {}
    for name in names:
        common = {"network": SPEC.id, "amount": "1", "height": str(HEIGHT), "message": MESSAGE}
        row = {**common, "address": "0x" + account(name).hex()}
        if name in PODS:
            row |= {"scheme": "eip191", "owner1": "0x" + OWNER.hex()}
            row |= {"signature1": "0x" + sign(KEY, DIGEST).hex()}
        else:
            row |= {"scheme": "eip1271", "signature1": "0x" + SIGNATURE.hex()}
        found[name] = row
    return found


async def test_a_run_takes_each_contract_at_its_word_and_no_further(tmp_path: Path) -> None:
    async with node() as evm:
        ran = await generic_run.run(tmp_path, SPEC, evm.url, MESSAGE, rows())
    assert ran.verdicts() == SAYS | PODS
    assert ran.observed() == dict.fromkeys(SAYS | PODS, str(10**18))


async def test_a_contract_of_a_later_block_accepts_nothing_yet(tmp_path: Path) -> None:
    async with node() as evm:
        later = evm.history.pop(HEIGHT)
        earlier = {name: signing(bytes(32)) for name in (account("accepts"),)}
        evm.history[HEIGHT] = type(later)(native=later.native, contracts=earlier)
        evm.history[HEIGHT + 1] = later
        ran = await generic_run.run(tmp_path, SPEC, evm.url, MESSAGE, rows(("accepts", "rejects")))
    assert ran.verdicts() == {
        "accepts": ("refuted", "contract-rejects"),
        "rejects": ("signer-only", "nothing-at-address"),
    }


async def test_without_an_endpoint_that_holds_the_state_nothing_is_shown(tmp_path: Path) -> None:
    async with node() as evm:
        evm.pruned_below = HEIGHT + 1
        ran = await generic_run.run(tmp_path, SPEC, evm.url, MESSAGE, rows(("accepts", "pod")))
    assert ran.verdicts() == {"accepts": UNASKED, "pod": ("signer-only", "control-unobserved")}
    assert ran.observed() == {"accepts": None, "pod": None}


@pytest.mark.parametrize("kind", [QueryKind.SIGNATURE, QueryKind.CONTROL])
async def test_a_node_that_fails_after_the_pin_is_a_gap(kind: QueryKind) -> None:
    tail = DIGEST + SIGNATURE if kind is QueryKind.SIGNATURE else b""
    asked = sorted(account(name) + tail for name in (*SAYS, *PODS))
    async with (
        node(faults=Faults(status=503)) as evm,
        pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler,
    ):
        evm.faults.error_every = 1
        found = await crawler.ask(kind, SPEC.native, asked)
    assert {a.reason if isinstance(a, Gap) else "" for a in found.values()} == {"server-error"}


@pytest.mark.parametrize("size", [20, 30, 51])
async def test_a_question_that_is_cut_is_a_gap_and_stops_nobody_else(size: int) -> None:
    asked = [(account("accepts") + DIGEST)[:size], account("rejects") + DIGEST + SIGNATURE]
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        found = await crawler.ask(QueryKind.SIGNATURE, SPEC.native, asked)
    cut, whole = (found[one] for one in asked)
    assert isinstance(cut, Gap)
    assert cut.reason == "not-answered"
    assert isinstance(whole, Observation)
    assert decode(whole.facts).accepts is False


async def test_pruned_or_short_answers_are_gaps_or_no_rule() -> None:
    asked = [account("accepts") + DIGEST + SIGNATURE]
    async with (
        node() as evm,
        pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler,
    ):
        evm.short_answer = True
        answer = (await crawler.ask(QueryKind.SIGNATURE, SPEC.native, asked))[asked[0]]
        assert isinstance(answer, Observation)
        assert decode(answer.facts) == ControlFacts(exists=True)
        evm.short_answer, evm.pruned_below = False, HEIGHT + 1
        answer = (await crawler.ask(QueryKind.SIGNATURE, SPEC.native, asked))[asked[0]]
        assert isinstance(answer, Gap)
        assert answer.reason == "state-pruned"


async def test_many_questions_wait_without_a_task_each() -> None:
    """One endpoint with four slots: five tasks more at most, however many questions there are."""
    asked = sorted(i.to_bytes(20, "big") + DIGEST + SIGNATURE for i in range(1, 401))
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        before, most, count = len(asyncio.all_tasks()), 0, 0
        questions = crawler.questions(QueryKind.SIGNATURE, SPEC.native, asked)
        async for _ in crawler.adapter.extract(questions, crawler.at):
            count += 1
            most = max(most, len(asyncio.all_tasks()) - before)
    assert count == len(asked)
    assert most < 20
