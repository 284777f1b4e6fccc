"""Balances from an Electrum server: those of the tip, taken back to the pinned height.

A group of scripts is asked three things of one server. First its tip (kept until it moves).
Then the balances. Then the histories, together with the headers at the pinned height, at the tip
and above it: the tip is still there and nothing is above it, so that balances and histories are
of that one block. A script without a transaction above the height had its balance then
(``untouched``). For the others the transactions above the height are fetched, and those before
them whose coins they spend: what was paid is taken off, what was spent is put back.

A zero is believed because the same answers hold what must be in them: the reward of the tip,
which nobody can spend yet, in its script's balance; and in a history a transaction of the pinned
block, which was seen there when it was pinned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from chains import workings
from chains.adapter import Transport
from chains.adapters.bip122 import electrum
from chains.adapters.bip122.electrum import HEADER, Entry, Paid, Said, Tip
from chains.adapters.bip122.params import Params
from chains.adapters.bip122.transactions import Moves
from chains.model import Exchange, Extract, Gap, Request, Snapshot
from chains.workings import Clock, Movement, Rule, Working

GROUP = 50
"""Scripts per request, where the endpoint declares no ``batch``."""
MOST_ABOVE = 500
"""Transactions above the height that are taken back for one script."""
TRIES = 3
"""So often a group is asked while new blocks arrive."""
UNTOUCHED, ROLLED = "bip122-electrum-untouched/1", "bip122-electrum-rolled/1"
"""Names of the rules by which ``read`` reads an extract."""
PAID = "electrum_paid"
"""Key of ``Snapshot.detail``, with the endpoint behind it: ``txid:script`` of the pinned block."""


def paid_of(at: Snapshot, endpoint: str) -> Paid | None:
    """Return what the pinned block paid, where ``endpoint`` is a server that showed it."""
    text = at.detail.get(f"{PAID}@{endpoint}")
    if text is None:
        return None
    txid, _, script = text.partition(":")
    return Paid(txid, bytes.fromhex(script))


class _Read(msgspec.Struct, frozen=True):
    """What a group's answers say, all of one tip."""

    tip: Tip
    balances: Mapping[bytes, int | Gap]
    histories: Mapping[bytes, list[Entry] | Gap]


class Asker:
    """Asks one server. Keeps its tip between groups."""

    def __init__(self, params: Params, transport: Transport, endpoint: str) -> None:
        self._params, self._transport, self._endpoint = params, transport, endpoint
        self._tip: list[Exchange] = []
        self._one = asyncio.Lock()

    async def pin(self, height: int) -> tuple[Exchange, ...]:
        """Ask for the pinned moment."""
        anchors = self._params.anchors(height)
        shown = [await self._ask(electrum.moment_request(anchors, height))]
        txids = electrum.placed_txids(self._params, Said(shown), height)
        shown += [await self._ask(one) for one in electrum.transactions_requests(txids)]
        found = electrum.candidates(self._params, Said(shown), height)
        for paid in found:
            shown.append(await self._ask(electrum.histories_request([paid.script])))
        return tuple(shown)

    async def extract(
        self, positions: range, scripts: Sequence[bytes], at: Snapshot
    ) -> list[Extract]:
        """Return what answers these scripts: the untouched ones, and those to be taken back."""
        shown: list[Exchange] = []
        read: _Read | Gap = Gap("not-answered")
        for _ in range(TRIES):
            shown = await self._group(scripts, at)
            read = read_group(self._params, shown, scripts, at)
            if not isinstance(read, Gap) or read.reason != "wrong-block":
                break
            self._tip = []
        if isinstance(read, Gap):
            return [Extract(positions=positions, decoder=UNTOUCHED, exchanges=tuple(shown))]
        above = {script: _above(read, script, at.height) for script in scripts}
        moving = [i for i, script in enumerate(scripts) if above[script]]
        resting = [i for i, script in enumerate(scripts) if not above[script]]
        fetched = await self._transactions(read, [scripts[i] for i in moving], at)
        found = []
        for decoder, places, more in ((UNTOUCHED, resting, []), (ROLLED, moving, fetched)):
            if places:
                own = [positions[i] for i in places]
                exchanges = (*shown, *more)
                found.append(Extract(positions=own, decoder=decoder, exchanges=exchanges))
        return found

    async def _ask(self, request: Request) -> Exchange:
        return await self._transport.exchange(request, self._endpoint)

    async def _group(self, scripts: Sequence[bytes], at: Snapshot) -> list[Exchange]:
        async with self._one:
            if not self._tip:
                self._tip = await self._newest()
            shown = list(self._tip)
        tip = electrum.read_tip(self._params, shown)
        paid = paid_of(at, self._endpoint)
        if isinstance(tip, Gap) or paid is None:
            self._tip = []
            return shown
        shown.append(
            await self._ask(electrum.balances_request(self._params, [*scripts, tip.reward.script]))
        )
        shown.append(await self._ask(_histories(at.height, tip, [*scripts, paid.script])))
        said = Said(shown[-1:])
        for script in scripts:
            answer = electrum.read_history(said, script)
            if isinstance(answer, Gap) and answer.reason == "too-much-history":
                shown.append(await self._ask(_histories(at.height, tip, [script, paid.script])))
        return shown

    async def _newest(self) -> list[Exchange]:
        shown = [await self._ask(electrum.lines([(electrum.TIP, ())]))]
        tip = Said(shown).read(dict[str, object], electrum.TIP)
        height = None if isinstance(tip, Gap) else tip.get("height")
        if not isinstance(height, int):
            return shown
        place = electrum.lines([(electrum.PLACE, (height, 0, True))])
        shown.append(await self._ask(place))
        reward = Said(shown).read(dict[str, object], electrum.PLACE, height, 0, True)
        txid = None if isinstance(reward, Gap) else reward.get("tx_hash")
        if isinstance(txid, str):
            shown += [await self._ask(one) for one in electrum.transactions_requests([txid])]
        return shown

    async def _transactions(
        self, read: _Read, scripts: Iterable[bytes], at: Snapshot
    ) -> list[Exchange]:
        """Fetch what moved the scripts above the height, then what those transactions spend."""
        few = [one for one in scripts if len(_above(read, one, at.height)) <= MOST_ABOVE]
        above = {entry.tx_hash for one in few for entry in _above(read, one, at.height)}
        shown = [await self._ask(one) for one in electrum.transactions_requests(sorted(above))]
        moved = _moves(self._params, shown)
        spent: set[str] = set()
        for script in few:
            known = {entry.tx_hash for entry in _history(read, script)}
            for entry in _above(read, script, at.height):
                moves = moved.get(entry.tx_hash)
                if isinstance(moves, Moves):
                    spent |= {txid for txid, _ in moves.spends} & known
        wanted = electrum.transactions_requests(sorted(spent - above))
        return shown + [await self._ask(one) for one in wanted]


