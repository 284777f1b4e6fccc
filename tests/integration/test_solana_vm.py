"""The Solana adapter against accounts that real programs wrote, and our bytes against theirs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from solana_nodes import CHAIN, asked, connected, pinned, short
from solana_vm import ASSOCIATED, STAKE, VOTE, VirtualMachine, instruction, keypair
from solders.account import Account
from solders.instruction import Instruction
from solders.pubkey import Pubkey
from solders.system_program import TransferParams, transfer
from solders.token.state import Mint as RealMint
from solders.token.state import TokenAccount as RealTokenAccount

from chains.adapters.solana import layouts, wire
from chains.adapters.solana.derive import associated
from chains.addresses.base58 import base58_to_bytes, bytes_to_base58
from chains.model import AssetId, Method, Observation, Part, PartKind, QueryKind
from chains.simulated.solana_ledger import (
    TOKEN,
    TOKEN_2022,
    Mint,
    TokenAccount,
    extension,
    stake_account,
)
from crawler.settings import load_world

pytestmark = pytest.mark.integration

SLOT = 300_000_000
ALICE, BOB, CAROL = (bytes(keypair(name).pubkey()) for name in ("alice", "bob", "carol"))
PAYER = bytes(keypair("payer").pubkey())
NOBODY = bytes((9,)) * 32
RENT, CLOCK, HISTORY, STAKE_CONFIG = (
    base58_to_bytes(text)
    for text in (
        "SysvarRent111111111111111111111111111111111",
        "SysvarC1ock11111111111111111111111111111111",
        "SysvarStakeHistory1111111111111111111111111",
        "StakeConfig11111111111111111111111111111111",
    )
)


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def u32(value: int) -> bytes:
    return value.to_bytes(4, "little")


def asset(mint: bytes) -> AssetId:
    return AssetId(f"{CHAIN}/token:{wire.key(mint)}")


class Tokens:
    """A mint of either program on a machine; ``extensions`` are instructions before its own.

    Instructions are those of spl-token's interface (``TokenInstruction``) and its extensions.
    """

    def __init__(self, vm: VirtualMachine, program: str, space: int = 82, *extensions: bytes):
        self.vm, self.program = vm, program
        make, self.mint = vm.create("mint", space, program)
        own = (self.mint, "w")
        before = [instruction(program, data, own) for data in extensions]
        init = instruction(program, bytes((20, 6)) + PAYER + b"\x01" + PAYER, own)
        vm.run(make, *before, init, signers=[keypair("mint")])

    def home(self, owner: bytes) -> bytes:
        """Make the associated account of an owner."""
        at = associated(owner, self.mint, self.program)
        program = base58_to_bytes(self.program)
        accounts = ((PAYER, "sw"), (at, "w"), (owner, ""), (self.mint, ""), (bytes(32), ""))
        self.vm.run(instruction(ASSOCIATED, b"\x00", *accounts, (program, "")))
        return at

    def another(self, name: str, owner: bytes) -> bytes:
        """Make an account that is not the associated one."""
        make, at = self.vm.create(name, 165, self.program)
        init = instruction(self.program, b"\x12" + owner, (at, "w"), (self.mint, ""))
        self.vm.run(make, init, signers=[keypair(name)])
        return at

    def give(self, to: bytes, amount: int) -> None:
        """Mint to an account."""
        accounts = ((self.mint, "w"), (to, "w"), (PAYER, "s"))
        self.vm.run(instruction(self.program, b"\x07" + u64(amount), *accounts))

    def move(self, source: bytes, to: bytes, name: str, amount: int) -> None:
        """Transfer, checked, as the owner of a name."""
        data = b"\x0c" + u64(amount) + b"\x06"
        accounts = ((source, "w"), (self.mint, ""), (to, "w"))
        signer = (bytes(keypair(name).pubkey()), "s")
        self.vm.run(instruction(self.program, data, *accounts, signer), signers=[keypair(name)])

    def freeze(self, account: bytes, *, thaw: bool = False) -> None:
        """Freeze or thaw an account."""
        data = b"\x0b" if thaw else b"\x0a"
        accounts = ((account, "w"), (self.mint, ""), (PAYER, "s"))
        self.vm.run(instruction(self.program, data, *accounts))

    def amount(self, account: bytes) -> int:
        """Return an account's amount as another reader (solders) sees it."""
        return int(RealTokenAccount.from_bytes(self.bytes_of(account)[:165]).amount)

    def bytes_of(self, account: bytes) -> bytes:
        """Return the bytes that the program wrote."""
        found = self.vm.held(account)
        assert found is not None
        return found.data


