"""Targets that take a node's answers about tokens: what adapters decode besides the native coin."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import msgspec

from chains.adapters.aptos import wire as aptos
from chains.adapters.solana import wire as solana
from chains.adapters.solana.derive import associated
from chains.adapters.solana.layouts import TOKEN_PROGRAMS
from chains.addresses import ton
from chains.model import AssetId
from chains.simulated.aelf import SimulatedAelf
from chains.simulated.antelope import SimulatedAntelope, Stored
from chains.simulated.aptos import SimulatedAptos
from chains.simulated.eip155 import SimulatedEvm
from chains.simulated.evm_calls import TokenState
from chains.simulated.node import SimulatedNode
from chains.simulated.solana import SimulatedSolana
from chains.simulated.solana_ledger import Mint, TokenAccount
from chains.simulated.substrate import SimulatedSubstrate
from chains.simulated.sui import SimulatedSui
from chains.simulated.trongrid import SimulatedTronGrid, text
from chains.simulated.tvm import SimulatedTon
from tests.fuzz.answers import Answers, few
from tests.fuzz.contract import Case, cases, record
from tests.fuzz.target import Target

Node = Callable[[Case], SimulatedNode]
MINT, METADATA = bytes((10,)) * 32, bytes((0x70,)) * 32
CONTRACT = b"\x77" * 20
MASTER = b"\0" + b"\x66" * 32
COIN = "0x" + "db" * 32 + "::usdc::USDC"
BALANCES = 2**60
"""What holders of tokens have of the native coin, where they need any."""


class Token(NamedTuple):
    """A token of one adapter: its name behind the chain, a node that keeps it, more parameters."""

    reference: str
    node: Node
    params: Mapping[str, Any] = {}


def _solana(case: Case) -> SimulatedNode:
    node = SimulatedSolana(case.height, dict(case.ledger))
    program = TOKEN_PROGRAMS[0]
    node.mints = {MINT: Mint(program=program)}
    node.tokens = {
        associated(owner, MINT, program): TokenAccount(MINT, owner, units)
        for owner, units in case.ledger.items()
        if units
    }
    return node


def _antelope(case: Case) -> SimulatedNode:
    accounts = {
        who: Stored(liquid=BALANCES, tokens={"core.vaulta:A": units})
        for who, units in case.ledger.items()
    }
    return SimulatedAntelope(case.height, {}, accounts=accounts)


def _aptos(case: Case) -> SimulatedNode:
    return SimulatedAptos(case.height, dict(case.ledger), tokens={METADATA: case.ledger})


def _evm(case: Case) -> SimulatedNode:
    token = TokenState(symbol="USDT", decimals=6, balances=case.ledger)
    return SimulatedEvm(
        chain_id=1337, height=case.height, native=case.ledger, tokens={CONTRACT: token}
    )


def _ton(case: Case) -> SimulatedNode:
    held = {account: units for account, units in case.ledger.items() if units}
    return SimulatedTon(case.height, held | {MASTER: 10**9}, jettons={MASTER: case.ledger})


def _tron(case: Case) -> SimulatedNode:
    return SimulatedTronGrid(case.height, CONTRACT, case.ledger, (), head=case.height + 100)


TOKENS: Mapping[str, Token] = {
    "aelf": Token(
        "token:USDT",
        lambda case: SimulatedAelf(case.height, case.ledger, tokens={"USDT": case.ledger}),
    ),
    "antelope": Token("token:core.vaulta%3AA", _antelope),
    "aptos": Token(f"fungible:{aptos.text(METADATA)}", _aptos),
    "eip155": Token(f"erc20:0x{CONTRACT.hex()}", _evm),
    "solana": Token(f"token:{solana.key(MINT)}", _solana),
    "substrate": Token(
        "asset:1984",
        lambda case: SimulatedSubstrate(case.height, case.ledger, assets={1984: case.ledger}),
    ),
    "sui": Token(
        f"coin:{COIN.replace('::', '%3A%3A')}",
        lambda case: SimulatedSui(case.height, case.ledger, coins={COIN: case.ledger}),
    ),
    "tron": Token(f"trc20:{text(CONTRACT)}", _tron, {"transfer_tokens": [text(CONTRACT)]}),
    "tvm": Token(f"jetton:{ton.encode(MASTER, {}).replace('_', '%5F')}", _ton),
}


def with_token(case: Case, token: Token) -> tuple[Case, AssetId]:
    """Return the case of a chain that has a token, and the token's name."""
    spec = msgspec.structs.replace(case.spec, params={**case.spec.params, **token.params})
    ours = Case(**{**vars(case), "spec": spec, "node": lambda: token.node(case)})
    return ours, AssetId(f"{spec.id}/{token.reference}")


def _target(case: Case, token: Token) -> Target:
    @cache
    def answers() -> Answers:
        ours, asset = with_token(case, token)
        return Answers(ours, asyncio.run(record(ours, few(case), asset=asset)))

    return Target(
        f"decode {case.name} token", lambda: answers().seeds(), lambda data: answers().check(data)
    )


TARGETS = tuple(_target(case, TOKENS[case.name]) for case in cases() if case.name in TOKENS)
