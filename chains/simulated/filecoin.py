"""A Lotus node: tipsets with null rounds, and actors in the parent state of a tipset.

Knobs: ``head`` and ``final`` (``None``: the method is not offered), ``null_rounds``,
``forgets_everything`` (no actor is in the state), ``hides_all_but`` (addresses that still are),
``answers_head`` (the state of the head, whatever tipset was asked), ``as_forest`` (null for an
absent actor), ``lookback`` (a gateway's limit, in epochs), ``unlinked`` (the tipset above does not
follow), ``names_another_block``, ``lacks`` (methods that are not offered). Names, types and error
texts as in filecoin-project/lotus documentation/en/api-methods-v1-stable.md,
chain/state/statetree.go and go-jsonrpc's server.
"""

from __future__ import annotations

from base64 import b32encode
from collections.abc import Callable, Collection, Mapping
from hashlib import blake2b
from typing import Any

import msgspec
from aiohttp import web

from chains.addresses import filecoin
from chains.simulated.node import Faults, SimulatedNode, json_response

START = 1_598_306_400
EPOCH_S = 30
REWARDS = "f02"
MOST_BLOCKS = 5


class SimulatedActor(msgspec.Struct, kw_only=True):
    """An actor of the ledger; amounts in attoFIL. The last four are a miner's.

    ``owner`` is a miner's, ``signers`` and ``threshold`` a multisig's, ``key`` an account's.
    ``later`` maps epochs to the balance after their messages; before the first it is ``balance``.
    """

    balance: int
    kind: str = "account"
    delegated: str = ""
    available: int = 0
    escrow: int = 0
    locked: int = 0
    pledge: int = 0
    deposits: int = 0
    vesting: int = 0
    debt: int = 0
    later: Mapping[int, int] = {}
    key: str = ""
    owner: str = ""
    signers: tuple[str, ...] = ()
    threshold: int = 1

    def before(self, epoch: int) -> int:
        """Return the balance before the messages of an epoch."""
        changes = [one for one in self.later if one < epoch]
        return self.later[max(changes)] if changes else self.balance


class LotusError(Exception):
    """An error by which the API answers; ``code`` 1 unless it has one of its own."""

    def __init__(self, text: str, code: int = 1, status: int = 200) -> None:
        super().__init__(text)
        self.error = {"code": code, "message": text}
        self.status = status


def cid_of(text: str, codec: int = 0x71) -> str:
    """Return a CID (version 1, BLAKE2b with 32 bytes) of made-up content."""
    digest = blake2b(text.encode(), digest_size=32).digest()
    raw = bytes((1, codec)) + bytes.fromhex("a0e40220") + digest
    return "b" + b32encode(raw).decode().rstrip("=").lower()


def code_of(kind: str) -> str:
    """Return the code of a kind of actor."""
    return cid_of(f"code {kind}", 0x55)