async def found(
    vm: VirtualMachine, slot: int, asset_id: AssetId, *accounts: bytes
) -> dict[bytes, object]:
    async with connected(vm) as adapter:
        return dict(await asked(adapter, await pinned(adapter, slot), accounts, asset_id))


def parts(answer: object) -> tuple[Part, ...]:
    assert isinstance(answer, Observation)
    return answer.parts


def pay(vm: VirtualMachine, to: bytes, lamports: int) -> Instruction:
    return transfer(
        TransferParams(
            from_pubkey=vm.payer.pubkey(), to_pubkey=Pubkey.from_bytes(to), lamports=lamports
        )
    )


async def test_lamports_are_those_of_the_machine():
    vm = VirtualMachine(SLOT)
    vm.run(pay(vm, ALICE, 2**43 + 1))
    vm.run(pay(vm, BOB, 10**9))
    answers = await found(vm, SLOT, AssetId(f"{CHAIN}/slip44:501"), ALICE, BOB, NOBODY, PAYER)
    assert {at: short(one) for at, one in answers.items()} == {
        ALICE: 2**43 + 1, BOB: 10**9, NOBODY: 0, PAYER: vm.lamports(PAYER),
    }  # fmt: skip


@pytest.mark.parametrize("program", [TOKEN, TOKEN_2022])
async def test_tokens_are_those_that_the_program_wrote(program):
    vm = VirtualMachine(SLOT)
    tokens = Tokens(vm, program)
    homes = {owner: tokens.home(owner) for owner in (ALICE, BOB, CAROL)}
    other = tokens.another("other", ALICE)
    tokens.give(homes[ALICE], 2**53 + 1)
    tokens.give(other, 5)
    tokens.give(homes[BOB], 70)
    tokens.move(homes[ALICE], homes[CAROL], "alice", 30)
    tokens.freeze(homes[BOB])
    answers = await found(vm, SLOT, asset(tokens.mint), ALICE, BOB, CAROL, NOBODY, other)
    assert {at: short(one) for at, one in answers.items()} == {
        ALICE: tokens.amount(homes[ALICE]) + tokens.amount(other),
        BOB: 70,
        CAROL: 30,
        NOBODY: 0,
        other: 5,
    }
    assert short(answers[ALICE]) == 2**53 + 1 - 30 + 5
    assert parts(answers[BOB]) == (Part(PartKind.LIQUID, 0), Part(PartKind.FROZEN, 70))


async def test_decimals_are_the_mints():
    vm = VirtualMachine(SLOT)
    tokens = Tokens(vm, TOKEN)
    async with connected(vm) as adapter:
        at = await pinned(adapter, SLOT)
        answers = await asked(adapter, at, (tokens.mint,), asset(tokens.mint), QueryKind.ASSET_FACT)
    answer = answers[tokens.mint]
    assert isinstance(answer, Observation)
    assert answer.facts == '{"decimals":6,"symbol":""}'


async def test_fees_withheld_by_the_program_are_not_the_holders():
    vm = VirtualMachine(SLOT)
    fee = b"\x1a\x00" + (b"\x01" + PAYER) * 2 + (100).to_bytes(2, "little") + u64(10**6)
    tokens = Tokens(vm, TOKEN_2022, 278, fee)
    alice, bob = tokens.home(ALICE), tokens.home(BOB)
    tokens.give(alice, 10_000)
    tokens.move(alice, bob, "alice", 5_000)
    answers = await found(vm, SLOT, asset(tokens.mint), ALICE, BOB)
    assert parts(answers[ALICE]) == (Part(PartKind.LIQUID, 5_000),)
    assert parts(answers[BOB]) == (
        Part(PartKind.LIQUID, tokens.amount(bob)),
        Part(PartKind.RESERVED, 50, counted=False),
    )
    assert tokens.amount(bob) == 4_950


async def test_accounts_that_are_frozen_from_birth_are_shown_as_frozen():
    vm = VirtualMachine(SLOT)
    tokens = Tokens(vm, TOKEN_2022, 171, b"\x1c\x00\x02")
    alice, bob = tokens.home(ALICE), tokens.home(BOB)
    with pytest.raises(RuntimeError, match="frozen"):
        tokens.give(alice, 7)
    for account in (alice, bob):
        tokens.freeze(account, thaw=True)
        tokens.give(account, 7)
    tokens.freeze(alice)
    answers = await found(vm, SLOT, asset(tokens.mint), ALICE, BOB)
    assert parts(answers[ALICE]) == (Part(PartKind.LIQUID, 0), Part(PartKind.FROZEN, 7))
    assert parts(answers[BOB]) == (Part(PartKind.LIQUID, 7),)


