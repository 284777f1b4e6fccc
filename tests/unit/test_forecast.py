"""What ``recount plan`` says beforehand: calls and time, per endpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from chains.endpoints import EndpointSpec
from chains.model import AssetId, ChainId, QueryKind, Questions
from crawler import settings
from crawler.asking.forecast import Forecast, forecast
from crawler.cli.plan_summary import render, span
from crawler.inputs import Options
from crawler.jobs import planned
from crawler.watching.progress import Silent

pytestmark = pytest.mark.unit

TRON, ETHEREUM = ChainId("tron:0x2b6653dc"), ChainId("eip155:1")
BITCOIN = ChainId("bip122:000000000019d6689c085ae165831e93")


def about(chain: ChainId, count: int, kind: QueryKind = QueryKind.BALANCE) -> Questions:
    return Questions(
        kind=kind,
        chain=chain,
        height=1,
        asset=AssetId(f"{chain}/slip44:1"),
        accounts=tuple(i.to_bytes(20, "big") for i in range(count)),
    )


def endpoint(name: str, chain: ChainId, **more: object) -> EndpointSpec:
    return EndpointSpec(name=name, chain=chain, url="http://127.0.0.1:9", **more)


def told(*asked: Questions, to: list[EndpointSpec]) -> Forecast:
    return forecast(settings.load_world(), [(q, len(q.accounts)) for q in asked], [], to)


def loads(found: Forecast) -> dict[str, tuple[int, int]]:
    return {one.name: (one.calls, one.seconds) for one in found.endpoints}


def test_primaries_share_by_their_rate_and_a_witness_is_asked_everything() -> None:
    found = told(
        about(TRON, 1000),  # 2,040 calls, and 5 to pin the block at each
        to=[
            endpoint("fast", TRON, rate="30"),
            endpoint("slow", TRON, rate="10"),
            endpoint("witness", TRON, rate="5", role="witness"),
        ],
    )
    assert loads(found) == {"fast": (1535, 52), "slow": (515, 52), "witness": (2045, 409)}
    assert found.seconds == 409


def test_an_endpoint_without_a_rate_is_limited_by_what_it_answers_at_once() -> None:
    found = told(about(TRON, 1000), to=[endpoint("own", TRON, rate="0", concurrency=4)])
    assert loads(found) == {"own": (2045, 52)}  # 40 a second at 100 ms an answer


def test_calls_of_arrays_are_limited_by_the_rate_and_requests_by_what_is_under_way() -> None:
    """Starknet: of ten accounts an array of twelve calls, and five calls to pin the block."""
    starknet = ChainId("starknet:SN_MAIN")
    asked = about(starknet, 1000)
    limited = told(asked, to=[endpoint("one", starknet, rate="5")])
    assert loads(limited) == {"one": (1205, 241)}
    own = told(asked, to=[endpoint("own", starknet, rate="0", concurrency=4)])
    assert loads(own) == {"own": (1205, 3)}  # 105 requests, 40 a second at 100 ms an answer


def test_the_declared_batch_counts() -> None:
    asked = about(ETHEREUM, 3000)
    few, many = (
        told(asked, to=[endpoint("node", ETHEREUM, rate="10", batch=batch)]) for batch in (100, 0)
    )
    assert (loads(few)["node"][0], loads(many)["node"][0]) == (35, 6)


def test_control_questions_are_counted_by_their_own_measure() -> None:
    found = told(about(ETHEREUM, 10, QueryKind.CONTROL), to=[endpoint("node", ETHEREUM, rate="10")])
    assert loads(found) == {"node": (75, 8)}


def test_a_dump_is_read_and_only_the_block_is_asked_for() -> None:
    dump = EndpointSpec(name="dump", chain=BITCOIN, url="file:///utxo.dat", protocol="dump")
    found = told(about(BITCOIN, 500_000), to=[endpoint("core", BITCOIN), dump])
    assert loads(found) == {"core": (6, 2)}


def test_a_chain_that_nobody_answers_for_is_named() -> None:
    found = told(about(TRON, 1), about(ETHEREUM, 1), to=[endpoint("node", ETHEREUM)])
    assert (found.unasked, [one.name for one in found.endpoints]) == ((TRON,), ["node"])


def test_times_are_written_as_a_person_would() -> None:
    assert [span(n) for n in (0, 119, 121, 7199, 7201)] == [
        "0 s",
        "119 s",
        "3 min",
        "120 min",
        "3 h",
    ]


def test_the_plan_says_what_each_networks_history_needs(capsys: pytest.CaptureFixture[str]) -> None:
    vaulta = ChainId("antelope:aca376f206b8fc25a6ed44dbdc66547c")
    found = told(about(vaulta, 1), about(ETHEREUM, 1), to=[endpoint("node", vaulta)])
    assert {one.network: one.history for one in found.questions} == {
        "Ethereum": "exact",
        "Vaulta": "held",
    }
    render(found, Console(width=200))
    said = capsys.readouterr().out
    assert "Vaulta: balances at the node's head; exact when the node is held at the height." in said
    assert "Ethereum: balances" not in said


SUI = ChainId("sui:mainnet")


def test_what_is_asked_late_is_an_estimate_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Sui: 2 calls for each 18 accounts in time; late 5 for each 18, and 2 for each account."""
    asked = about(SUI, 180), about(ETHEREUM, 1)
    found = told(*asked, to=[endpoint("one", SUI, rate="10"), endpoint("node", ETHEREUM)])
    late = {one.name: (one.late_calls, one.late_seconds) for one in found.endpoints}
    assert (loads(found)["one"], late["one"]) == ((24, 3), (414, 42))
    assert late["node"] == loads(found)["node"]
    assert (found.seconds, found.late_seconds) == (3, 42)
    assert {one.network: (one.calls, one.late_calls) for one in found.questions} == {
        "Ethereum": (1, 1),
        "Sui": (20, 410),
    }
    render(found, Console(width=200))
    said = capsys.readouterr().out
    assert "if late" in said
    assert "Asked late, about 42 s: an estimate" in said


