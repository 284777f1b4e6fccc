"""TON: nanotons and jettons as a masterchain block left them, over a toncenter API (version 2).

Heights are masterchain sequence numbers; a masterchain block fixes the state of every shard. The
protocol of lite servers (ADNL) is not spoken: a toncenter server in front of them is, one's own or
a provider's. It checks the lite server's proofs, but it does not hand them on, so what it says is
believed as it stands. Its version 3 knows the newest state only and is not asked.

Every answer names its block: root and file hash must be the pinned one's. The server writes 0
where a lite server sends no account, so an account that was never there and one whose state is
missing look alike; each group asks for a canary in the same workchain. Errors of lite servers
come with status 500 and are asked again, since another one behind the server may hold the
state; what stays missing is the gap ``state-pruned``: an archive behind the server would answer.

Jettons take three questions for an account (``jettons``). Their symbols and decimals are read from
the master's description on the chain; where it only names a document elsewhere, the balance is
the gap ``asset-unconfirmed``.

Stake in the nominator pools that ``nominator_pools`` names is added to what a nominator holds
(``pools``); such a pool itself is the gap ``shared-account``, lest its coins count twice. Not seen:
other stake and its rewards (single nominators, the elector's own books, tsTON and other liquid
stake, which are jettons), contracts that hold coins for somebody (vesting, multisig, exchanges),
extra currencies, debts for storage, and whether a jetton's issuer has locked a wallet. Whose key a
wallet obeys is read from its code and data (``control``); most addresses of wallets derive from the
key, and nothing has to be asked.

``spec.params``: ``zero_state_root`` and ``zero_state_file`` (required, base64: the two hashes of
the state before the first block); ``canaries`` (addresses that hold nanotons at every height of
interest, one in workchain 0 at best; the elector is always asked); ``nominator_pools`` (addresses;
none unless given). The chain's reference is the network's number. The endpoint's URL ends in
``/api/v2``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar
from urllib.parse import unquote

from chains.accounts import AccountAdapter, Held, Read
from chains.adapter import Capabilities, Transport
from chains.adapters.tvm import control, jettons, pinning, pools, wire
from chains.addresses import AddressError
from chains.addresses.ton import decode as decode_address
from chains.errors import ConfigError
from chains.model import (
    ChainSpec,
    Exchange,
    Gap,
    Method,
    Part,
    PartKind,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)
from chains.pinning import View

NAMESPACE = "jetton"
ELECTOR = b"\xff" + b"\x33" * 32
"""Holds the validators' stakes. Spec: https://docs.ton.org/v3/documentation/smart-contracts/contracts-specs/governance"""
MOST_TRIES = 3
"""How often a question is sent to a server whose lite servers fail."""

Own = Mapping[Request, Exchange]