@pytest.mark.parametrize(
    ("space", "extension_of_mint"),
    [
        (222, b"\x21\x00" + PAYER + (10_000).to_bytes(2, "little")),
        (235, b"\x1b\x00" + PAYER + b"\x01" + bytes(32)),
    ],
)
async def test_interest_and_confidential_mints_leave_the_plain_amount_as_it_is(
    space, extension_of_mint
):
    """Interest only changes what wallets show; an account without a key hides nothing."""
    vm = VirtualMachine(SLOT)
    tokens = Tokens(vm, TOKEN_2022, space, extension_of_mint)
    alice = tokens.home(ALICE)
    tokens.give(alice, 1_000_000)
    vm.next_slot()
    answers = await found(vm, SLOT, asset(tokens.mint), ALICE)
    assert short(answers[ALICE]) == tokens.amount(alice) == 1_000_000


async def test_wrapped_coins_are_lamports_of_their_account_and_of_no_other():
    """Token account and coin mirror each other; only the coin is a configured asset."""
    vm = VirtualMachine(SLOT)
    wrapped = base58_to_bytes("So11111111111111111111111111111111111111112")
    mint = Mint(decimals=9, supply=0)  # stands on every cluster, but not in the machine
    token = Pubkey.from_string(TOKEN)
    vm.machine.set_account(Pubkey.from_bytes(wrapped), Account(10**9, mint.data(), token))
    account = associated(ALICE, wrapped, TOKEN)
    accounts = ((PAYER, "sw"), (account, "w"), (ALICE, ""), (wrapped, ""), (bytes(32), ""))
    make = instruction(ASSOCIATED, b"\x00", *accounts, (base58_to_bytes(TOKEN), ""))
    sync = instruction(TOKEN, b"\x11", (account, "w"))
    vm.run(make, pay(vm, account, 10**9), sync, pay(vm, ALICE, 10**6))
    answers = await found(vm, SLOT, AssetId(f"{CHAIN}/slip44:501"), ALICE, account)
    assert short(answers[ALICE]) == 10**6
    assert short(answers[account]) == vm.lamports(account) == 10**9 + 2_039_280
    held = vm.held(account)
    assert held is not None
    assert RealTokenAccount.from_bytes(held.data).amount == 10**9
    assert [one for one in load_world().assets if bytes_to_base58(wrapped) in one] == []


def delegated(vm: VirtualMachine) -> bytes:
    """Make a stake account of seven SOL, delegate it, and return it."""
    make, stake = vm.create("stake", 200, STAKE)
    init = instruction(STAKE, u32(0) + ALICE + BOB + bytes(48), (stake, "w"), (RENT, ""))
    vm.run(make, init, pay(vm, stake, 7 * 10**9), signers=[keypair("stake")])
    make, vote = vm.create("vote", 3762, VOTE)
    node = bytes(keypair("node").pubkey())
    data = u32(0) + node + ALICE + ALICE + b"\x05"
    init = instruction(VOTE, data, (vote, "w"), (RENT, ""), (CLOCK, ""), (node, "s"))
    vm.run(make, init, signers=[keypair("vote"), keypair("node")])
    told = ((stake, "w"), (vote, ""), (CLOCK, ""), (HISTORY, ""), (STAKE_CONFIG, ""), (ALICE, "s"))
    vm.run(instruction(STAKE, u32(2), *told), signers=[keypair("alice")])
    return stake


async def test_stake_is_split_as_the_stake_program_wrote_it():
    vm = VirtualMachine(SLOT)
    stake = delegated(vm)
    vm.run(pay(vm, stake, 11))
    native = AssetId(f"{CHAIN}/slip44:501")
    whole = await found(vm, SLOT, native, stake)
    assert parts(whole[stake]) == (
        Part(PartKind.STAKED, 7 * 10**9),
        Part(PartKind.RESERVED, 2_282_880),
        Part(PartKind.LIQUID, 11),
    )
    assert short(whole[stake]) == vm.lamports(stake)
    vm.run(
        instruction(STAKE, u32(5), (stake, "w"), (CLOCK, ""), (ALICE, "s")),
        signers=[keypair("alice")],
    )
    async with connected(vm, epoch_slots=10**12) as adapter:  # the machine is in epoch 0
        ending = await asked(adapter, await pinned(adapter, SLOT), (stake,))
    assert parts(ending[stake])[0] == Part(PartKind.UNBONDING, 7 * 10**9)


