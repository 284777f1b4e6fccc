"""A recorded proof, spoilt in one place: it still shows the one balance, or it is a gap."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chains.adapters.eip155 import proofs
from chains.adapters.eip155.ways import Quirks, quirks_of
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Method,
    Observation,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from tests.fuzzing import inputs

pytestmark = pytest.mark.property

FEW = settings(max_examples=inputs(40))
FOLDER = Path(__file__).parents[2] / "fixtures" / "eip155"
RECORDED = json.loads((FOLDER / "execution-apis.json").read_text(encoding="utf-8"))
BLOCK, PROOF = RECORDED["blocks"]["latest"], RECORDED["proofs"][0]
ACCOUNT = bytes.fromhex(PROOF["address"][2:])
UNITS = int(PROOF["balance"], 16)
CHAIN = ChainId("eip155:3503995874084926")
NATIVE = AssetId(f"{CHAIN}/slip44:60")
QUIRKS: Quirks = quirks_of(
    ChainSpec(
        id=CHAIN, name="test", adapter="eip155", address="evm", native=NATIVE,
        params={"chain_id": 1},
    )
)  # fmt: skip
AT = Snapshot(
    chain=CHAIN, height=int(BLOCK["number"], 16), block_hash=BLOCK["hash"], time=0,
    endpoints=("a",), detail={"named_by": '["a","b"]'},
)  # fmt: skip
QUESTIONS = Questions(
    kind=QueryKind.PROOF, chain=CHAIN, height=AT.height, asset=NATIVE, accounts=(ACCOUNT,)
)
NONSENSE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("0x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def exchange(request: Request, result: Any, identity: object = 0, *, array: bool) -> Exchange:
    said = {"jsonrpc": "2.0", "id": identity, "result": result}
    body = json.dumps([said] if array else said).encode()
    return Exchange(request=request, endpoint="a", status=200, body=body)


def answer(block: Any, proof: Any) -> Observation | Gap:
    exchanges = (
        exchange(proofs.native_request([ACCOUNT], AT), proof, array=True),
        exchange(proofs.header_request(AT), block, array=False),
    )
    extract = Extract(positions=(0,), decoder=proofs.DECODER, exchanges=exchanges)
    ((_, found),) = proofs.decode(QUIRKS, QUESTIONS, extract, AT, None).each(QUESTIONS)
    return found


def right_or_gap(found: Observation | Gap) -> None:
    assert isinstance(found, Gap) or (found.units, found.method) == (UNITS, Method.PROOF)


def test_the_recorded_proof_is_whole() -> None:
    found = answer(BLOCK, PROOF)
    assert isinstance(found, Observation)
    assert (found.units, found.method) == (UNITS, Method.PROOF)


@FEW
@given(st.data())
def test_nonsense_in_one_field_changes_no_number(data: st.DataObject) -> None:
    block, proof = copy.deepcopy(BLOCK), copy.deepcopy(PROOF)
    spoilt = data.draw(st.sampled_from((block, proof)))
    name = data.draw(st.sampled_from(sorted(spoilt)))
    spoilt[name] = data.draw(NONSENSE)
    right_or_gap(answer(block, proof))


@FEW
@given(st.data())
def test_a_changed_digit_of_a_node_changes_no_number(data: st.DataObject) -> None:
    proof = copy.deepcopy(PROOF)
    i = data.draw(st.integers(0, len(proof["accountProof"]) - 1))
    node = proof["accountProof"][i]
    at = data.draw(st.integers(2, len(node) - 1))
    digit = data.draw(st.sampled_from([d for d in "0123456789abcdef" if d != node[at]]))
    proof["accountProof"][i] = node[:at] + digit + node[at + 1 :]
    found = answer(BLOCK, proof)
    assert isinstance(found, Gap)
    assert found.reason == "proof-wrong"


@FEW
@given(NONSENSE, NONSENSE)
def test_nonsense_instead_of_an_answer_is_a_gap(block: Any, proof: Any) -> None:
    assert isinstance(answer(block, PROOF), Gap)
    assert isinstance(answer(BLOCK, proof), Gap)


@given(st.binary(min_size=20, max_size=20))
def test_another_account_has_no_balance_from_this_proof(account: bytes) -> None:
    if account == ACCOUNT:
        return
    questions = Questions(
        kind=QueryKind.PROOF, chain=CHAIN, height=AT.height, asset=NATIVE, accounts=(account,)
    )
    exchanges = (
        exchange(proofs.native_request([account], AT), PROOF, array=True),
        exchange(proofs.header_request(AT), BLOCK, array=False),
    )
    extract = Extract(positions=(0,), decoder=proofs.DECODER, exchanges=exchanges)
    ((_, found),) = proofs.decode(QUIRKS, questions, extract, AT, None).each(questions)
    assert isinstance(found, Gap)
