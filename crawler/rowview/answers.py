"""Decoded answers as records: what was asked, who answered, and where the evidence lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from chains.model import Extract, QueryKind
from chains.workings import Movement, Working
from crawler.counting.units import to_text
from crawler.crawling.answers import Place
from crawler.crawling.evidence import Header, digest, evidence_pack, read_pack
from crawler.errors import EnvironmentFault
from crawler.keeping.runs import RunDirectory
from crawler.rowview.records import (
    Amount,
    AnswerLines,
    Balance,
    Evidence,
    MovementLine,
    PartLine,
    Pointer,
    WorkingLines,
)
from crawler.rowview.rests_on import Decoded

FIRST_EXTRACT_LINE = 2
"""Of an unpacked pack: the header stands before it."""


class Reader:
    """Makes records of answers; ``texts`` maps accounts to the texts of their addresses."""

    def __init__(
        self, run: RunDirectory, decimals: int, texts: Mapping[bytes, Sequence[str]]
    ) -> None:
        self._run = run
        self._decimals = decimals
        self._texts = texts

    def lines(self, one: Decoded, account: bytes, standing: Place | None) -> AnswerLines:
        """Return the answer about an account; ``standing`` is where the one that stands lies."""
        position = one.questions.accounts.index(account)
        answer = answer_of(one, position)
        name = "" if one.merged is None else one.name  # the ledger names no shard without answers
        place = Place(name, answer["attempt"], answer["extract"])
        number = answer["attempt"]
        return AnswerLines(
            kind=one.questions.kind,
            asset=one.questions.asset,
            height=one.questions.height,
            account=account.hex(),
            subject=answer["subject"].hex(),
            shard=one.name,
            round=one.entry.round,
            position=position,
            attempt=number,
            attempts=len(one.run.attempts(one.entry.digest)),
            stands=place == standing,
            units=answer["units"],
            facts=msgspec.json.decode(answer["facts"]) if answer["facts"] else None,
            source=answer["source"],
            method=answer["method"],
            endpoint=answer["endpoint"],
            gap=answer["gap"],
            detail=answer["detail"],
            evidence=self._evidence(one, number, account, witness=False),
            witness=self._evidence(one, number, account, witness=True),
        )

    def _evidence(
        self, one: Decoded, attempt: int, account: bytes, *, witness: bool
    ) -> Evidence | None:
        position = one.questions.accounts.index(account)
        pack = evidence_pack(one.name, attempt, witness=witness)
        if not attempt or not self._run.holds(pack):
            return None
        found = extract_of(self._run, pack, position)
        if found is None:
            return None
        number, extract = found
        line = number + FIRST_EXTRACT_LINE
        return Evidence(
            pack=pack,
            line=line,
            decoder=extract.decoder,
            answers=len(extract.positions),
            exchanges=tuple(self._pointers(pack, line, extract, account)),
        )

    def _names(self, account: bytes) -> Sequence[bytes]:
        """Return what stands for an account in requests and answers, in small letters."""
        electrum = hashlib.sha256(account).digest()[::-1].hex()
        names = {*self._texts.get(account, ()), account.hex(), electrum}
        return [name.lower().encode() for name in names if name]

    def _pointers(
        self, pack: str, line: int, extract: Extract, account: bytes
    ) -> Iterable[Pointer]:
        names = self._names(account)
        for place, exchange in enumerate(extract.exchanges):
            request = exchange.request
            texts = (request.path.encode(), request.body, exchange.body)
            yield Pointer(
                pack=pack,
                line=line,
                place=place,
                sha256=digest(exchange),
                endpoint=exchange.endpoint,
                method=request.method,
                path=request.path,
                status=exchange.status,
                failure=exchange.failure,
                names_account=any(name in text.lower() for text in texts for name in names),
            )

    def balance(self, one: Decoded, account: bytes) -> Balance | None:
        """Return parts and workings of a balance, ``None`` for a gap; raises ``EnvironmentFault``.

        It raises where what the adapter tells of its steps does not give what it decoded.
        """
        position = one.questions.accounts.index(account)
        answer = answer_of(one, position)
        if one.replay is None or answer["units"] is None:
            return None
        units = int(answer["units"])
        stored = msgspec.json.decode(answer["parts"] or "[]")
        parts = stored or [{"kind": "liquid", "units": units, "counted": True}]
        if sum(part["units"] for part in parts if part["counted"]) != units:
            raise EnvironmentFault(f"the parts of {account.hex()} are not its balance of {units}")
        return Balance(
            parts=tuple(
                PartLine(kind=one["kind"], units=self.amount(one["units"]), counted=one["counted"])
                for one in parts
            ),
            sum=self.amount(units),
            workings=tuple(map(self._working, self._told(one, account, answer, units))),
        )

    def _told(
        self, one: Decoded, account: bytes, answer: Mapping[str, Any], units: int
    ) -> Sequence[Working]:
        position = one.questions.accounts.index(account)
        pack = evidence_pack(one.name, answer["attempt"])
        found = extract_of(self._run, pack, position)
        if one.replay is None or found is None:
            return ()
        told = one.replay.workings(answer["attempt"], found[1], account)
        whole = bool(told) and all(working.whole for working in told)
        if whole and one.questions.kind is QueryKind.BALANCE:
            whole = sum(working.result for working in told) == units
        else:
            whole = True
        if not whole or not all(working.holds() for working in told):
            raise EnvironmentFault(
                f"the steps by which the balance of {account.hex()} was worked out do not give "
                f"the {units} that were decoded; this is a defect of recount, please report it"
            )
        return told

    def _working(self, one: Working) -> WorkingLines:
        moved = [movement.units or 0 for movement in one.movements]
        return WorkingLines(
            rule=one.rule,
            of=one.of,
            clock=one.clock,
            at=one.height,
            start=self._known(one.start),
            start_at=one.start_at,
            movements=tuple(map(self._movement, one.movements)),
            came=self.amount(sum(units for units in moved if units > 0)),
            went=self.amount(-sum(units for units in moved if units < 0)),
            last=None if one.last is None else self._movement(one.last),
            result=self.amount(one.result),
            shown=one.shown,
            whole=one.whole,
        )

    def _movement(self, one: Movement) -> MovementLine:
        return MovementLine(
            units=self._known(one.units),
            at=one.at,
            id=one.id,
            what=one.what,
            found=self._known(one.found),
            left=self._known(one.left),
        )

    def _known(self, units: int | None) -> Amount | None:
        return None if units is None else self.amount(units)

    def amount(self, units: int) -> Amount:
        """Write base units in both ways."""
        return Amount(str(units), to_text(units, self._decimals))


def answer_of(one: Decoded, position: int) -> Mapping[str, Any]:
    """Return the standing answer to a question, with the attempt that gave it."""
    if one.merged is None:
        account = one.questions.accounts[position]
        texts = dict.fromkeys(("parts", "facts", "source", "method", "endpoint", "detail"), "")
        unasked = {"subject": account, "units": None, "gap": one.unpinned or "not-answered"}
        return {**texts, **unasked, "attempt": 0, "extract": -1}
    at = one.merged.table["position"].to_pylist().index(position)
    record: dict[str, Any] = one.merged.table.slice(at, 1).to_pylist()[0]
    return record | {"attempt": one.merged.attempts[at]}


def extract_of(run: RunDirectory, pack: str, position: int) -> tuple[int, Extract] | None:
    """Find the extract of a pack that answers a question, and its number from 0."""
    with run.reading(pack) as path:
        lines = (line for line in read_pack(path) if not isinstance(line, Header))
        for number, line in enumerate(lines):
            if position in line.positions:
                return number, line
    return None
