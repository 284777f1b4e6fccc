"""Every configured EVM network against a simulated node with that network's own quirks.

The chain specs are the shipped ones: what is tried here is the configuration as much as the code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from anvil import INSTALL, find_anvil, running_anvil
from evm_crawl import chain, endpoint, pinned, reasons

from chains.errors import NodeBehind, Unanswerable, WrongChain
from chains.model import ChainId, ChainSpec, Gap, QueryKind
from chains.simulated.eip155 import Contract, EvmState, SimulatedEvm, TokenState
from chains.simulated.evm_bytecode import token
from crawler.settings import load_world

pytestmark = pytest.mark.integration

WORLD = load_world()
EVM = sorted(id_ for id_, spec in WORLD.chains.items() if spec.adapter == "eip155")
HEIGHT = 50_000_000
"""Above every configured first block of Multicall3."""
TOKEN = bytes.fromhex("dac17f958d2ee523a2206206994597c13d831ec7")
ACCOUNTS = tuple(sorted(hashlib.sha256(bytes([i])).digest()[:20] for i in range(60)))
NATIVES = {at: (i % 4) * 10**17 * (i + 1) for i, at in enumerate(ACCOUNTS)}
HOLDINGS = {at: (i % 3) * (i + 1) for i, at in enumerate(ACCOUNTS)}
L1_NUMBER = 23_000_000
MADE_UP = bytes.fromhex("5a" * 32)

QUIRKS: Mapping[str, Mapping[str, Any]] = {
    "eip155:10": {"more_fields": {"depositNonce": "0x1", "l1BlockNumber": "0x2"}},
    "eip155:61": {"no_overrides": True},
    "eip155:66": {"ignored_overrides": True},
    "eip155:137": {"accounts_per_call": 30},
    "eip155:196": {"evm_parent": MADE_UP},
    "eip155:314": {"no_overrides": True, "no_deployless": True},
    "eip155:324": {"own_bytecode": True, "more_fields": {"stateRoot": "0x" + "00" * 32}},
    "eip155:42161": {
        "evm_number": L1_NUMBER,
        "evm_parent": MADE_UP,
        "more_fields": {"l1BlockNumber": hex(L1_NUMBER), "sendRoot": "0x" + "11" * 32},
    },
    "eip155:43114": {"unfinalized": True, "more_fields": {"blockExtraData": "0x"}},
    "eip155:534352": {"evm_parent": MADE_UP},
}


def shipped(name: str) -> ChainSpec:
    return WORLD.chains[ChainId(name)]


def node(spec: ChainSpec, height: int = HEIGHT, **quirks: Any) -> SimulatedEvm:
    """Return a node of this chain; its canaries hold coins, its Multicall3 is where config says."""
    canaries = {bytes.fromhex(text[2:]): 10**21 for text in spec.params.get("canaries", ())}
    evm = SimulatedEvm(
        chain_id=spec.params["chain_id"],
        height=height,
        native={**NATIVES, **canaries},
        tokens={TOKEN: TokenState(symbol="USDT", decimals=6, balances=HOLDINGS)},
    )
    if "multicall3" in spec.params:
        evm.multicall3 = bytes.fromhex(spec.params["multicall3"]["address"][2:])
    for name, value in quirks.items():
        assert hasattr(evm, name), name
        setattr(evm, name, value)
    return evm


@pytest.mark.parametrize("name", EVM)
async def test_the_shipped_configuration_reads_a_node_with_the_networks_quirks(name: str) -> None:
    spec = shipped(name)
    async with (
        node(spec, **QUIRKS.get(name, {})) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        assert crawler.at.canaries
        assert await crawler.natives(ACCOUNTS) == NATIVES
        assert await crawler.holdings(TOKEN, ACCOUNTS) == HOLDINGS


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("eip155:1", "override"),
        ("eip155:42161", "override"),
        ("eip155:61", "deployless"),
        ("eip155:66", "deployless"),
        ("eip155:314", "multicall3"),
        ("eip155:324", "multicall3"),
    ],
)
async def test_the_way_that_each_network_allows(name: str, way: str) -> None:
    spec = shipped(name)
    async with (
        node(spec, **QUIRKS.get(name, {})) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        await crawler.holdings(TOKEN, ACCOUNTS)
        assert crawler.decoders() == {f"erc20-{way}"}


async def test_number_and_blockhash_of_arbitrum_would_refuse_every_answer_elsewhere() -> None:
    """The same node under rules that compare more than Arbitrum's: gaps, never numbers."""
    quirks = QUIRKS["eip155:42161"]
    for words in ("full", "number"):
        spec = chain(42161, header_words=words)
        async with (
            node(spec, **quirks) as evm,
            pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
        ):
            assert reasons(await crawler.natives(ACCOUNTS)) == {"wrong-block"}


