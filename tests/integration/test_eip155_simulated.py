"""The adapter against the simulated node: each fault must end as a Gap, never as a zero."""

from __future__ import annotations

import hashlib
from typing import Any

import evm_crawl
import pytest
from aiohttp import web
from evm_crawl import Crawler, chain, endpoint, pinned, reasons, token_asset, transport

from chains.adapters.eip155 import Adapter
from chains.errors import Disagreement, NodeBehind, Transient, Unanswerable, WrongChain
from chains.model import Gap, Observation, QueryKind
from chains.simulated.eip155 import Contract, SimulatedEvm, TokenState
from chains.simulated.node import Faults
from chains.transport import RetryPolicy

pytestmark = pytest.mark.integration

HEIGHT = 1000
SPEC = chain(1)
TOKEN = bytes.fromhex("dac17f958d2ee523a2206206994597c13d831ec7")
TOTAL_SUPPLY = b"18160ddd"
MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
ACCOUNTS = tuple(sorted(hashlib.sha256(bytes([i])).digest()[:20] for i in range(200)))
NATIVES = {at: (i % 5) * 10**18 * (i + 1) for i, at in enumerate(ACCOUNTS)}
HOLDINGS = {at: (i % 3) * (i + 1) for i, at in enumerate(ACCOUNTS)}
TETHER = TokenState(symbol="USDT", decimals=6, balances=HOLDINGS)


def node(**more: Any) -> SimulatedEvm:
    settings: dict[str, Any] = {"native": NATIVES, "tokens": {TOKEN: TETHER}, **more}
    return SimulatedEvm(chain_id=1, height=HEIGHT, **settings)


async def both(crawler: Crawler) -> tuple[dict[bytes, int | Gap], dict[bytes, int | Gap]]:
    return await crawler.natives(ACCOUNTS), await crawler.holdings(TOKEN, ACCOUNTS)


@pytest.mark.parametrize(
    ("refused", "way"),
    [
        ((), "override"),
        (("no_overrides",), "deployless"),
        (("no_overrides", "no_deployless"), "multicall3"),
    ],
)
async def test_each_way_brings_the_same_balances(refused: tuple[str, ...], way: str) -> None:
    spec = chain(1, multicall3={"address": MULTICALL3, "from_block": 1}, batch=64)
    async with node() as evm:
        evm.multicall3 = bytes.fromhex(MULTICALL3[2:])
        for name in refused:
            setattr(evm, name, True)
        async with pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler:
            assert await crawler.natives(ACCOUNTS) == NATIVES
            assert crawler.decoders() == {f"native-{way}"}
            assert await crawler.holdings(TOKEN, ACCOUNTS) == HOLDINGS
            assert crawler.decoders() == {f"erc20-{way}"}


async def test_without_any_program_an_array_of_questions_brings_the_same() -> None:
    async with node() as evm:
        evm.no_overrides = evm.no_deployless = evm.shuffled = True
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
            assert await both(crawler) == (NATIVES, HOLDINGS)
            assert crawler.decoders() == {"erc20-rpc"}


async def test_multicall3_is_not_tried_below_its_first_block() -> None:
    spec = chain(1, multicall3={"address": MULTICALL3, "from_block": HEIGHT + 1})
    async with node() as evm:
        evm.multicall3 = bytes.fromhex(MULTICALL3[2:])
        evm.no_overrides = evm.no_deployless = True
        async with pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler:
            assert await crawler.natives(ACCOUNTS) == NATIVES
            assert crawler.decoders() == {"native-rpc"}


async def test_when_no_way_is_left_every_account_is_a_gap() -> None:
    async with node() as evm:
        evm.no_overrides = evm.no_deployless = evm.no_batches = True
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
            natives, holdings = await both(crawler)
            assert reasons(natives) == reasons(holdings) == {"method-missing"}


async def test_the_refused_probes_are_kept_as_evidence() -> None:
    async with node() as evm:
        evm.no_overrides = True
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
            await crawler.natives(ACCOUNTS)
            bodies = [exchange.body for exchange in crawler.extracts[0].exchanges]
            assert b"too many arguments" in bodies[0]