def read(
    params: Params, extract: Extract, scripts: Sequence[bytes], at: Snapshot
) -> list[int | Gap]:
    """Return satoshi at the pinned height, or why not, for each script."""
    found = read_group(params, extract.exchanges, scripts, at)
    if isinstance(found, Gap):
        return [found] * len(scripts)
    moved = _moves(params, extract.exchanges) if extract.decoder == ROLLED else {}
    return [_units(found, moved, script, at.height) for script in scripts]


def read_group(
    params: Params, exchanges: Sequence[Exchange], scripts: Sequence[bytes], at: Snapshot
) -> _Read | Gap:
    """Read balances and histories of one tip; a ``Gap`` where none of them can be believed.

    The reason ``wrong-block`` says that a block arrived or went in between.
    """
    tip = electrum.read_tip(params, exchanges)
    paid = paid_of(at, exchanges[0].endpoint)
    if isinstance(tip, Gap) or paid is None:
        return tip if isinstance(tip, Gap) else Gap("zero-without-canary")
    if tip.height < at.height:
        return Gap("node-behind", retryable=True, detail=f"its tip is {tip.height}")
    said = Said(exchanges)
    reward = electrum.read_balance(said, params, tip.reward.script)
    if isinstance(reward, Gap):
        return reward
    held = [one for one in exchanges if Said([one]).asked(HEADER, tip.height + 1)]
    own = Said(held)
    histories = {script: electrum.read_history(own, script) for script in scripts}
    balances = {script: electrum.read_balance(said, params, script) for script in scripts}
    wrongs = [_off(Said([one]), tip, at) or _canary(Said([one]), paid, at) for one in held]
    if reward < tip.reward.units:
        wrongs.append(Gap("canary-wrong", detail="the balance lacks the newest block's reward"))
    read = [history for history in histories.values() if not isinstance(history, Gap)]
    if any(one.height > tip.height for history in read for one in history):
        wrongs.append(Gap("wrong-block", retryable=True, detail="a history is above the tip"))
    return next(filter(None, wrongs), _Read(tip, balances, histories))


def _histories(height: int, tip: Tip, scripts: Iterable[bytes]) -> Request:
    """Ask for histories with the headers that hold them to the pinned block and to the tip."""
    headers = dict.fromkeys((height, tip.height, tip.height + 1))
    histories = [(electrum.HISTORY, (electrum.scripthash(one),)) for one in dict.fromkeys(scripts)]
    return electrum.lines([*((HEADER, (one,)) for one in headers), *histories])


