"""Who controls an actor: the key of an account, the signers of a multisig, the owner of a miner.

Owners and signers are actors too, so they are looked into in turn, a few levels deep. Keys are
named by their f1 or f3 address. An actor that obeys an Ethereum key (f410) is not told by its key
here: the same key has an f1 address as well, and who signed is named by that, so nobody is denied
by such an actor. Of a miner the owner counts, who may withdraw; workers, control addresses and a
beneficiary do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from chains.adapters.filecoin import wire
from chains.addresses import filecoin
from chains.control import Authority, ControlFacts
from chains.model import Exchange, Gap, Request

KEY, SIGNERS, OWNER = "account-key", "multisig-signers", "miner-owner"
KINDS = (KEY, SIGNERS, OWNER)
DEPTH = 3
"""Levels of actors: a miner, the multisig that owns it, its signers."""
MOST_ASKED = 1024
"""Actors that are asked about on one level, for a group of accounts; the rest is not answered."""

Own = Mapping[Request, Exchange]


class Asked:
    """What one endpoint showed about actors in the parent state of a tipset."""

    def __init__(self, own: Own, tipset: Sequence[str], network: str) -> None:
        self._own, self._tipset, self._network = own, tipset, network

    def requests(self, text: str) -> list[Request]:
        """Ask an actor for its key, its owner and its state: one of them says who controls it."""
        methods = ("StateAccountKey", "StateMinerInfo", "StateReadState")
        return [wire.by_address(method, text, self._tipset) for method in methods]

    def members(self, text: str) -> list[str]:
        """Return owner or signers of an actor, as far as they were shown."""
        shown = self._shown(text)
        if isinstance(shown, Gap) or shown[0] == KEY:
            return []
        return [self._name(one) for one in shown[2]]

    def facts(self, text: str) -> ControlFacts | Gap:
        """Read who controls an actor that exists. Pure."""
        ways = self._ways(text, DEPTH)
        return ways if isinstance(ways, Gap) else ControlFacts(exists=True, ways=ways)

    def _shown(self, text: str) -> tuple[str, int, tuple[bytes, ...]] | Gap:
        """Return kind, threshold and who is in control of an actor; nobody where it is another."""
        key, owner, state = (self._own.get(one) for one in self.requests(text))
        account = wire.read_key(wire.present(key), self._network)
        if account is not None:
            return account if isinstance(account, Gap) else (KEY, 1, (account,))
        named = wire.read_owner(wire.present(owner), self._network)
        if named is not None:
            return named if isinstance(named, Gap) else (OWNER, 1, (named,))
        shared = wire.read_signers(wire.present(state), self._network)
        if shared is None or isinstance(shared, Gap):
            return shared or (SIGNERS, 0, ())
        return SIGNERS, *shared

    def _ways(self, text: str, depth: int) -> tuple[Authority, ...] | Gap:
        shown = self._shown(text)
        if isinstance(shown, Gap):
            return shown
        kind, threshold, accounts = shown
        if kind == KEY:
            is_key = accounts[0][0] in (filecoin.SECP256K1, filecoin.BLS)
            names = {self._name(one): 1 for one in accounts if is_key}
            return (Authority(kind=KEY, threshold=1, weights=names),) if names else ()
        return self._authority(kind, threshold, accounts, depth) if accounts else ()

    def _authority(
        self, kind: str, threshold: int, accounts: Sequence[bytes], depth: int
    ) -> tuple[Authority, ...] | Gap:
        weights: dict[str, int] = {}
        nested: dict[str, tuple[Authority, ...]] = {}
        is_open = False
        for name in map(self._name, accounts):
            inner = self._ways(name, depth - 1) if depth > 1 else ()
            if isinstance(inner, Gap):
                return inner
            if inner and inner[0].kind == KEY:
                weights |= inner[0].weights
                continue
            weights[name] = 1
            nested[name] = inner
            is_open |= not inner
        way = Authority(
            kind=kind, threshold=threshold, weights=weights, nested=nested, digest=is_open
        )
        return (way,)

    def _name(self, account: bytes) -> str:
        return filecoin.encode(account, {"network": self._network})