async def test_batches_that_are_too_large_are_halved_until_they_fit() -> None:
    async with node() as evm:
        evm.accounts_per_call = 30
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
            assert await both(crawler) == (NATIVES, HOLDINGS)
            assert evm.caused["too-large"] >= 3


async def test_a_node_that_says_zero_for_everything_is_rejected_by_its_canary() -> None:
    spec = chain(1, canaries=["0x" + ACCOUNTS[1].hex()])
    async with node() as good, node() as bad:
        bad.zero_for_everything = True
        both_endpoints = (endpoint(spec, bad.url, "bad"), endpoint(spec, good.url, "good"))
        async with pinned(spec, HEIGHT, *both_endpoints) as crawler:
            assert crawler.at.endpoints == ("good",)
            assert dict(crawler.at.rejected) == {"bad": "canary-failed"}
            assert await crawler.natives(ACCOUNTS) == NATIVES


async def test_a_node_that_turns_empty_after_the_pin_gives_gaps() -> None:
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        evm.zero_for_everything = True
        natives, holdings = await both(crawler)
        assert reasons(natives) == reasons(holdings) == {"zero-without-canary"}
        assert evm.caused["zero-for-everything"] > 0


async def test_without_a_canary_zeros_are_gaps_and_amounts_are_not() -> None:
    empty, full = ACCOUNTS[0], ACCOUNTS[1]
    async with node() as evm:
        spec = chain(1, canaries=["0x" + bytes(20).hex()])
        async with pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler:
            assert crawler.at.canaries == ()
            found = await crawler.natives([empty, full])
            assert found[full] == NATIVES[full]
            assert reasons({empty: found[empty]}) == {"zero-without-canary"}


async def test_token_zeros_alone_need_a_supply() -> None:
    empty = ACCOUNTS[0]
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        assert await crawler.holdings(TOKEN, [empty]) == {empty: 0}
        assert len(crawler.extracts[0].exchanges) == 3  # probe, batch, totalSupply


@pytest.mark.parametrize(
    ("status", "found"),
    [
        (503, Gap("zero-without-canary", retryable=True, detail="total supply: server-error")),
        (403, Gap("zero-without-canary", detail="total supply: refused")),
    ],
)
async def test_a_supply_that_nobody_told_is_no_supply_of_zero(status: int, found: Gap) -> None:
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        honest = evm.answer

        async def busy(request: web.Request, body: bytes) -> web.StreamResponse:
            if TOTAL_SUPPLY in body:
                return web.Response(status=status, text="busy")
            return await honest(request, body)

        evm.answer = busy  # type: ignore[method-assign]
        assert await crawler.holdings(TOKEN, [ACCOUNTS[0]]) == {ACCOUNTS[0]: found}


async def test_a_configured_token_canary_travels_in_the_batch() -> None:
    holder = ACCOUNTS[1]
    spec = chain(1, token_canaries={"0x" + TOKEN.hex(): "0x" + holder.hex()})
    async with node() as evm, pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler:
        assert await crawler.holdings(TOKEN, ACCOUNTS) == HOLDINGS
        evm.history[HEIGHT] = type(evm.history[HEIGHT])(
            native=NATIVES, tokens={TOKEN: TokenState(symbol="USDT", decimals=6, total_supply=9)}
        )
        assert reasons(await crawler.holdings(TOKEN, ACCOUNTS)) == {"zero-without-canary"}


async def test_pruned_state_is_a_gap() -> None:
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        evm.pruned_below = HEIGHT + 1
        natives, holdings = await both(crawler)
        assert reasons(natives) == reasons(holdings) == {"state-pruned"}


async def test_a_pruned_node_is_rejected_when_pinning() -> None:
    async with node() as good, node() as bad:
        bad.pruned_below = HEIGHT + 1
        ends = (endpoint(SPEC, bad.url, "bad"), endpoint(SPEC, good.url, "good"))
        async with pinned(SPEC, HEIGHT, *ends) as crawler:
            assert dict(crawler.at.rejected) == {"bad": "state-pruned"}
            assert await crawler.natives(ACCOUNTS) == NATIVES


async def test_wrong_header_words_are_a_wrong_block() -> None:
    async with node() as evm:
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
            evm.wrong_header_words = True
            natives, holdings = await both(crawler)
            assert reasons(natives) == reasons(holdings) == {"wrong-block"}
        relaxed = chain(1, header_words="chain-id")
        async with pinned(relaxed, HEIGHT, endpoint(relaxed, evm.url)) as crawler:
            assert await both(crawler) == (NATIVES, HOLDINGS)