class Adapter(AccountAdapter):
    """Reads nanotons and base units of jettons at a masterchain block."""

    capabilities: ClassVar[Capabilities] = Capabilities(
        history="flagged",
        assets=("slip44", NAMESPACE),
        methods=(Method.STATE,),
        zero_rule=(
            "A zero counts if its answer names the pinned block by both hashes and, in the same "
            "group, an account that is never empty (the elector, or a configured one, of the same "
            "workchain where there is one) has the balance that it had at the pin; for a jetton "
            "its supply must also be there, and a wallet that does not answer must be shown as "
            "not deployed."
        ),
        batch=1,
        shard=2048,
        requests_each="17/16",
        requests_a_batch=0,
        pinning=4,
        control=(control.KEY,),
        answering=(500,),
    )
    group: ClassVar[int] = 16
    window: ClassVar[int] = 4

    def __init__(self, spec: ChainSpec, transport: Transport) -> None:
        super().__init__(spec, transport)
        self._network = pinning.network(spec)
        self._canaries = tuple(dict.fromkeys((*_addresses(spec, "canaries"), ELECTOR)))
        self._pools = tuple(dict.fromkeys(_addresses(spec, "nominator_pools")))

    def pin_requests(self, height: int) -> Sequence[Request]:
        """Ask for the network, its newest block, this block, and the canaries in it."""
        return pinning.requests(height, self._canaries)

    def view(self, height: int, endpoint: str, own: Own) -> View:
        """Read what one endpoint showed; raises ``WrongChain``. Pure."""
        return pinning.view(self._network, height, endpoint, own, self._canaries)

    def head_requests(self) -> Sequence[Request]:
        """Ask for the newest masterchain block."""
        return (wire.info(),)

    def read_head(self, exchanges: Sequence[Exchange]) -> int | Gap:
        """Read the newest masterchain block. Pure."""
        return pinning.read_head(exchanges[0])

    def refusal(self, questions: Questions) -> Gap | None:
        """Refuse assets that are neither nanotons nor a jetton."""
        kind, asset = questions.kind, questions.asset
        if kind is QueryKind.CONTROL or (kind is QueryKind.BALANCE and asset == self.spec.native):
            return None
        if kind not in (QueryKind.BALANCE, QueryKind.ASSET_FACT):
            return super().refusal(questions)
        if _master(questions) is None:
            return Gap("asset-unsupported", detail=f"{asset} is not read")
        return None

    async def together(self, requests: Sequence[Request], endpoint: str) -> list[Exchange]:
        """Send several requests at once, and again what only a lite server failed to answer."""
        found = await super().together(requests, endpoint)
        for _ in range(MOST_TRIES - 1):
            again = [i for i, exchange in enumerate(found) if wire.may_pass(exchange)]
            if not again:
                break
            tried = await super().together([requests[i] for i in again], endpoint)
            for i, exchange in zip(again, tried, strict=True):
                found[i] = exchange
        return found

    async def ask(
        self, questions: Questions, at: Snapshot, accounts: Sequence[bytes]
    ) -> list[Exchange]:
        """Ask for a canary, then for the rest of the group at the endpoint that answered."""
        block = pinning.block_at(at)
        if block is None:
            return [await self.transport.exchange_any(wire.info(), at.endpoints)]
        first, *others = (wire.state(one, at.height) for one in _canaries(at, accounts))
        shown = await self.transport.exchange_any(first, at.endpoints)
        if wire.may_pass(shown):
            (shown,) = await self.together([first], shown.endpoint)
        if shown.failure:
            return [shown]
        master = _master(questions)
        if master is None:
            requests = [*others, *(wire.state(one, at.height) for one in accounts)]
            if questions.kind is QueryKind.BALANCE:
                requests += pools.requests(self._pools, at.height)
            return [shown, *await self.together(requests, shown.endpoint)]
        is_fact = questions.kind is QueryKind.ASSET_FACT
        owners = () if is_fact else accounts
        requests = [*others, jettons.data(master, at.height)]
        return [shown, *await self._ask_jetton(requests, master, owners, block, shown.endpoint)]

    async def _ask_jetton(
        self,
        requests: Sequence[Request],
        master: bytes,
        owners: Sequence[bytes],
        block: wire.Block,
        endpoint: str,
    ) -> list[Exchange]:
        """Ask the master for wallets, the wallets for balances, then who did not answer."""
        wanted = [jettons.wallet_of(master, owner, block.seqno) for owner in owners]
        found = await self.together([*requests, *wanted], endpoint)
        own = _by_request(found)
        named = (jettons.wallet(own, master, owner, block) for owner in owners)
        wallets = list(dict.fromkeys(one for one in named if isinstance(one, bytes)))
        asked = {wallet: jettons.wallet_data(wallet, block.seqno) for wallet in wallets}
        found += await self.together(list(asked.values()), endpoint)
        own = _by_request(found)
        asked[master] = jettons.data(master, block.seqno)
        silent = [
            request
            for contract, call in asked.items()
            for request in jettons.failed(own, contract, call, block)
        ]
        return found + await self.together(silent, endpoint)

    def read(
        self,
        questions: Questions,
        at: Snapshot,
        accounts: Sequence[bytes],
        exchanges: Sequence[Exchange],
    ) -> Sequence[Read]:
        """Read a group; if a canary is misreported nothing of it counts. Pure."""
        block = pinning.block_at(at)
        if block is None:
            said = wire.read(exchanges[0], at.height)
            gap = said if isinstance(said, Gap) else Gap("no-usable-endpoint")
            return [gap] * len(accounts)
        own = _by_request(exchanges)
        gaps = (_misreported(own, at, block, one) for one in _canaries(at, accounts))
        wrong = next((gap for gap in gaps if gap is not None), None)
        if wrong is not None:
            return [wrong] * len(accounts)
        if questions.kind is QueryKind.CONTROL:
            return [_control(own, block, account) for account in accounts]
        master = _master(questions)
        if master is None:
            stakes = pools.stakes(own, self._pools, block)
            return [
                pools.SHARED if account in self._pools else _coins(own, block, account, stakes)
                for account in accounts
            ]
        if questions.kind is QueryKind.ASSET_FACT:
            return [jettons.fact(own, master, block)] * len(accounts)
        doubt = _doubt(own, master, block)
        held = [jettons.held(own, master, account, block) for account in accounts]
        return [
            doubt if doubt is not None and isinstance(one, Held) and not one.units else one
            for one in held
        ]