def test_nothing_is_said_of_late_where_it_takes_no_more(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(about(ETHEREUM, 3000), to=[endpoint("node", ETHEREUM)])
    render(found, Console(width=200))
    assert "late" not in capsys.readouterr().out.lower()


def test_only_balances_are_late() -> None:
    facts = told(about(SUI, 1, QueryKind.ASSET_FACT), to=[endpoint("one", SUI)])
    assert [one.late_calls - one.calls for one in facts.questions] == [0]


def test_a_chain_that_only_a_server_of_lines_answers_for_is_counted_as_it_is_asked() -> None:
    server = endpoint("server", BITCOIN)
    lines = EndpointSpec(name="lines", chain=BITCOIN, url="tcp://127.0.0.1:9")
    counted = [
        [(one.calls, one.late_calls) for one in told(about(BITCOIN, 500), to=to).questions]
        for to in ([lines], [server], [server, lines])
    ]
    assert counted == [[(1010, 2010)], [(1, 1)], [(1, 1)]]


def test_a_plan_that_asks_nothing_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    render(told(to=[endpoint("node", ETHEREUM)]), Console(width=200))
    said = capsys.readouterr().out
    assert said.startswith("Nothing would be asked: no row of the list can be asked about.")


def test_a_plan_says_that_heights_cannot_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.csv"
    heights = ("20000000.0", "-5", "20000000", "")
    rows = [f"eip155:1,0x{i:040x},ETH,1,{height}\n" for i, height in enumerate(heights, 1)]
    path.write_text("network,address,asset,amount,height\n" + "".join(rows))
    found = planned(Options(list_path=str(path)), Silent())
    assert found.unread_heights == 2
    render(found, Console(width=200))
    said = capsys.readouterr().out
    assert said.startswith("2 rows would not be asked about: The list's height for this row ca")
    assert "Nothing would be asked" not in said
