"""What is declared of a network is what its adapter does there, with the shipped declaration.

Simulated servers of each kind take the place of a network's own: what its declaration says of
blocks, ways and indexes stays, only identities (genesis, chain id) are theirs. Every declared
method must come out of one of them, and none comes out that is not declared. Dumps are the
exception: one that somebody made in another way is read on every chain of the Bitcoin family.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from adapter_cases import Case, cases, ledger_of

from chains.adapters import capabilities, load
from chains.adapters.bip122.moment import AT_TIP
from chains.adapters.bip122.set_hash import set_hash
from chains.addresses.aelf import encode as aelf_text
from chains.addresses.antelope import decode as antelope_name
from chains.addresses.base58 import bytes_to_base58
from chains.endpoints import EndpointSpec
from chains.errors import ChainError
from chains.model import (
    ChainId,
    ChainSpec,
    Exchange,
    Gap,
    Method,
    Observation,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from chains.simulated.address_index import SimulatedIndexedCore
from chains.simulated.aelf import GENESIS, SimulatedAelf
from chains.simulated.antelope import SimulatedAntelope
from chains.simulated.bip122 import SimulatedCoin, SimulatedCore
from chains.simulated.eip155 import SimulatedEvm
from chains.simulated.electrum import SimulatedElectrum, Transfer
from chains.simulated.solana import SimulatedSolana
from chains.simulated.stellar import SimulatedHorizon
from chains.simulated.substrate import SimulatedSubstrate
from chains.simulated.sui import SUI, SimulatedSui
from chains.simulated.sui_past import Transaction
from chains.transport import HttpTransport, RetryPolicy
from crawler.settings import load_world
from crawler.support.networks import HISTORY, METHODS

pytestmark = pytest.mark.integration

WORLD = load_world()
NETWORKS = sorted(
    (spec for spec in WORLD.chains.values() if spec.adapter != "none"), key=lambda one: one.id
)
ELSEWHERE = {
    ("eip155", "proof"): "integration/test_eip155_proofs.py::"
    "test_every_network_that_declares_proofs_proves_with_its_own_declaration",
    ("solana", "rolled-back"): "integration/test_solana_history.py::"
    "test_the_transactions_on_both_sides_state_the_balance",
    ("tron", "untouched"): "integration/test_trongrid_simulated.py::"
    "test_accounts_without_transfers_are_untouched",
    ("tron", "rolled-back"): "integration/test_trongrid_simulated.py::"
    "test_tokens_are_those_of_the_height",
}
"""Methods that need more of a server than stands here, and the test that shows each."""
DUMPED = {Method.BULK, Method.PROOF}


class Scene(msgspec.Struct, frozen=True):
    """Servers or dumps, what they change of the declaration, and who is asked."""

    sources: Sequence[Any]
    params: dict[str, Any]
    height: int
    accounts: Sequence[bytes]
    kind: QueryKind = QueryKind.BALANCE


async def methods(network: ChainSpec, scene: Scene) -> set[Method]:
    """Ask the servers as the network's adapter does; returns the methods of what was answered."""
    spec = msgspec.structs.replace(network, params={**network.params, **scene.params})
    async with AsyncExitStack() as stack:
        endpoints = []
        for i, source in enumerate(scene.sources):
            url = source.as_uri() if isinstance(source, Path) else ""
            if not url:
                await stack.enter_async_context(source)
            kind = "electrum" if isinstance(source, SimulatedElectrum) else ""
            endpoints.append(
                EndpointSpec(
                    name=f"n{i}", chain=spec.id, url=url or source.url, rate="0", own_node=True,
                    timeout_s=5, **({"protocol": kind} if kind else {}),
                )
            )  # fmt: skip
        policy = RetryPolicy(attempts=1, first_wait_s=0.01, longest_wait_s=0.02)
        adapter = load(spec.adapter)
        transport = HttpTransport(spec.id, endpoints, policy, adapter.capabilities.answering)
        reader = adapter(spec, await stack.enter_async_context(transport))
        asked = Questions(
            kind=scene.kind, chain=spec.id, height=scene.height, asset=spec.native,
            accounts=tuple(sorted(scene.accounts)),
        )  # fmt: skip
        try:
            at = reader.snapshot(scene.height, await reader.pin(scene.height))
        except ChainError:
            return set()
        return {
            answer.method
            async for extract in reader.extract(asked, at)
            for _, answer in reader.decode(asked, extract, at).each(asked)
            if isinstance(answer, Observation)
        }


