"""What the doctor may ask at most, what it tries, and how its findings end the command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chains import jsonrpc
from chains.endpoints import EndpointSpec
from chains.model import AssetId, ChainId, QueryKind, Questions
from crawler.doctor.diagnosis import Diagnosis, Unasked, sentence, write_found
from crawler.doctor.probing import Probe, _polite, _turns, trial_of
from crawler.endpoints import load_endpoints
from crawler.errors import EnvironmentFault

pytestmark = pytest.mark.unit

CHAIN = ChainId("eip155:1")


def found(**changes: Any) -> Probe:
    fields: dict[str, Any] = {
        "name": "one", "chain": CHAIN, "network": "Ethereum", "url": "https://node.example.org",
        "role": "primary", "head": 9, "blocks": {"7": "0xaa"}, "rate": "5", "history": "exact",
        "methods": ("state",), "proofs": False,
    }  # fmt: skip
    return Probe(**{**fields, **changes})


def diagnosis(*probes: Probe, **more: Any) -> Diagnosis:
    return Diagnosis(**{"endpoints": probes, "unasked": (), "disagreements": (), **more})


@pytest.mark.parametrize(
    ("url", "declared", "rate"),
    [
        ("http://10.1.2.3:8545", "0", "5"),  # an own node, but not this machine
        ("http://10.1.2.3:8545", "2", "2"),
        ("https://node.example.org", "0.5", "0.5"),
        ("http://127.0.0.1:8545", "0", "0"),
        ("http://[::1]:8545", "0", "0"),
        ("file:///dump.dat", "0", "0"),
    ],
)
def test_other_machines_are_never_asked_without_a_limit(url: str, declared: str, rate: str):
    spec = EndpointSpec(name="one", chain=CHAIN, url=url, own_node=True, rate=declared)
    assert _polite(spec).rate == rate


def asked(height: int, *accounts: bytes, kind: QueryKind = QueryKind.BALANCE) -> Questions:
    asset = AssetId(f"{CHAIN}/slip44:60")
    return Questions(kind=kind, chain=CHAIN, height=height, asset=asset, accounts=accounts)


def test_all_heights_are_tried_with_the_largest_group_of_balances():
    several = [asked(7, b"a"), asked(5, b"a", b"b"), asked(9, b"c", kind=QueryKind.CONTROL)]
    trial = trial_of(several, ())
    assert trial.heights == (5, 7)
    assert trial.questions == several[1]
    moved = trial_of(several, [4])
    assert moved.heights == (4,)
    assert moved.questions == asked(4, b"a", b"b")


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({}, 0, ""),
        ({"gaps": {"no-history": 2}, "answered": 1}, 1, "of 3 questions: 2 no-history"),
        ({"failed": {"7": "state-pruned"}, "blocks": {}}, 1, "at 7: state-pruned: The node no"),
        ({"failed": {"7": "state-pruned"}}, 1, "at 7: state-pruned: The node no"),
        ({"failed": {"7": "wrong-chain"}, "blocks": {}}, 4, "at 7: wrong-chain: The endpoint"),
        ({"blocks": {}, "head": None, "head_reason": "timeout"}, 1, "nothing was asked: timeout"),
    ],
)
def test_an_endpoint_is_fine_or_a_sentence_says_why_not(
    changes: dict[str, Any], code: int, said: str
):
    one = found(**changes)
    assert diagnosis(one).exit_code == code
    assert sentence(one).startswith(said)
    assert (sentence(one) == "") == one.fine == (code == 0)


def test_what_cannot_be_asked_and_what_differs_count():
    gap = Unasked(chain=CHAIN, asset="X", reason="unknown-label")
    assert diagnosis(found(), unasked=(gap,)).exit_code == 1
    assert diagnosis(found(), disagreements=("two",)).exit_code == 4


def test_what_is_written_can_be_taken_in(tmp_path: Path):
    probes = (
        found(name="one", rate="2.5", batch=25, tried=100),
        found(name="a.b", rate="5", batch=100, tried=100),  # nothing larger was tried
        found(name="bad", blocks={}, rate="9"),
    )
    write_found(diagnosis(*probes), tmp_path / "found.toml")
    tables = "".join(
        f'[[endpoints]]\nname = "{one.name}"\nchain = "{CHAIN}"\n'
        f'url = "https://{one.name}.example.org"\n'
        for one in probes
    )
    (tmp_path / "e.toml").write_text('found = "found.toml"\n' + tables, encoding="utf-8")
    specs = load_endpoints(tmp_path / "e.toml", {})
    assert [(one.rate, one.batch) for one in specs] == [("2.5", 25), ("5", 0), ("5", 0)]
    with pytest.raises(EnvironmentFault, match="cannot write"):
        write_found(diagnosis(), tmp_path / "nowhere" / "found.toml")


@pytest.mark.parametrize(("calls", "turns"), [(60, 18), (11, 4), (10, 3), (9, 2), (1, 1), (0, 1)])
def test_a_rate_is_tried_with_as_many_calls_as_it_allows(calls: int, turns: int) -> None:
    single, array = jsonrpc.call("m", []), jsonrpc.batch([("m", [])] * 8)
    asked = _turns([single, array, single], calls)
    assert len(asked) == turns
    assert asked[:2] == [single, array][:turns]


def test_an_array_of_more_calls_than_are_allowed_is_tried_once() -> None:
    array = jsonrpc.batch([("m", [])] * 8)
    assert _turns([array], 5) == [array]