def _off(said: Said, tip: Tip, at: Snapshot) -> Gap | None:
    """Say that the histories are not of the pinned chain and the tip, if so."""
    for height, block_hash in ((at.height, at.block_hash), (tip.height, tip.block_hash)):
        header = said.header(height)
        if isinstance(header, Gap):
            return header
        if electrum.hash_of(header) != block_hash:
            return Gap("wrong-block", retryable=True, detail=f"another block at {height}")
    above = said(HEADER, tip.height + 1)
    if not isinstance(above, Gap):
        return Gap("wrong-block", retryable=True, detail="a block arrived in between")
    return None if above.reason == "rpc-error" else above


def _canary(said: Said, paid: Paid, at: Snapshot) -> Gap | None:
    history = electrum.read_history(said, paid.script)
    if isinstance(history, Gap):
        return history
    if Entry(paid.txid, at.height) not in history:
        return Gap("canary-wrong", detail="a history lacks a transaction of the pinned block")
    return None


def _history(read: _Read, script: bytes) -> list[Entry]:
    history = read.histories[script]
    return [] if isinstance(history, Gap) else history


def _above(read: _Read, script: bytes, height: int) -> list[Entry]:
    return [entry for entry in _history(read, script) if entry.height > height]


def _moves(params: Params, exchanges: Sequence[Exchange]) -> dict[str, Moves | Gap]:
    """Return every transaction among the exchanges by its id."""
    said = Said(exchanges)
    txids = [
        call["params"][0]
        for exchange in exchanges
        for call in msgspec.json.decode(exchange.request.body)
        if call["method"] == electrum.TRANSACTION
    ]
    return {txid: said.moves(txid, params) for txid in txids}


def _units(  # noqa: PLR0911 - one return for each way to fail
    read: _Read, moved: Mapping[str, Moves | Gap], script: bytes, height: int
) -> int | Gap:
    """Return what a script held at ``height``: the balance less what came, plus what went since."""
    units, history = read.balances[script], read.histories[script]
    if isinstance(history, Gap) or isinstance(units, Gap):
        return history if isinstance(history, Gap) else units
    if units and not history:
        return Gap("malformed-answer", detail="a balance without a history")
    above = _above(read, script, height)
    if len(above) > MOST_ABOVE:
        return Gap("too-much-history", detail=f"{len(above)} transactions above {height}")
    known = {entry.tx_hash for entry in history}
    now, changes = units, []
    for entry in above:
        moves = moved.get(entry.tx_hash, Gap("not-answered", retryable=True))
        if isinstance(moves, Gap):
            return moves
        change = _change(moves, moved, script, known)
        if isinstance(change, Gap):
            return change
        changes.append(change)
        units -= change
    if units < 0:
        return Gap("malformed-answer", detail="more was paid since than there is")
    workings.tell(script, _working, read, script, height, (now, units), changes)
    return units


def _working(
    read: _Read, script: bytes, height: int, now_then: tuple[int, int], changes: Sequence[int]
) -> Working:
    """Tell how the balance of the tip became that of the height."""
    above = _above(read, script, height)
    older = [entry for entry in _history(read, script) if entry not in above and entry.height > 0]
    newest = max(older, key=lambda entry: entry.height, default=None)
    return Working(
        rule=Rule.BACK if above else Rule.UNTOUCHED,
        clock=Clock.HEIGHT,
        height=height,
        start=now_then[0],
        start_at=read.tip.height,
        movements=tuple(
            Movement(units=change, at=entry.height, id=entry.tx_hash)
            for entry, change in zip(above, changes, strict=True)
        ),
        last=None if newest is None else Movement(units=None, at=newest.height, id=newest.tx_hash),
        result=now_then[1],
        shown="the server's history of the script, up to its tip, lists "
        f"{len(above)} transactions above the height",
    )


def _change(
    moves: Moves, moved: Mapping[str, Moves | Gap], script: bytes, known: set[str]
) -> int | Gap:
    """Return what a transaction paid to a script, less what it spent of it.

    A coin of the script was made by a transaction of its history: no other one is looked up.
    """
    involved = 0
    change = 0
    for paid, units in moves.pays:
        if paid == script:
            change += units
            involved += 1
    for txid, vout in moves.spends:
        if txid not in known:
            continue
        made = moved.get(txid, Gap("not-answered", retryable=True))
        if isinstance(made, Gap):
            return made
        if vout >= len(made.pays):
            return Gap("malformed-answer", detail="a transaction spends an output that is not")
        paid, units = made.pays[vout]
        if paid == script:
            change -= units
            involved += 1
    if not involved:
        return Gap("malformed-answer", detail="a history lists a transaction of other scripts")
    return change