async def test_a_reorganised_block_is_a_gap() -> None:
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        await crawler.natives(ACCOUNTS)
        evm.reorganise(HEIGHT)
        natives, holdings = await both(crawler)
        assert reasons(natives) == reasons(holdings) == {"wrong-block"}


async def test_a_short_answer_is_truncated() -> None:
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        await crawler.natives(ACCOUNTS)
        evm.short_answer = True
        found = await crawler.natives(ACCOUNTS)
        assert reasons(found) == {"truncated-answer"}
        assert all(isinstance(gap, Gap) and gap.retryable for gap in found.values())


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"truncate_every": 1}, "truncated-answer"),
        ({"bad_json_every": 1}, "malformed-answer"),
        ({"html_every": 1}, "malformed-answer"),
        ({"error_every": 1}, "server-error"),
        ({"rate_limit_every": 1}, "rate-limited"),
        ({"redirect_every": 1}, "refused"),
    ],
)
async def test_faults_of_the_wire_are_gaps(fault: dict[str, int], reason: str) -> None:
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        await crawler.natives(ACCOUNTS)
        evm.faults = Faults(**fault)
        natives, holdings = await both(crawler)
        assert reasons(natives) == reasons(holdings) == {reason}
        assert evm.caused


async def test_one_failing_member_of_an_array_is_one_gap() -> None:
    async with node() as evm:
        evm.no_overrides = evm.no_deployless = True
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url, concurrency=1)) as crawler:
            await crawler.natives(ACCOUNTS[:4])
            evm.one_member_failing = True
            found = await crawler.natives(ACCOUNTS[:60])
            gaps = [at for at, answer in found.items() if isinstance(answer, Gap)]
            assert gaps == [ACCOUNTS[30]]
            assert {at: NATIVES[at] for at in found if at not in gaps} == {
                at: answer for at, answer in found.items() if at not in gaps
            }


async def test_a_dropped_id_never_shifts_its_neighbours() -> None:
    async with node() as evm:
        evm.no_overrides = evm.no_deployless = True
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
            await crawler.natives(ACCOUNTS[:4])
            evm.drop_ids = True
            found = await crawler.natives(ACCOUNTS[:60])
            assert reasons({ACCOUNTS[0]: found[ACCOUNTS[0]]}) == {"malformed-answer"}
            assert [found[at] for at in ACCOUNTS[1:60]] == [NATIVES[at] for at in ACCOUNTS[1:60]]


async def test_no_contract_and_failing_contract_are_told_apart() -> None:
    broken = frozenset(ACCOUNTS[10:150])
    tokens = {TOKEN: TokenState(symbol="X", decimals=6, balances=HOLDINGS, reverting=broken)}
    nothing = bytes.fromhex("00" * 19 + "99")
    for refused in ((), ("no_overrides",), ("no_overrides", "no_deployless")):
        async with node(tokens=tokens) as evm:
            for name in refused:
                setattr(evm, name, True)
            async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
                found = await crawler.holdings(TOKEN, ACCOUNTS)
                assert reasons({at: found[at] for at in broken}) == {"call-failed"}
                good = [at for at in ACCOUNTS if at not in broken]
                assert [found[at] for at in good] == [HOLDINGS[at] for at in good]
                assert reasons(await crawler.holdings(nothing, ACCOUNTS)) == {"no-contract"}


async def test_holders_that_only_ran_out_of_gas_are_asked_again() -> None:
    """A sub-call gets 63/64 of the gas left: near the end of a full batch it may starve."""
    async with node() as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
        evm.marks_beyond = 80
        assert await crawler.holdings(TOKEN, ACCOUNTS) == HOLDINGS
        evm.marks_beyond = 40
        found = await crawler.holdings(TOKEN, ACCOUNTS[:100])
        assert reasons(found) == {"", "call-failed"}
        assert all(isinstance(a, Gap) or a == HOLDINGS[at] for at, a in found.items())