class SimulatedLotus(SimulatedNode):
    """A node whose knobs are plain attributes; ``actors`` by f0 address, ``names`` lead to them."""

    def __init__(
        self,
        height: int,
        actors: Mapping[str, SimulatedActor],
        *,
        names: Mapping[str, str] | None = None,
        null_rounds: Collection[int] = (),
        seed: str = "lotus",
        faults: Faults | None = None,
    ) -> None:
        super().__init__(faults)
        self.actors = dict(actors)
        self.names = dict(names or {})
        self.null_rounds = frozenset(null_rounds)
        self.seed = seed
        self.head = height + 1000
        self.final: int | None = height + 100
        self.lookback: int | None = None
        self.forgets_everything = False
        self.hides_all_but: Collection[str] | None = None
        self.answers_head = False
        self.as_forest = False
        self.unlinked = False
        self.names_another_block = False
        self.lacks: Collection[str] = ()

    @property
    def genesis(self) -> str:
        """The CID of the genesis block."""
        return cid_of(f"{self.seed} 0")

    async def answer(self, request: web.Request, body: bytes) -> web.StreamResponse:
        """Answer one call."""
        del request
        call = msgspec.json.decode(body)
        said: dict[str, Any] = {"jsonrpc": "2.0", "id": call["id"]}
        try:
            result = self._called(call["method"].removeprefix("Filecoin."), call["params"])
        except LotusError as error:
            return json_response(said | {"error": error.error}, error.status)
        return json_response(said | {"result": result})

    def _called(self, method: str, params: list[Any]) -> Any:
        if method in self.lacks:
            raise LotusError(f"method 'Filecoin.{method}' not found", -32601, 500)
        if method == "ChainGetGenesis":
            return {"Cids": [{"/": self.genesis}], "Blocks": [], "Height": 0}
        if method == "ChainHead":
            return self._tipset(self._at_or_below(self.head))
        if method == "ChainGetFinalizedTipSet" and self.final is not None:
            return self._tipset(self._at_or_below(self.final))
        if method in ("ChainGetTipSetByHeight", "ChainGetTipSetAfterHeight"):
            return self._asked_tipset(params[0], above=method.endswith("AfterHeight"))
        methods: dict[str, Callable[[str, int], Any]] = {
            "StateGetActor": self._actor,
            "StateLookupID": self._number,
            "StateMarketBalance": self._market,
            "StateMinerAvailableBalance": lambda text, _: self._available(text, "miner"),
            "MsigGetAvailableBalance": lambda text, _: self._available(text, "multisig"),
            "StateReadState": self._state,
            "StateAccountKey": self._key,
            "StateMinerInfo": self._miner,
        }
        if method not in methods:
            raise LotusError(f"method 'Filecoin.{method}' not found", -32601, 500)
        return methods[method](params[0], self._height_of(params[1]))

    def _at_or_below(self, height: int) -> int:
        while height in self.null_rounds:
            height -= 1
        return height

    def _asked_tipset(self, height: int, *, above: bool) -> Any:
        if height > self.head:
            raise LotusError(
                "looking for tipset with height greater than start point, "
                f"req: {height}, head: {self.head}"
            )
        if self.lookback is not None and height < self.head - self.lookback:
            raise LotusError("lookbacks of more than 24h0m0s are disallowed")
        while above and height in self.null_rounds:
            height += 1
        return self._tipset(self._at_or_below(height))

    def _cids(self, height: int) -> list[dict[str, str]]:
        if height == 0:
            return [{"/": self.genesis}]
        salt = "another" if self.names_another_block else self.seed
        blocks = 1 + height % MOST_BLOCKS
        return [{"/": cid_of(f"{salt} {height} {i}")} for i in range(blocks)]

    def _tipset(self, height: int) -> dict[str, Any]:
        cids = self._cids(height)
        header = {
            "Miner": "f01938223",
            "Parents": self._cids(self._at_or_below(height - (2 if self.unlinked else 1))),
            "ParentWeight": "116013147118",
            "Height": height,
            "ParentStateRoot": {"/": cid_of(f"{self.seed} state {height}")},
            "Timestamp": START + height * EPOCH_S,
            "ForkSignaling": 0,
            "ParentBaseFee": "100",
        }
        return {"Cids": cids, "Blocks": [header for _ in cids], "Height": height}

    def _height_of(self, key: list[dict[str, str]]) -> int:
        if self.answers_head:
            return self.head
        near = range(max(0, self.head - 1100), self.head + 1)
        found = next((one for one in near if self._cids(one) == key), None)
        if found is None:
            raise LotusError(f"loading tipset {key}: block not found")
        return found

    def _found(self, text: str) -> tuple[str, SimulatedActor]:
        """Return number and actor of an address; raises ``LotusError``."""
        number = self.names.get(text, text)
        shown = text in (self.hides_all_but or ())
        hidden = self.forgets_everything or (self.hides_all_but is not None and not shown)
        if number == REWARDS and not hidden:
            return number, SimulatedActor(balance=0, kind="reward")
        if number not in self.actors or hidden:
            named = text[1] != str(filecoin.ID)
            prefix = f"resolution lookup failed ({text}): resolve address {text}: " if named else ""
            raise LotusError(f"{prefix}actor not found")
        return number, self.actors[number]

    def _actor(self, text: str, height: int) -> Any:
        try:
            number, actor = self._found(text)
        except LotusError:
            if self.as_forest:
                return None
            raise
        paid = 10**26 - height * 10**19  # every tipset pays its blocks
        balance = paid if number == REWARDS else actor.before(height)
        said = {
            "Code": {"/": code_of(actor.kind)},
            "Head": {"/": cid_of(f"head {number}")},
            "Nonce": 1,
            "Balance": str(balance),
        }
        return said | ({"DelegatedAddress": actor.delegated} if actor.delegated else {})

    def _number(self, text: str, _: int) -> str:
        if self.names.get(text) is None and text[1] != str(filecoin.ID):
            raise LotusError("actor not found", 11)
        return self._found(text)[0]

    def _market(self, text: str, _: int) -> dict[str, str]:
        actor = self._found(text)[1]
        return {"Escrow": str(actor.escrow), "Locked": str(actor.locked)}

    def _state(self, text: str, height: int) -> dict[str, Any]:
        """Show an actor's state; of most kinds without what is in it."""
        actor, said = self._found(text)[1], self._actor(text, height)
        amounts = {
            "InitialPledge": actor.pledge,
            "PreCommitDeposits": actor.deposits,
            "LockedFunds": actor.vesting,
            "FeeDebt": actor.debt,
        }
        states: dict[str, dict[str, Any]] = {
            "miner": {name: str(units) for name, units in amounts.items()},
            "multisig": {
                "Signers": list(actor.signers),
                "NumApprovalsThreshold": actor.threshold,
            },
        }
        own = states.get(actor.kind, {})
        return {"Balance": said["Balance"], "Code": said["Code"], "State": own}

    def _key(self, text: str, _: int) -> str:
        if text[1] in "134":
            return text
        actor = self._of_kind(self._found(text)[1], "account", text)
        return actor.delegated or actor.key

    def _miner(self, text: str, _: int) -> dict[str, Any]:
        actor = self._of_kind(self._found(text)[1], "miner", text)
        return {"Owner": actor.owner, "Worker": "f0999", "Beneficiary": actor.owner}

    def _of_kind(self, actor: SimulatedActor, kind: str, text: str) -> SimulatedActor:
        if actor.kind == kind or (kind == "account" and actor.delegated):
            return actor
        named = "storageminer" if actor.kind == "miner" else actor.kind
        state = f"failed to get account actor state for {text}: "
        prefix = state if kind == "account" else f"failed to load {kind} actor state: "
        raise LotusError(f"{prefix}actor code is not {kind}: {named}")

    def _available(self, text: str, kind: str) -> str:
        return str(self._of_kind(self._found(text)[1], kind, text).available)