def _coins(own: Own, block: wire.Block, account: bytes, stakes: pools.Stakes | Gap) -> Held | Gap:
    """Read an account's nanotons and stake; what a frozen or suspended account has is frozen."""
    found = wire.account(own.get(wire.state(account, block.seqno)), block)
    if isinstance(found, Gap):
        return found
    if isinstance(stakes, Gap):
        return stakes
    is_frozen = found.is_suspended or found.state == wire.FROZEN
    kind = PartKind.FROZEN if is_frozen else PartKind.LIQUID
    return Held((Part(kind, found.balance), *stakes.get(account, ())))


def _control(own: Own, block: wire.Block, account: bytes) -> Read:
    """Read whose key an account obeys."""
    found = wire.account(own.get(wire.state(account, block.seqno)), block)
    return found if isinstance(found, Gap) else control.read(found)


def _misreported(own: Own, at: Snapshot, block: wire.Block, canary: bytes) -> Gap | None:
    """Return why a canary's answer is not what it was at the pin, if it is not."""
    found = wire.account(own.get(wire.state(canary, block.seqno)), block)
    if isinstance(found, Gap):
        return found
    is_same = str(found.balance) == at.detail[pinning.canary_key(canary)]
    return None if is_same else Gap("canary-wrong", detail=canary.hex())


def _doubt(own: Own, master: bytes, block: wire.Block) -> Gap | None:
    """Return why zeros of a jetton are not believed, if they are not."""
    supply = jettons.supply(own, master, block)
    if isinstance(supply, Gap):
        return supply
    return None if supply else Gap("zero-without-canary", detail="the jetton shows no supply")


def _canaries(at: Snapshot, accounts: Sequence[bytes]) -> list[bytes]:
    """Return a canary for each workchain of the accounts; another's where it has none."""
    known = [bytes.fromhex(one) for one in at.canaries]
    chosen = [
        next((one for one in known if one[:1] == account[:1]), known[0]) for account in accounts
    ]
    return list(dict.fromkeys(chosen))


def _master(questions: Questions) -> bytes | None:
    """Return the master contract of a jetton, ``None`` for anything else."""
    kind, _, reference = questions.asset.partition("/")[2].partition(":")
    try:
        return decode_address(unquote(reference), {}) if kind == NAMESPACE else None
    except AddressError:
        return None


def _by_request(exchanges: Sequence[Exchange]) -> dict[Request, Exchange]:
    return {exchange.request: exchange for exchange in exchanges}


def _addresses(spec: ChainSpec, name: str) -> tuple[bytes, ...]:
    """Return the addresses of a parameter; raises ``ConfigError``."""
    try:
        return tuple(decode_address(text, {}) for text in spec.params.get(name, ()))
    except (AddressError, TypeError):
        raise ConfigError(f"chain {spec.id}: params.{name} are addresses") from None
