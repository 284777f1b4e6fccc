"""The adapter of the Bitcoin family against simulated nodes and dumps: what not to believe."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chains.adapters.bip122 import Adapter
from chains.endpoints import EndpointSpec
from chains.errors import (
    ConfigError,
    Disagreement,
    NodeBehind,
    Unanswerable,
    Unreachable,
    WrongChain,
)
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Extract,
    Gap,
    Method,
    Observation,
    QueryKind,
    Questions,
    Snapshot,
    Source,
)
from chains.simulated.bip122 import (
    REGTEST_MAGIC,
    CoreFaults,
    SimulatedCoin,
    SimulatedCore,
    write_dump,
)
from chains.transport import HttpTransport, RetryPolicy

pytestmark = pytest.mark.integration

CHAIN = ChainId("bip122:simulated")
NATIVE = AssetId(f"{CHAIN}/slip44:1")
RICH, POOR, NEVER = (b"\x00\x14" + bytes([i]) * 20 for i in (1, 2, 3))
COINS = [
    SimulatedCoin(txid="aa" * 32, vout=0, height=5, units=123_456_789, script=RICH),
    SimulatedCoin(txid="aa" * 32, vout=7, height=5, units=1, script=POOR),
    SimulatedCoin(txid="bb" * 32, vout=0, height=99, units=2_000_000_000_000_000, script=RICH),
]
ALL = {RICH: 2_000_000_123_456_789, POOR: 1, NEVER: 0}
QUICK = RetryPolicy(attempts=2, first_wait_s=0.01, longest_wait_s=0.02, total_s=5)


@asynccontextmanager
async def connected(
    *sources: SimulatedCore | Path,
    genesis: str = "",
    batch: int = 0,
    timeout_s: int = 5,
    params: Mapping[str, Any] | None = None,
) -> AsyncIterator[Adapter]:
    endpoints = [
        EndpointSpec(
            name=f"{'dump' if isinstance(source, Path) else 'node'}-{i}",
            chain=CHAIN,
            url=source.as_uri() if isinstance(source, Path) else source.url,
            own_node=i == 0,
            rate="0",
            batch=batch,
            timeout_s=timeout_s,
        )
        for i, source in enumerate(sources)
    ]
    spec = ChainSpec(
        id=CHAIN,
        name="Simulated",
        adapter="bip122",
        address="bitcoin",
        native=NATIVE,
        params={
            "genesis": genesis or SimulatedCore().genesis,
            "magic": REGTEST_MAGIC.hex(),
            **(params or {}),
        },
    )
    async with HttpTransport(CHAIN, endpoints, QUICK) as transport:
        yield Adapter(spec, transport)


def questions(
    height: int = 100, *, kind: QueryKind = QueryKind.BALANCE, asset: AssetId = NATIVE
) -> Questions:
    return Questions(
        kind=kind, chain=CHAIN, height=height, asset=asset, accounts=tuple(sorted(ALL))
    )


async def pin(adapter: Adapter, height: int = 100) -> Snapshot:
    return adapter.snapshot(height, await adapter.pin(height))


async def ask(
    adapter: Adapter, at: Snapshot, asked: Questions | None = None
) -> dict[bytes, Observation | Gap]:
    asked = asked or questions(at.height)
    found: dict[bytes, Observation | Gap] = {}
    async for extract in adapter.extract(asked, at):
        for position, answer in adapter.decode(asked, extract, at).each(asked):
            assert asked.accounts[position] not in found
            found[asked.accounts[position]] = answer
    assert list(asked.accounts) == sorted(found)
    return found


def units(answers: dict[bytes, Observation | Gap]) -> dict[bytes, int | str]:
    return {
        script: answer.units if isinstance(answer, Observation) else answer.reason
        for script, answer in answers.items()
    }


async def reason_of(adapter: Adapter) -> str:
    answers = await ask(adapter, await pin(adapter))
    (reason,) = {a.reason if isinstance(a, Gap) else "answered" for a in answers.values()}
    return reason


@pytest.mark.parametrize("batch", [0, 1, 2])
async def test_a_node_whose_tip_is_the_block_answers_by_scanning(batch: int) -> None:
    async with SimulatedCore(COINS) as node, connected(node, batch=batch) as adapter:
        answers = await ask(adapter, await pin(adapter))
    assert units(answers) == ALL
    rich = answers[RICH]
    assert isinstance(rich, Observation)
    assert (rich.source, rich.method) == (Source.OWN_NODE, Method.STATE)


async def test_a_dump_answers_beside_a_node_that_is_far_ahead(tmp_path: Path) -> None:
    async with SimulatedCore(COINS, tip=200) as node:
        node.dump(tmp_path / "utxo.dat", height=100)
        async with connected(node, tmp_path / "utxo.dat") as adapter:
            at = await pin(adapter)
            answers = await ask(adapter, at)
    assert units(answers) == ALL
    assert at.detail["height_tied_by"] == "node"
    poor = answers[POOR]
    assert isinstance(poor, Observation)
    assert (poor.method, poor.endpoint) == (Method.BULK, "dump-1")


async def test_a_dump_of_an_earlier_block_has_the_earlier_balances(tmp_path: Path) -> None:
    async with SimulatedCore(COINS) as node:
        node.dump(tmp_path / "utxo.dat", height=50)
        async with connected(node, tmp_path / "utxo.dat") as adapter:
            assert units(await ask(adapter, await pin(adapter, 50)))[RICH] == 123_456_789


async def test_a_dump_alone_is_believed_when_its_newest_coin_is_of_the_height(
    tmp_path: Path,
) -> None:
    SimulatedCore(COINS).dump(tmp_path / "utxo.dat")
    async with connected(tmp_path / "utxo.dat") as adapter:
        at = await pin(adapter)
        assert at.detail["height_unverified"] == "true"
        assert units(await ask(adapter, at)) == ALL
        for height in (99, 101):
            answers = await ask(adapter, await pin(adapter, height))
            assert set(units(answers).values()) == {"dump-mismatch"}


async def test_answers_are_the_same_when_decoded_again(tmp_path: Path) -> None:
    SimulatedCore(COINS).dump(tmp_path / "utxo.dat")
    async with connected(tmp_path / "utxo.dat") as adapter:
        exchanges = await adapter.pin(100)
        at = adapter.snapshot(100, exchanges)
        extracts = [extract async for extract in adapter.extract(questions(), at)]
    async with connected() as offline:
        assert offline.snapshot(100, exchanges) == at
        (extract,) = extracts
        assert list(offline.decode(questions(), extract, at).units) == [ALL[k] for k in sorted(ALL)]


async def test_a_scan_for_other_scripts_is_not_an_answer(tmp_path: Path) -> None:
    SimulatedCore(COINS).dump(tmp_path / "utxo.dat")
    async with connected(tmp_path / "utxo.dat") as adapter:
        at = await pin(adapter)
        (extract,) = [e async for e in adapter.extract(questions(), at)]
        fewer = Extract(positions=[0, 1], decoder=extract.decoder, exchanges=extract.exchanges)
        answers = adapter.decode(questions(), fewer, at)
    assert [gap.reason for gap in answers.gaps.values()] == ["malformed-answer"] * 2


async def test_a_tip_past_the_height_is_a_gap_that_says_what_to_do() -> None:
    async with SimulatedCore(COINS, tip=101) as node, connected(node) as adapter:
        answers = await ask(adapter, await pin(adapter))
    for answer in answers.values():
        assert isinstance(answer, Gap)
        assert (answer.reason, answer.retryable) == ("scan-mismatch", False)
        assert "rollback=100" in answer.detail


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("silent_zero", "zero-without-canary"),
        ("partial_scan", "truncated-answer"),
        ("scan_in_progress", "scan-in-progress"),
        ("no_scan", "method-missing"),
        ("drop_coin", "malformed-answer"),
        ("pruned", "zero-without-canary"),
    ],
)
async def test_no_dangerous_answer_becomes_a_balance(fault: str, reason: str) -> None:
    faults = CoreFaults(**{fault: True})  # type: ignore[arg-type]
    async with SimulatedCore(COINS, faults=faults) as node, connected(node) as adapter:
        assert await reason_of(adapter) == reason
        assert fault in ("partial_scan", "no_scan") or node.caused[fault.replace("_", "-")] > 0


@pytest.mark.parametrize(
    ("knob", "reason"),
    [
        ("rate_limit_every", "rate-limited"),
        ("error_every", "server-error"),
        ("truncate_every", "truncated-answer"),
        ("cut_every", "unreachable"),
        ("html_every", "malformed-answer"),
        ("bad_json_every", "malformed-answer"),
        ("hang_every", "timeout"),
    ],
)
async def test_no_fault_of_the_wire_becomes_a_balance(knob: str, reason: str) -> None:
    async with SimulatedCore(COINS) as node, connected(node, timeout_s=1) as adapter:
        at = await pin(adapter)
        node.faults = CoreFaults(**{knob: 1})  # type: ignore[arg-type]
        answers = await ask(adapter, at)
        assert set(units(answers).values()) == {reason}
        assert sum(node.caused.values()) > 0


async def test_one_scan_of_several_failing_loses_only_its_accounts() -> None:
    async with SimulatedCore(COINS) as node, connected(node, batch=1) as adapter:
        at = await pin(adapter)
        node.requests = 0
        node.faults = CoreFaults(bad_json_every=2)
        found = units(await ask(adapter, at))
    assert sorted(map(str, found.values())).count("malformed-answer") == 1
    assert all(value in (ALL[script], "malformed-answer") for script, value in found.items())


async def test_another_genesis_is_the_wrong_chain() -> None:
    faults = CoreFaults(wrong_chain=True)
    async with SimulatedCore(COINS, faults=faults) as node, connected(node) as adapter:
        with pytest.raises(WrongChain):
            await pin(adapter)


async def test_nodes_with_different_blocks_disagree() -> None:
    async with SimulatedCore(COINS) as one, SimulatedCore(COINS) as two:
        two.faults.other_block = True
        async with connected(one, two) as adapter:
            with pytest.raises(Disagreement):
                await pin(adapter)


async def test_a_node_that_is_behind_may_be_asked_again() -> None:
    async with SimulatedCore(COINS, tip=99) as node, connected(node) as adapter:
        with pytest.raises(NodeBehind):
            await pin(adapter)


async def test_a_node_that_is_starting_may_be_asked_again() -> None:
    faults = CoreFaults(warming_up=True)
    async with SimulatedCore(COINS, faults=faults) as node, connected(node) as adapter:
        with pytest.raises(NodeBehind):
            await pin(adapter)
        assert node.caused["warming-up"] > 0


async def test_scans_are_shared_between_nodes_one_at_a_time() -> None:
    async with (
        SimulatedCore(COINS) as one,
        SimulatedCore(COINS) as two,
        connected(one, two, batch=1) as adapter,
    ):
        at = await pin(adapter)
        before = one.requests, two.requests
        assert units(await ask(adapter, at)) == ALL
        assert (one.requests - before[0], two.requests - before[1]) == (2, 1)


async def test_other_assets_and_kinds_are_gaps() -> None:
    async with SimulatedCore(COINS) as node, connected(node) as adapter:
        at = await pin(adapter)
        token = await ask(adapter, at, questions(asset=AssetId(f"{CHAIN}/token:x")))
        control = await ask(adapter, at, questions(kind=QueryKind.CONTROL))
    assert set(units(token).values()) == {"asset-unsupported"}
    assert set(units(control).values()) == {"method-missing"}


async def test_a_dump_that_is_damaged_after_its_header_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "utxo.dat"
    SimulatedCore(COINS).dump(path)
    whole = path.read_bytes()
    async with connected(path) as adapter:
        at = await pin(adapter)
        for raw, reason in ((whole[:-1], "truncated-answer"), (whole + b"\0", "malformed-answer")):
            path.write_bytes(raw)
            assert set(units(await ask(adapter, at)).values()) == {reason}
        path.unlink()
        answers = await ask(adapter, at)
        assert set(units(answers).values()) == {"unreachable"}


async def test_a_dump_that_was_exchanged_after_pinning_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "utxo.dat"
    node = SimulatedCore(COINS)
    node.dump(path)
    async with connected(path) as adapter:
        at = await pin(adapter)
        node.dump(path, height=99)
        assert set(units(await ask(adapter, at)).values()) == {"dump-mismatch"}


async def test_a_dump_of_a_fork_exchanged_after_pinning_is_a_gap(tmp_path: Path) -> None:
    path = tmp_path / "utxo.dat"
    SimulatedCore(COINS).dump(path)
    async with connected(path) as adapter:
        at = await pin(adapter)
        SimulatedCore(COINS, salt="fork").dump(path)
        assert set(units(await ask(adapter, at)).values()) == {"dump-mismatch"}


async def test_a_coin_from_above_the_height_spoils_the_dump(tmp_path: Path) -> None:
    path = tmp_path / "utxo.dat"
    late = SimulatedCoin(txid="cc" * 32, vout=0, height=101, units=1, script=POOR)
    async with SimulatedCore(COINS) as node:
        write_dump(path, [*COINS, late], block_hash=node.block_hash(100))
        async with connected(node, path) as adapter:
            at = await pin(adapter)
            assert at.endpoints == ("node-0", "dump-1")
            assert set(units(await ask(adapter, at)).values()) == {"dump-mismatch"}


async def test_a_missing_dump_may_be_put_there_later(tmp_path: Path) -> None:
    async with connected(tmp_path / "absent.dat") as adapter:
        with pytest.raises(Unreachable):
            await pin(adapter)


async def test_an_old_dump_is_read_where_a_node_names_its_block(tmp_path: Path) -> None:
    path = tmp_path / "old.dat"
    async with SimulatedCore(COINS, tip=200) as node:
        node.dump(path, height=100, version=1)
        async with connected(node, path) as adapter:
            assert units(await ask(adapter, await pin(adapter))) == ALL
        async with connected(path) as adapter:
            with pytest.raises(Unanswerable) as error:
                await pin(adapter)
    assert error.value.code == "identity-unproven"


async def test_an_old_dump_of_another_block_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "old.dat"
    async with SimulatedCore(COINS) as node, connected(node, path) as adapter:
        node.dump(path, height=99, version=1)
        assert (await pin(adapter)).rejected == {"dump-1": "dump-mismatch"}


async def test_a_file_that_is_no_dump_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "old.dat"
    async with SimulatedCore(COINS) as node:
        path.write_bytes(bytes.fromhex(node.block_hash(100))[::-1] + b"\x01" + bytes(90))
        async with connected(node, path) as adapter:
            assert set(units(await ask(adapter, await pin(adapter))).values()) == {"dump-version"}


async def test_a_wrong_declaration_is_a_config_error() -> None:
    with pytest.raises(ConfigError):
        await connected(genesis="none").__aenter__()


FORK = 50


def bitcoin() -> SimulatedCore:
    return SimulatedCore(COINS)


def cash(coins: list[SimulatedCoin] = COINS, *, tip: int = 100) -> SimulatedCore:
    return SimulatedCore(coins, tip=tip, salt="cash", forked_at=FORK, names_block=False)


CASH_PARAMS = {
    "fork_height": FORK,
    "fork_hash": cash().block_hash(FORK),
    "scan_names_block": False,
}
BITCOIN_PARAMS = {"checkpoints": {str(FORK): bitcoin().block_hash(FORK)}}


async def test_a_scan_that_names_no_block_is_held_between_two_looks_at_the_tip() -> None:
    assert cash().genesis == bitcoin().genesis
    async with cash() as node, connected(node, params=CASH_PARAMS) as adapter:
        at = await pin(adapter)
        assert units(await ask(adapter, at)) == ALL
        node.faults.moving_tip = True
        assert set(units(await ask(adapter, at)).values()) == {"scan-mismatch"}
        node.tip = 99
        assert set(units(await ask(adapter, at)).values()) == {"scan-mismatch"}
        assert node.caused["moving-tip"] == 2
    async with cash() as node, connected(node, params=CASH_PARAMS) as adapter:
        at = await pin(adapter)
        node.faults.silent_zero = True
        assert set(units(await ask(adapter, at)).values()) == {"zero-without-canary"}


async def test_a_scan_without_a_block_is_no_answer_where_it_should_name_one() -> None:
    async with cash() as node, connected(node) as adapter:
        assert await reason_of(adapter) == "scan-mismatch"


@pytest.mark.parametrize(
    ("node", "params"),
    [(bitcoin, CASH_PARAMS), (cash, BITCOIN_PARAMS)],
    ids=["bitcoin-behind-cash", "cash-behind-bitcoin"],
)
async def test_a_node_of_the_other_branch_is_the_wrong_chain(
    node: Callable[[], SimulatedCore], params: Mapping[str, Any]
) -> None:
    async with node() as other, connected(other, params=params) as adapter:
        with pytest.raises(WrongChain):
            await pin(adapter)
        with pytest.raises(WrongChain):
            await pin(adapter, FORK)
        assert (await pin(adapter, FORK - 1)).block_hash == bitcoin().block_hash(FORK - 1)
