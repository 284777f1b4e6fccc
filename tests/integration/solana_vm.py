"""A Solana node whose accounts are those of a real virtual machine (LiteSVM, in this process).

Programs run as on a cluster: System, Token, Token-2022, Associated Token Account, Stake, Vote.
Everything about accounts is answered from the machine's own bytes; blocks, slots and lists of
transactions, which the machine has not, are those of the simulated node. ``run`` executes a
transaction and notes what it did to the accounts that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from solders.account import Account
from solders.instruction import AccountMeta, Instruction
from solders.keypair import Keypair
from solders.litesvm import LiteSVM
from solders.message import Message
from solders.pubkey import Pubkey
from solders.system_program import CreateAccountParams, create_account
from solders.transaction import Transaction
from solders.transaction_metadata import FailedTransactionMetadata

from chains.addresses.base58 import base58_to_bytes
from chains.simulated.solana import SimulatedSolana
from chains.simulated.solana_ledger import TOKEN, TOKEN_2022, Happened, Side, described
from tests.nodes import note

ASSOCIATED = "ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL"
STAKE = "Stake11111111111111111111111111111111111111"
VOTE = "Vote111111111111111111111111111111111111111"
_ACCOUNT, _KIND_ACCOUNT = 165, 2


def keypair(name: str) -> Keypair:
    """Return the key pair of a name."""
    return Keypair.from_seed(sha256(name.encode()).digest())


def instruction(program: str, data: bytes, *accounts: tuple[bytes, str]) -> Instruction:
    """Build an instruction; accounts carry ``s`` (signs), ``w`` (is written), both or nothing."""
    metas = [
        AccountMeta(Pubkey.from_bytes(at), is_signer="s" in how, is_writable="w" in how)
        for at, how in accounts
    ]
    return Instruction(Pubkey.from_string(program), data, metas)


class VirtualMachine(SimulatedSolana):
    """A node over LiteSVM; ``finalized`` is the machine's slot."""

    def __init__(self, slot: int) -> None:
        super().__init__(slot, {}, finalized=slot)
        note("litesvm")
        self.machine = LiteSVM()
        self.machine.warp_to_slot(slot)
        self.payer = keypair("payer")
        self.machine.airdrop(self.payer.pubkey(), 10**13)

    def next_slot(self) -> None:
        """Go on by one slot."""
        self.finalized += 1
        self.machine.warp_to_slot(self.finalized)

    def held(self, account: bytes) -> Account | None:
        """Return an account of the machine; an empty one is none."""
        found = self.machine.get_account(Pubkey.from_bytes(account))
        return found if found is not None and found.lamports else None

    def lamports(self, account: bytes) -> int:
        """Return an account's lamports."""
        found = self.held(account)
        return 0 if found is None else found.lamports

    def run(self, *instructions: Instruction, signers: Sequence[Keypair] = ()) -> None:
        """Execute a transaction; raises ``RuntimeError`` with its log where it fails."""
        message = Message(list(instructions), self.payer.pubkey())
        keys = [bytes(key) for key in message.account_keys if str(key) != TOKEN]  # it adds that
        before = {key: (self.lamports(key), self._side(key)) for key in keys}
        signed = Transaction([self.payer, *signers], message, self.machine.latest_blockhash())
        done = self.machine.send_transaction(signed)
        if isinstance(done, FailedTransactionMetadata):
            log = "\n".join([str(done.err()), *done.meta().logs()])
            raise RuntimeError(log)  # noqa: TRY004 - it is no wrong type but a refusal
        self.machine.expire_blockhash()
        sides = {key: (before[key][1], self._side(key)) for key in keys}
        self.happened.append(
            Happened(
                slot=self.finalized,
                lamports={key: (before[key][0], self.lamports(key)) for key in keys},
                tokens={key: side for key, side in sides.items() if side != (None, None)},
            )
        )

    def create(self, name: str, space: int, owner: str) -> tuple[Instruction, bytes]:
        """Return the instruction that makes the account of a name, and the account."""
        account = keypair(name).pubkey()
        params = CreateAccountParams(
            from_pubkey=self.payer.pubkey(),
            to_pubkey=account,
            lamports=self.machine.minimum_balance_for_rent_exemption(space),
            space=space,
            owner=Pubkey.from_string(owner),
        )
        return create_account(params), bytes(account)

    def _side(self, account: bytes) -> Side | None:
        found = self.held(account)
        if found is None or not _is_token(found):
            return None
        return Side(*_token(found))

    def _account(self, key: str, config: Mapping[str, Any]) -> dict[str, Any] | None:
        found = self.held(base58_to_bytes(key))
        if found is None:
            return None
        return described(found.lamports, str(found.owner), found.data, config)

    def _tokens(self, mint: str) -> list[tuple[str, bytes, int]]:
        """Return address, owner and amount of all accounts of a mint."""
        wanted = base58_to_bytes(mint)
        return [
            (str(at), owner, amount)
            for program in (TOKEN, TOKEN_2022)
            for at, found in self.machine.get_program_accounts(Pubkey.from_string(program))
            if _is_token(found)
            for own, owner, amount in [_token(found)]
            if own == wanted
        ]

    def _token_accounts(self, params: Sequence[Any]) -> dict[str, Any]:
        owner, mint, config = base58_to_bytes(params[0]), params[1]["mint"], params[2]
        self._check_minimum(config)
        names = [at for at, own, _ in self._tokens(mint) if own == owner]
        return self._now([{"pubkey": at, "account": self._account(at, config)} for at in names])

    def _largest(self, params: Sequence[Any]) -> dict[str, Any]:
        found = sorted(self._tokens(params[0]), key=lambda one: one[2], reverse=True)[:20]
        return self._now(
            [{"address": at, "amount": str(amount), "decimals": 6} for at, _, amount in found]
        )


def _is_token(found: Account) -> bool:
    """Tell a token account from a mint; both programs keep a byte for it behind the common part."""
    if str(found.owner) not in (TOKEN, TOKEN_2022) or len(found.data) < _ACCOUNT:
        return False
    return len(found.data) == _ACCOUNT or found.data[_ACCOUNT] == _KIND_ACCOUNT


def _token(found: Account) -> tuple[bytes, bytes, int]:
    return found.data[:32], found.data[32:64], int.from_bytes(found.data[64:72], "little")