def bitcoin(network: ChainSpec, directory: Path) -> Iterator[Scene]:
    p2pkh = [b"\x76\xa9\x14" + bytes([i]) * 20 + b"\x88\xac" for i in (1, 2)]
    coins = [SimulatedCoin(txid="aa" * 32, vout=0, height=5, units=7, script=p2pkh[0])]
    names_block = network.params.get("scan_names_block", True)
    core = SimulatedCore(coins, tip=100, names_block=names_block)
    usual: dict[str, Any] = {"genesis": core.genesis, "checkpoints": {}, "magic": "fabfb5da"}
    usual |= {"txoutset_hashes": {}}
    fork = {"fork_height": 0, "fork_hash": core.genesis} if "fork_height" in network.params else {}
    usual |= fork
    path = directory / "utxo.dat"
    core.dump(path)
    yield Scene([core, path], usual, 100, p2pkh)
    if network.params.get("txoutset_hashes"):
        yield Scene([path, core], usual | {"txoutset_hashes": {"100": set_hash(path)}}, 100, p2pkh)
    yield Scene([core], usual, 100, p2pkh)
    named = msgspec.structs.replace(network, params={**network.params, **usual})
    for names_ends in (False, True):
        indexed = SimulatedIndexedCore(named, coins, tip=105, names_ends=names_ends)
        yield Scene([indexed], usual, 100, p2pkh)
    idle = SimulatedElectrum()
    paid = Transfer(height=10, spends=((idle.reward_id(1), 0),), pays=((p2pkh[0], 50 * 10**8),))
    seen = Transfer(height=100, spends=((idle.reward_id(2), 0),), pays=((b"\x51", 50 * 10**8),))
    spent = Transfer(height=101, spends=((paid.txid, 0),), pays=((p2pkh[1], 50 * 10**8),))
    for moved in ([paid, seen], [paid, seen, spent]):
        server = SimulatedElectrum(moved, tip=105)
        yield Scene([server], usual | {"genesis": server.genesis}, 100, p2pkh)


def ethereum(network: ChainSpec, _: Path) -> Iterator[Scene]:
    ledger = ledger_of(20, 10**18)
    ledger |= {bytes.fromhex(text[2:]): 10**21 for text in network.params.get("canaries", ())}
    node = SimulatedEvm(chain_id=network.params["chain_id"], height=50_000_000, native=ledger)
    if "multicall3" in network.params:
        node.multicall3 = bytes.fromhex(network.params["multicall3"]["address"][2:])
    yield Scene([node], {}, 50_000_000, tuple(ledger))


def substrate(network: ChainSpec, _: Path) -> Iterator[Scene]:
    ledger = ledger_of(32, 10**10)
    first, last = network.params.get("moved_during", (0, 0))
    height = last + 1000 if "moved_from" in network.params else (first or 28_000_000) - 1000
    nodes = [SimulatedSubstrate(height, ledger) for _ in range(2)]
    known = {"genesis_hash": nodes[0].genesis[2:], "header": "plain"}
    yield Scene(nodes[:1], known, height, tuple(ledger))
    nodes = [SimulatedSubstrate(height, ledger) for _ in range(2)]
    if capabilities(network).proof_questions:
        yield Scene(nodes, known, height, tuple(ledger), QueryKind.PROOF)


def antelope(network: ChainSpec, _: Path) -> Iterator[Scene]:
    decimals, code = str(network.params.get("symbol", "4,EOS")).split(",")
    accounts = [antelope_name(text, {}) for text in ("rich", "nobody")]
    for head in (1000, 1001):
        node = SimulatedAntelope(
            1000, {accounts[0]: 7}, head=head, symbol=(int(decimals), code), seed=network.id
        )
        node.rex = network.params.get("rex", True)
        yield Scene([node], {"chain_id": node.chain_id}, 1000, accounts)


def stellar(network: ChainSpec, _: Path) -> Iterator[Scene]:
    ledger = ledger_of(32, 10**8)
    node = SimulatedHorizon(50_000_000, ledger)
    node.passphrase = network.params["network_passphrase"]
    yield Scene([node], {}, 50_000_000, tuple(ledger))


def aelf(network: ChainSpec, _: Path) -> Iterator[Scene]:
    ledger = ledger_of(32, 10**8)
    for passed in (0, 40):
        node = SimulatedAelf(4_229_086, ledger)
        node.chain = network.params.get("chain", network.reference)
        node.best += passed
        known: dict[str, Any] = {"genesis_contract": aelf_text(GENESIS, {}), "genesis_hash": ""}
        known |= {"token_contract": None}
        yield Scene([node], known, 4_229_086, tuple(ledger))


def solana(_: ChainSpec, __: Path) -> Iterator[Scene]:
    ledger = ledger_of(32, 10**9)
    for finalized in (300_000_000, 300_000_900):
        node = SimulatedSolana(300_000_000, ledger, finalized=finalized)
        known = {"genesis_hash": node.genesis, "canaries": []}
        yield Scene([node], known, 300_000_000, tuple(ledger))