async def test_every_failing_endpoint_of_two_lanes_is_left_to_the_other() -> None:
    async with node() as fast, node() as slow:
        slow.no_overrides = slow.no_deployless = True
        ends = (
            endpoint(SPEC, fast.url, "fast", batch=10),
            endpoint(SPEC, slow.url, "slow", batch=5),
        )
        async with pinned(SPEC, HEIGHT, *ends) as crawler:
            assert await crawler.natives(ACCOUNTS) == NATIVES
            assert crawler.decoders() == {"native-override", "native-rpc"}
            fast.faults = Faults(error_every=1)
            assert await crawler.natives(ACCOUNTS) == NATIVES
            assert crawler.decoders() == {"native-rpc"}
            few = ACCOUNTS[:3]  # the other lane finds nothing to do before the first one fails
            assert await crawler.natives(few) == {account: NATIVES[account] for account in few}


async def test_nobody_goes_back_to_a_lane_that_has_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(evm_crawl, "QUICK", RetryPolicy(attempts=1))
    async with node() as fast, node() as slow:
        slow.no_overrides = slow.no_deployless = True
        ends = (
            endpoint(SPEC, fast.url, "fast", batch=10, concurrency=1),
            endpoint(SPEC, slow.url, "slow", batch=5, concurrency=1),
        )
        async with pinned(SPEC, HEIGHT, *ends) as crawler:
            await crawler.natives(ACCOUNTS)
            fast.faults, slow.faults = Faults(error_every=1), Faults(error_every=5)
            slow.requests = 0  # so that the first lane fails long before this one does
            found = await crawler.natives(ACCOUNTS)
            gaps = [one for one in found.values() if isinstance(one, Gap)]
            assert fast.caused["error"] == 1
            assert 0 < len(gaps) == 5 * slow.caused["error"] < len(ACCOUNTS)


async def test_a_witness_is_not_asked_for_balances() -> None:
    async with node() as evm, node() as other:
        ends = (endpoint(SPEC, evm.url), endpoint(SPEC, other.url, "w", role="witness"))
        async with pinned(SPEC, HEIGHT, *ends) as crawler:
            assert crawler.at.endpoints == ("a", "w")
            before = other.requests
            await crawler.natives(ACCOUNTS)
            assert other.requests == before


async def test_another_chain_stops_the_run() -> None:
    async with node() as evm:
        evm.wrong_chain_id = 5
        with pytest.raises(WrongChain):
            async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)):
                pass


async def test_two_blocks_at_one_height_stop_the_run() -> None:
    async with node() as one, node() as two:
        two.wrong_block_hash = True
        ends = (endpoint(SPEC, one.url, "one"), endpoint(SPEC, two.url, "two"))
        with pytest.raises(Disagreement):
            async with pinned(SPEC, HEIGHT, *ends):
                pass


async def test_a_node_that_lags_is_rejected_or_waited_for() -> None:
    async with node() as good, node() as late:
        late.lag = 100
        ends = (endpoint(SPEC, good.url, "good"), endpoint(SPEC, late.url, "late"))
        async with pinned(SPEC, HEIGHT, *ends) as crawler:
            assert dict(crawler.at.rejected) == {"late": "node-behind"}
        with pytest.raises(NodeBehind):
            async with pinned(SPEC, HEIGHT, endpoint(SPEC, late.url, "late")):
                pass


async def test_endpoints_that_do_not_answer_are_named() -> None:
    async with node() as good, node(faults=Faults(error_every=1)) as bad:
        ends = (endpoint(SPEC, good.url, "good"), endpoint(SPEC, bad.url, "bad"))
        async with pinned(SPEC, HEIGHT, *ends) as crawler:
            assert dict(crawler.at.rejected) == {"bad": "server-error"}
        with pytest.raises(Transient, match="server-error"):
            async with pinned(SPEC, HEIGHT, endpoint(SPEC, bad.url, "bad")):
                pass
    with pytest.raises(Unanswerable, match="no endpoint is configured"):
        async with pinned(SPEC, HEIGHT):
            pass