async def test_what_was_touched_since_is_rolled_back_to_the_machines_earlier_state():
    vm = VirtualMachine(SLOT - 10)
    tokens = Tokens(vm, TOKEN)
    alice, bob = tokens.home(ALICE), tokens.home(BOB)
    tokens.give(alice, 1000)
    vm.run(pay(vm, ALICE, 10**9), pay(vm, BOB, 10**9))
    while vm.finalized < SLOT:
        vm.next_slot()
    accounts = (ALICE, BOB, CAROL)
    then = {at: vm.lamports(at) for at in accounts}
    vm.next_slot()
    vm.run(pay(vm, ALICE, 5))
    tokens.move(alice, bob, "alice", 400)
    vm.next_slot()
    tokens.move(alice, bob, "alice", 1)
    native = await found(vm, SLOT, AssetId(f"{CHAIN}/slip44:501"), *accounts)
    held = await found(vm, SLOT, asset(tokens.mint), *accounts)
    assert {at: short(one) for at, one in native.items()} == then
    assert {at: short(one) for at, one in held.items()} == {ALICE: 1000, BOB: 0, CAROL: 0}
    assert (tokens.amount(alice), tokens.amount(bob)) == (599, 401)
    methods = {one.method for one in native.values() if isinstance(one, Observation)}
    assert methods == {Method.ROLLED_BACK, Method.UNTOUCHED}


def plain(tokens: Tokens) -> bytes:
    account = tokens.home(ALICE)
    tokens.give(account, 2**63)
    return account


def frozen(tokens: Tokens) -> bytes:
    account = plain(tokens)
    tokens.freeze(account)
    return account


@pytest.mark.parametrize(("make", "state"), [(plain, 1), (frozen, 2)])
@pytest.mark.parametrize(("program", "extensions"), [(TOKEN, b""), (TOKEN_2022, extension(7, b""))])
def test_simulated_token_accounts_are_byte_for_byte_those_of_the_program(
    make: Callable[[Tokens], bytes], state: int, program: str, extensions: bytes
):
    tokens = Tokens(VirtualMachine(SLOT), program)
    account = make(tokens)
    ours = TokenAccount(tokens.mint, ALICE, 2**63, state=state, extensions=extensions)
    assert tokens.bytes_of(account) == ours.data()


def test_a_simulated_account_with_withheld_fees_is_that_of_the_program():
    fee = b"\x1a\x00" + (b"\x01" + PAYER) * 2 + (100).to_bytes(2, "little") + u64(10**6)
    tokens = Tokens(VirtualMachine(SLOT), TOKEN_2022, 278, fee)
    alice, bob = tokens.home(ALICE), tokens.home(BOB)
    tokens.give(alice, 10_000)
    tokens.move(alice, bob, "alice", 5_000)
    withheld = extension(7, b"") + extension(2, u64(50))
    assert tokens.bytes_of(bob) == TokenAccount(tokens.mint, BOB, 4_950, extensions=withheld).data()


@pytest.mark.parametrize("program", [TOKEN, TOKEN_2022])
def test_a_simulated_mint_is_that_of_the_program_but_for_its_authorities(program):
    tokens = Tokens(VirtualMachine(SLOT), program)
    tokens.give(tokens.home(ALICE), 2**63)
    theirs, ours = tokens.bytes_of(tokens.mint), Mint(program=program, supply=2**63).data()
    assert len(theirs) == len(ours)
    assert theirs[36:46] == ours[36:46]
    assert RealMint.from_bytes(theirs).supply == 2**63


def test_a_simulated_stake_account_is_that_of_the_program_but_for_voter_and_rate():
    vm = VirtualMachine(SLOT)
    found_stake = vm.held(delegated(vm))
    assert found_stake is not None
    theirs = bytearray(found_stake.data)
    theirs[12:44] = bytes(32)  # the staker
    theirs[124:156] = bytes(32)  # the validator's vote account
    theirs[180:196] = bytes(16)  # warm-up rate and credits
    assert bytes(theirs) == stake_account(BOB, 7 * 10**9)


def test_our_derivation_of_associated_accounts_is_the_programs():
    """The program refuses to make any other address."""
    vm = VirtualMachine(SLOT)
    tokens = Tokens(vm, TOKEN)
    at = tokens.home(NOBODY)
    account = layouts.token_account(wire.Held(1, TOKEN, 165, tokens.bytes_of(at)))
    assert account is not None
    assert (account.owner, account.mint) == (bytes_to_base58(NOBODY), bytes_to_base58(tokens.mint))
