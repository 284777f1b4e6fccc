"""Which account a masked address is: whatever is not told is a gap, never "no other address"."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from chains.adapters.eip155 import masked
from chains.adapters.eip155.ways import quirks_of
from chains.model import ChainId, Exchange, Gap, Request, Snapshot
from crawler.settings import load_world

pytestmark = pytest.mark.unit

SPEC = load_world().chains[ChainId("eip155:314")]
QUIRKS = quirks_of(SPEC)
HEIGHT, PARENT = 5_000_000, 77
AT = Snapshot(
    chain=SPEC.id, height=HEIGHT, block_hash="0x" + "11" * 32, time=0, endpoints=("a",),
    detail={"parent_hash": f"0x{PARENT:064x}"},
)  # fmt: skip
PLAIN, ONE, TWO = bytes(range(20)), *(bytes.fromhex("ff" + "00" * 18 + end) for end in ("01", "02"))
HEADER = tuple(one.to_bytes(32, "big") for one in (314, HEIGHT, PARENT))
KNOWN = (7).to_bytes(32, "big")
Result = bytes | None


def aggregated(results: Sequence[Result]) -> str:
    """Write ``(bool success, bytes returnData)[]`` as the ABI does."""

    def word(value: int) -> bytes:
        return value.to_bytes(32, "big")

    items = [
        word(one is not None) + word(64) + word(len(one or b"")) + (one or b"").ljust(32, b"\0")
        for one in results
    ]
    offsets, at = [], 32 * len(items)
    for item in items:
        offsets.append(word(at))
        at += len(item)
    return "0x" + b"".join((word(32), word(len(items)), *offsets, *items)).hex()


def told(results: Sequence[Result], *, cut: int = 0) -> Exchange:
    text = aggregated(results)
    result = text[: len(text) - cut]
    body = json.dumps({"jsonrpc": "2.0", "id": 0, "result": result}).encode()
    return Exchange(request=Request(), endpoint="a", status=200, body=body)


def read(exchange: Exchange | None) -> dict[int, bytes | str]:
    found = masked.read(QUIRKS, AT, [PLAIN, ONE, TWO], exchange)
    return {i: one.reason if isinstance(one, Gap) else one for i, one in found.items()}


def test_an_actor_has_the_address_that_was_told_or_its_number_alone() -> None:
    shown = told([*HEADER, KNOWN, b"\x04\x0a" + PLAIN, b""])
    assert read(shown) == {1: PLAIN, 2: TWO}


def test_an_address_of_another_manager_is_none_of_this_machine() -> None:
    shown = told([*HEADER, KNOWN, b"\x04\x20" + PLAIN, b""])
    assert read(shown) == {1: ONE, 2: TWO}


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ((b"", b"\x04\x0a" + PLAIN, b""), "account-unresolved"),
        ((None, b"", b""), "account-unresolved"),
        ((bytes(32), b"", b""), "account-unresolved"),
    ],
)
def test_a_machine_that_does_not_know_its_own_contract_tells_nothing(answers, reason) -> None:
    assert read(told([*HEADER, *answers])) == {1: reason, 2: reason}


def test_a_lookup_that_failed_leaves_only_its_own_account_open() -> None:
    assert read(told([*HEADER, KNOWN, None, b""])) == {1: "call-failed", 2: TWO}
    short = b"\x04\x0a" + PLAIN[:-1]
    assert read(told([*HEADER, KNOWN, short, b""])) == {1: "malformed-answer", 2: TWO}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_another_block_or_chain_tells_nothing(place: int) -> None:
    header = [*HEADER]
    header[place] = bytes(32)
    assert set(read(told([*header, KNOWN, b"", b""])).values()) == {"wrong-block"}


@pytest.mark.parametrize("count", [4, 5, 7])
def test_another_number_of_results_tells_nothing(count: int) -> None:
    results = [*HEADER, KNOWN, *[b""] * (count - 4)]
    assert set(read(told(results)).values()) == {"malformed-answer"}


@pytest.mark.parametrize("cut", [1, 2, 64, 128])
def test_an_answer_that_was_cut_tells_nothing(cut: int) -> None:
    shown = told([*HEADER, KNOWN, b"\x04\x0a" + PLAIN, b"\x04\x0a" + PLAIN], cut=cut)
    assert all(isinstance(one, str) for one in read(shown).values())


def test_what_was_not_asked_is_not_known() -> None:
    assert read(None) == {1: "account-unresolved", 2: "account-unresolved"}
    assert masked.lookup_request(QUIRKS, AT, [PLAIN]) is None