async def test_a_known_block_without_usable_endpoint_gives_gaps() -> None:
    async with node() as evm:
        evm.pruned_below = HEIGHT + 1
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
            assert crawler.at.endpoints == ()
            natives, holdings = await both(crawler)
            assert reasons(natives) == reasons(holdings) == {"no-usable-endpoint"}
            facts = await crawler.ask(QueryKind.ASSET_FACT, token_asset(SPEC, TOKEN), [TOKEN])
            control = await crawler.ask(QueryKind.CONTROL, SPEC.native, ACCOUNTS[:2])
            every = [*facts.values(), *control.values()]
            assert {a.reason for a in every if isinstance(a, Gap)} == {"no-usable-endpoint"}
            assert len(every) == 3


async def test_history_is_read_at_the_height_not_at_the_tip() -> None:
    async with node() as evm:
        evm.history[HEIGHT + 1] = type(evm.history[HEIGHT])(native=dict.fromkeys(ACCOUNTS, 7))
        async with pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:
            assert await crawler.natives(ACCOUNTS) == NATIVES
        async with pinned(SPEC, HEIGHT + 1, endpoint(SPEC, evm.url)) as crawler:
            assert await crawler.natives(ACCOUNTS) == dict.fromkeys(ACCOUNTS, 7)


async def test_facts_of_a_token_and_of_nothing() -> None:
    old = bytes.fromhex("00" * 19 + "77")
    tokens = {TOKEN: TETHER, old: TokenState(symbol="OLD", decimals=18, bytes32_symbol=True)}
    async with node(tokens=tokens) as evm, pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler:

        async def facts(token: bytes) -> Observation | Gap:
            kind = QueryKind.ASSET_FACT
            return (await crawler.ask(kind, token_asset(SPEC, token), [token]))[token]

        answer = await facts(TOKEN)
        assert isinstance(answer, Observation)
        supply = sum(HOLDINGS.values())
        assert answer.facts == (
            f'{{"decimals":6,"symbol":"USDT","total_supply":"{supply}","code":true}}'
        )
        answer = await facts(old)
        assert isinstance(answer, Observation)
        assert '"symbol":"OLD"' in answer.facts
        answer = await facts(bytes(20))
        assert isinstance(answer, Gap)
        assert answer.reason == "no-contract"


async def test_control_of_keys_contracts_and_safes() -> None:
    owners = ACCOUNTS[:3]
    accounts = [bytes(19) + bytes([i]) for i in (1, 2, 3, 4)]
    contracts = {
        accounts[0]: Contract(owner=owners[0]),
        accounts[1]: Contract(safe_owners=owners, threshold=2),
        accounts[2]: Contract(code=bytes.fromhex("ef0100") + owners[1]),
    }
    async with (
        node(contracts=contracts) as evm,
        pinned(SPEC, HEIGHT, endpoint(SPEC, evm.url)) as crawler,
    ):
        found = await crawler.ask(QueryKind.CONTROL, SPEC.native, accounts)
        texts = [a.facts for a in found.values() if isinstance(a, Observation)]
        assert len(texts) == 4
        by_account = {at: a.facts for at, a in found.items() if isinstance(a, Observation)}
        assert (
            f'"kind":"contract-owner","threshold":1,"weights":{{"0x{owners[0].hex()}":1}}'
            in by_account[accounts[0]]
        )
        assert '"threshold":2' in by_account[accounts[1]]
        assert f'"eip7702_delegate":"0x{owners[1].hex()}"' in by_account[accounts[2]]
        assert by_account[accounts[3]] == '{"exists":false,"plain":true}'
        evm.pruned_below = HEIGHT + 1
        found = await crawler.ask(QueryKind.CONTROL, SPEC.native, accounts)
        assert {a.reason for a in found.values() if isinstance(a, Gap)} == {"state-pruned"}


async def test_assets_of_other_kinds_are_unsupported() -> None:
    async with node() as evm, transport(SPEC, endpoint(SPEC, evm.url)) as open_transport:
        adapter = Adapter(SPEC, open_transport)
        at = adapter.snapshot(HEIGHT, await adapter.pin(HEIGHT))
        crawler = Crawler(SPEC, adapter, at)
        for asset in ("eip155:1/erc721:0x00", "eip155:2/slip44:60", "eip155:1/erc20:0x12"):
            found = await crawler.ask(QueryKind.BALANCE, type(SPEC.native)(asset), ACCOUNTS[:2])
            assert {a.reason for a in found.values() if isinstance(a, Gap)} == {"asset-unsupported"}