def sui(network: ChainSpec, _: Path) -> Iterator[Scene]:
    ledger, moved = ledger_of(32, 10**9), bytes((0xEE,)) * 32
    for dropped in (False, True):
        node = SimulatedSui(306_133_070, {**ledger, moved: 5})
        node.past.transactions = [Transaction(at=306_133_071, changes={(moved, SUI): 7})]
        if dropped:
            node.newest, node.first_kept = 306_999_999, 306_990_000
        known = {**network.params, "genesis_digest": bytes_to_base58(node.genesis)}
        yield Scene([node], known, 306_133_070, (*ledger, moved))


SCENES: dict[str, Callable[[ChainSpec, Path], Iterator[Scene]]] = {
    "aelf": aelf,
    "antelope": antelope,
    "bip122": bitcoin,
    "eip155": ethereum,
    "solana": solana,
    "stellar": stellar,
    "substrate": substrate,
    "sui": sui,
}
CASES = {case.spec.adapter: case for case in cases() if case.spec.adapter not in SCENES}


def of_case(case: Case) -> Scene:
    """Return the contract suite's own server of a family with one network."""
    return Scene([case.node()], dict(case.spec.params), case.height, tuple(case.ledger))


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)
async def test_a_declared_method_is_what_is_done_on_that_network(network, tmp_path):
    can = capabilities(network)
    shown = set()
    if network.adapter in SCENES:
        for scene in SCENES[network.adapter](network, tmp_path):
            shown |= await methods(network, scene)
    else:
        case = CASES[network.adapter]
        shown |= await methods(case.spec, of_case(case))
    elsewhere = {Method(method) for family, method in ELSEWHERE if family == network.adapter}
    assert set(can.methods) - elsewhere <= shown
    made = DUMPED if network.adapter == "bip122" else set()
    assert shown - made <= set(can.methods)
    assert (Method.PROOF in can.methods) == can.proofs
    assert (set(can.how) or set(can.methods)) == set(can.methods)
    assert can.history in HISTORY
    assert set(can.methods) <= set(METHODS)


@pytest.mark.parametrize("test", ELSEWHERE.values(), ids=["-".join(pair) for pair in ELSEWHERE])
def test_what_is_shown_elsewhere_is_there(test):
    path, _, name = test.partition("::")
    source = (Path(__file__).parents[1] / path).read_text(encoding="utf-8")
    assert re.search(rf"^async def {name}\(", source, re.MULTILINE), test


class Listening:
    """Knows a node and an Electrum server, and notes who is asked."""

    def __init__(self, chain: ChainId) -> None:
        urls = {"node": "http://127.0.0.1:9", "server": "tcp://127.0.0.1:9"}
        self.known = {
            name: EndpointSpec(name=name, chain=chain, url=url) for name, url in urls.items()
        }
        self.asked: set[str] = set()

    @property
    def endpoints(self) -> tuple[str, ...]:
        return tuple(self.known)

    def spec(self, endpoint: str) -> EndpointSpec:
        return self.known[endpoint]

    def local_path(self, _: str) -> None:
        return None

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        self.asked.add(endpoint)
        return Exchange(request=request, endpoint=endpoint, failure="unreachable")

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        return await self.exchange(request, among[0])


@pytest.mark.parametrize(
    ("name", "asked"), [("Dogecoin", {"server"}), ("Bitcoin Cash", {"node"}), ("Bitcoin", {"node"})]
)
async def test_a_node_at_the_tip_is_asked_before_a_server_only_where_it_can_scan(name, asked):
    network = next(one for one in NETWORKS if one.name == name)
    transport = Listening(network.id)
    adapter = load("bip122")(network, transport)
    at = Snapshot(
        chain=network.id, height=100, block_hash="ab" * 32, time=1, endpoints=transport.endpoints,
        detail={f"{AT_TIP}@node": "true"},
    )  # fmt: skip
    questions = Questions(
        kind=QueryKind.BALANCE, chain=network.id, height=100, asset=network.native,
        accounts=(b"\x51",),
    )  # fmt: skip
    found = [
        answer
        async for extract in adapter.extract(questions, at)
        for _, answer in adapter.decode(questions, extract, at).each(questions)
    ]
    assert (transport.asked, [type(one) for one in found]) == (asked, [Gap])


async def test_a_node_that_cannot_scan_alone_is_not_asked_at_all():
    network = next(one for one in NETWORKS if one.name == "Dogecoin")
    transport = Listening(network.id)
    del transport.known["server"]
    adapter = load("bip122")(network, transport)
    at = Snapshot(
        chain=network.id, height=100, block_hash="ab" * 32, time=1, endpoints=("node",)
    )  # fmt: skip
    questions = Questions(
        kind=QueryKind.BALANCE, chain=network.id, height=100, asset=network.native,
        accounts=(b"\x51",),
    )  # fmt: skip
    (extract,) = [one async for one in adapter.extract(questions, at)]
    answers = adapter.decode(questions, extract, at)
    assert (transport.asked, answers.gaps[0].reason) == (set(), "no-usable-endpoint")