async def test_a_made_up_blockhash_passes_only_where_the_number_alone_is_compared() -> None:
    spec = shipped("eip155:196")
    async with (
        node(spec, evm_parent=MADE_UP) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        assert await crawler.natives(ACCOUNTS) == NATIVES
        evm.evm_number = HEIGHT + 1
        assert reasons(await crawler.natives(ACCOUNTS)) == {"wrong-block"}
    strict = chain(196)
    async with (
        node(strict, evm_parent=MADE_UP) as evm,
        pinned(strict, HEIGHT, endpoint(strict, evm.url)) as crawler,
    ):
        assert reasons(await crawler.natives(ACCOUNTS)) == {"wrong-block"}


async def test_a_null_round_is_a_skipped_slot() -> None:
    spec = shipped("eip155:314")
    async with node(spec, null_rounds=frozenset({HEIGHT})) as evm:
        with pytest.raises(Unanswerable) as raised:
            async with pinned(spec, HEIGHT, endpoint(spec, evm.url)):
                pass
        assert raised.value.code == "slot-skipped"
        assert evm.caused["null-round"]


async def test_the_block_after_null_rounds_has_a_parent_further_down() -> None:
    spec = shipped("eip155:314")
    rounds = frozenset({HEIGHT - 1, HEIGHT - 2})
    async with (
        node(spec, null_rounds=rounds, **QUIRKS["eip155:314"]) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        assert crawler.at.detail["parent_hash"] == "0x" + evm.block_hash(HEIGHT - 3).hex()
        assert await crawler.natives(ACCOUNTS) == NATIVES


async def test_below_multicall3_filecoin_is_asked_one_by_one() -> None:
    spec = shipped("eip155:314")
    height = spec.params["multicall3"]["from_block"] - 1
    async with (
        node(spec, height, **QUIRKS["eip155:314"]) as evm,
        pinned(spec, height, endpoint(spec, evm.url)) as crawler,
    ):
        assert await crawler.natives(ACCOUNTS) == NATIVES
        assert crawler.decoders() == {"native-rpc"}


async def test_an_evm_without_chainid_is_asked_one_by_one() -> None:
    """Ethereum Classic below Phoenix."""
    spec = shipped("eip155:61")
    height = 10_500_838
    async with (
        node(spec, height, missing_opcode="0x46") as evm,
        pinned(spec, height, endpoint(spec, evm.url)) as crawler,
    ):
        assert await crawler.natives(ACCOUNTS) == NATIVES
        assert await crawler.holdings(TOKEN, ACCOUNTS) == HOLDINGS
        assert crawler.decoders() == {"erc20-rpc"}
        assert evm.caused["missing-opcode"] == 2


@pytest.mark.skipif(find_anvil() is None, reason=f"anvil is not installed: {INSTALL}")
@pytest.mark.parametrize(
    ("hardfork", "way"), [("istanbul", "override"), ("london", "override"), ("petersburg", "rpc")]
)
async def test_old_rules_of_ethereum_classic_on_a_real_evm(hardfork: str, way: str) -> None:
    """Phoenix is Istanbul's set of rules; none of these knows PUSH0."""
    spec = shipped("eip155:61")
    with running_anvil("--chain-id", "61", "--hardfork", hardfork) as evm:
        evm.set_natives(NATIVES)
        evm.set_code(TOKEN, token("USDT", 6))
        evm.set_holdings(TOKEN, HOLDINGS)
        height = evm.mine()
        evm.mine()
        params = {**spec.params, "canaries": ["0x" + ACCOUNTS[1].hex()]}
        funded = msgspec.structs.replace(spec, params=params)
        async with pinned(funded, height, endpoint(funded, evm.url)) as crawler:
            assert await crawler.natives(ACCOUNTS) == NATIVES
            assert crawler.decoders() == {f"native-{way}"}
            assert await crawler.holdings(TOKEN, ACCOUNTS) == HOLDINGS


async def test_foreign_code_is_never_sent_to_zksync() -> None:
    spec = shipped("eip155:324")
    async with (
        node(spec, own_bytecode=True) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        assert await crawler.natives(ACCOUNTS) == NATIVES
        assert evm.caused["own-bytecode"] == 0
        evm.multicall3 = None
    async with (
        node(spec, own_bytecode=True) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        evm.multicall3 = None
        assert await crawler.holdings(TOKEN, ACCOUNTS) == HOLDINGS
        assert crawler.decoders() == {"erc20-rpc"}


async def test_oktc_answers_from_the_head_are_refused_not_counted() -> None:
    """Its node may answer a call from another block than asked; the balances there differ."""
    spec = shipped("eip155:66")
    async with (
        node(spec, **QUIRKS["eip155:66"]) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        moved = TokenState(symbol="USDT", decimals=6, balances=dict.fromkeys(ACCOUNTS, 7))
        evm.history[evm.head] = EvmState(native=NATIVES, tokens={TOKEN: moved})
        evm.calls_at_head = True
        assert reasons(await crawler.natives(ACCOUNTS)) == {"wrong-block"}
        assert reasons(await crawler.holdings(TOKEN, ACCOUNTS)) == {"wrong-block"}
        assert evm.caused["calls-at-head"]


async def test_oktc_without_its_multicall_gives_gaps_rather_than_bare_calls() -> None:
    spec = shipped("eip155:66")
    async with (
        node(spec, no_overrides=True, no_deployless=True) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        evm.multicall3 = None
        assert reasons(await crawler.holdings(TOKEN, ACCOUNTS)) == {"method-missing"}


async def test_oktc_says_nothing_of_control_by_calls_from_any_block() -> None:
    spec = shipped("eip155:66")
    account = bytes(19) + b"\x01"
    async with (
        node(spec, **QUIRKS["eip155:66"]) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        state = EvmState(native=NATIVES, contracts={account: Contract(owner=ACCOUNTS[0])})
        evm.history[HEIGHT] = state
        for kind, asked in (
            (QueryKind.CONTROL, account),
            (QueryKind.SIGNATURE, account + bytes(32) + b"signature"),
        ):
            (answer,) = (await crawler.ask(kind, spec.native, [asked])).values()
            assert isinstance(answer, Gap)
            assert answer.reason == "kind-unsupported"


async def test_overrides_that_are_silently_ignored_are_noticed() -> None:
    spec = shipped("eip155:1")
    async with (
        node(spec, ignored_overrides=True) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        assert await crawler.natives(ACCOUNTS) == NATIVES
        assert crawler.decoders() == {"native-deployless"}
        assert evm.caused["ignored-overrides"] == 1


@pytest.mark.parametrize("name", EVM)
async def test_another_chain_behind_a_right_looking_url_stops_the_run(name: str) -> None:
    spec = shipped(name)
    async with node(spec) as evm:
        evm.wrong_chain_id = 1 if spec.params["chain_id"] != 1 else 10
        with pytest.raises(WrongChain, match="serves chain id"):
            async with pinned(spec, HEIGHT, endpoint(spec, evm.url)):
                pass


@pytest.mark.parametrize("name", EVM)
async def test_a_proxy_that_only_says_the_right_chain_id_is_found_out(name: str) -> None:
    """``eth_chainId`` is answered by the proxy, the calls by a node of another chain."""
    spec = shipped(name)
    async with (
        node(spec, **QUIRKS.get(name, {})) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        evm.evm_chain_id = 5
        assert reasons(await crawler.natives(ACCOUNTS)) == {"wrong-block"}
        assert reasons(await crawler.holdings(TOKEN, ACCOUNTS)) == {"wrong-block"}


@pytest.mark.parametrize("name", EVM)
async def test_pruned_state_is_a_gap_on_every_network(name: str) -> None:
    spec = shipped(name)
    async with (
        node(spec, **QUIRKS.get(name, {})) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        evm.pruned_below = HEIGHT + 1
        assert reasons(await crawler.natives(ACCOUNTS)) == {"state-pruned"}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("eip155:10", "no historical RPC is available for this historical (pre-bedrock) block"),
        ("eip155:1", "historical state not available in path scheme yet"),
        ("eip155:42161", "missing trie node 12ab (path ) state 0x12ab is not available"),
        ("eip155:137", "required historical state unavailable (reexec=128)"),
        ("eip155:56", "old data not available due to pruning: state already pruned"),
        ("eip155:61", "header not found"),
        ("eip155:59144", "World state unavailable"),
        ("eip155:314", "load state tree: failed to load state tree bafy2bzaced"),
    ],
)
async def test_a_state_that_a_node_never_had_is_a_gap_in_its_own_words(
    name: str, text: str
) -> None:
    """Before Bedrock, below the pruning line, without the archive: nobody says zero."""
    spec = shipped(name)
    async with (
        node(spec, **QUIRKS.get(name, {})) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        evm.pruned_below, evm.pruned_text = HEIGHT + 1, text
        assert reasons(await crawler.natives(ACCOUNTS)) == {"state-pruned"}
        assert reasons(await crawler.holdings(TOKEN, ACCOUNTS)) == {"state-pruned"}


@pytest.mark.parametrize("name", EVM)
async def test_a_reorganisation_between_pin_and_read_is_a_gap_on_every_network(name: str) -> None:
    spec = shipped(name)
    async with (
        node(spec, **QUIRKS.get(name, {})) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        assert await crawler.natives(ACCOUNTS) == NATIVES
        evm.reorganise(HEIGHT)
        assert reasons(await crawler.natives(ACCOUNTS)) == {"wrong-block"}


@pytest.mark.parametrize("name", EVM)
async def test_zeros_that_begin_after_the_pin_are_gaps_on_every_network(name: str) -> None:
    spec = shipped(name)
    async with (
        node(spec, **QUIRKS.get(name, {})) as evm,
        pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler,
    ):
        evm.zero_for_everything = True
        found = await crawler.natives(ACCOUNTS)
        assert all(isinstance(answer, Gap) for answer in found.values())
        assert reasons(found) == {"zero-without-canary"}
        assert reasons(await crawler.holdings(TOKEN, ACCOUNTS)) == {"zero-without-canary"}


@pytest.mark.parametrize("name", EVM)
async def test_a_lagging_node_is_waited_for_on_every_network(name: str) -> None:
    spec = shipped(name)
    async with node(spec, **QUIRKS.get(name, {})) as evm:
        evm.lag = 1000
        with pytest.raises(NodeBehind):
            async with pinned(spec, HEIGHT, endpoint(spec, evm.url)):
                pass


@pytest.mark.parametrize("name", EVM)
async def test_an_empty_canary_leaves_zeros_unproven(name: str) -> None:
    spec = shipped(name)
    empty, full = ACCOUNTS[0], ACCOUNTS[1]
    async with node(spec, **QUIRKS.get(name, {})) as evm:
        evm.zero_for_everything = True
        async with pinned(spec, HEIGHT, endpoint(spec, evm.url)) as crawler:
            assert crawler.at.canaries == ()
            assert reasons(await crawler.natives([empty, full])) == {"zero-without-canary"}
