"""Makes the view of one row: decoded anew, joined again, and held against what is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from chains import addresses
from chains.model import ChainId, ChainSpec, QueryKind
from crawler import jobs
from crawler.asking.plan import Moment as PlanMoment
from crawler.counting.ledger import Join
from crawler.counting.reconciled import Alike, chosen_in_conflict, judged_rows, scales
from crawler.counting.recount import Inputs
from crawler.crawling.answers import Place
from crawler.crawling.pins import Pinned
from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.runs import RunDirectory
from crawler.keeping.storage import RunPlace
from crawler.model import Validity
from crawler.reasons import sentence
from crawler.result import AssetLine, Result
from crawler.rowview import records
from crawler.rowview.answers import Reader
from crawler.rowview.kept import Kept, kept
from crawler.rowview.records import FORMAT, Amount, RowView
from crawler.rowview.rests_on import Decoded, RestsOn, rests_on

OF_LIST = frozenset({"group"})
"""Columns of the ledger that number something across the whole list."""
ABOUT_ROW = (QueryKind.BALANCE, QueryKind.PROOF, QueryKind.ASSET_FACT)
"""Kinds of questions about a row's own balance and asset, in the order in which they are told."""


def row_view(path: RunPlace, number: int) -> RowView:
    """Return everything about the row at line ``number`` of a finished run, decoded anew.

    Raises ``UsageError`` where there is no such run or row, and ``EnvironmentFault`` where the
    evidence gives something else than the run holds.
    """
    run = RunDirectory.open(path, lock=False)
    if run.manifest.kind != "run":
        raise UsageError(f"{path} is a {run.manifest.kind}: it has no rows with a verdict")
    report = jobs.stored_report(path)
    inputs = jobs.stored_inputs(run)
    found = kept(run, number)
    behind = rests_on(run, inputs.world, found)
    unpinned = {key: entry.reason for key, entry in behind.moments.items() if entry.reason}
    join = Join(inputs.world, behind.shards, unpinned)
    (ledger,) = join.completed([join.part(found.claims, found.signatures)])
    _compare(run, found, ledger)
    return _View(run, inputs, report.result, found, behind=behind, ledger=ledger).view()


def _compare(run: RunDirectory, found: Kept, ledger: pa.Table) -> None:
    """Raise ``EnvironmentFault`` where the row came out otherwise than it was stored."""
    again = _row(ledger, found.number)
    for name, value in found.stored().items():
        if name not in OF_LIST and again[name] != value:
            raise EnvironmentFault(
                f"line {found.number}: the evidence gives another {name} than rows.parquet holds; "
                f"{run.path} was changed, or made by another version of recount, or is being "
                "continued"
            )


def _row(ledger: pa.Table, number: int) -> Mapping[str, Any]:
    at = ledger["row"].to_pylist().index(number)
    record: Mapping[str, Any] = ledger.slice(at, 1).to_pylist()[0]
    return record


class _View:
    def __init__(
        self,
        run: RunDirectory,
        inputs: Inputs,
        result: Result,
        found: Kept,
        *,
        behind: RestsOn,
        ledger: pa.Table,
    ) -> None:
        self._run, self._inputs, self._result = run, inputs, result
        self._kept, self._behind, self._ledger = found, behind, ledger
        self._claim, self._signature = found.claim(), found.signature()
        self._row = _row(ledger, found.number)
        self._spec: ChainSpec | None = inputs.world.chains.get(ChainId(self._row["chain"]))
        self._address = self._canonical()
        texts = (self._claim["address"], self._address)
        self._reader = Reader(run, self._row["decimals"], {self._claim["account"]: texts})
        self._standing = Place(self._row["shard"], self._row["attempt"], self._row["extract"])

    def view(self) -> RowView:
        """Put the parts together."""
        asked = [one for one in self._behind.decoded if self._is_about_row(one)]
        asked.sort(key=lambda one: (ABOUT_ROW.index(one.questions.kind), one.name))
        return RowView(
            format=FORMAT,
            run=self._run.manifest.run,
            list_name=self._inputs.list_name,
            list_sha256=self._inputs.list_sha256,
            published=self._published(),
            meaning=self._meaning(),
            ownership=self._ownership(),
            moment=self._moment(),
            answers=tuple(self._lines(one) for one in asked),
            balance=self._balance(asked),
            outcome=self._outcome(),
        )

    def _canonical(self) -> str:
        account = self._claim["account"]
        if self._spec is None or not account:
            return ""
        try:
            return addresses.encode(self._spec, account)
        except addresses.AddressError:
            return ""

    def _is_about_row(self, one: Decoded) -> bool:
        asked = one.questions
        same = (asked.chain, asked.height, asked.asset) == (
            self._claim["chain"],
            self._claim["at_height"],
            self._claim["asset_id"],
        )
        if asked.kind is QueryKind.ASSET_FACT:
            return same
        return same and asked.kind in ABOUT_ROW and self._claim["account"] in asked.accounts

    def _lines(self, one: Decoded) -> records.AnswerLines:
        is_fact = one.questions.kind is QueryKind.ASSET_FACT
        account = one.questions.accounts[0] if is_fact else self._claim["account"]
        return self._reader.lines(one, account, self._standing)

    def _published(self) -> records.Published:
        claim = self._claim
        same = ("row", "kind", "exchange", "network", "asset", "type", "address", "amount")
        more = ("height", "message", "scheme", "problem")
        return records.Published(
            **{name: claim[name] for name in (*same, *more)},
            signatures=sum(bool(one) for one in claim["signatures"]),
            owners=tuple(claim["owners"]),
        )

    def _meaning(self) -> records.Meaning:
        row = self._row
        same = ("chain", "asset_id", "asset_class", "counts_as", "decimals", "height")
        return records.Meaning(
            **{name: row[name] for name in same},
            chain_name=self._spec.name if self._spec else "",
            account=self._claim["account"].hex(),
            address=self._address,
            claimed=self._amount(row["claimed"]),
        )

    def _amount(self, units: str | None) -> Amount | None:
        return None if units is None else self._reader.amount(int(units))

    def _ownership(self) -> records.Ownership:
        signature, row = self._signature, self._row
        return records.Ownership(
            status=row["status"],
            reason=row["reason"],
            sentence=sentence(row["reason"]),
            before=(signature["status"], signature["reason"]),
            scheme=signature["scheme"],
            variant=signature["detail"],
            keys=tuple(key.hex() for key in signature["keys"]),
            signers=tuple(signature["signers"]),
            silent=tuple(signature["silent"]),
            expected_text=signature["pinned"],
            carried=signature["carried"],
            rests_on=tuple(self._control()),
        )

    def _control(self) -> Iterable[records.AnswerLines]:
        for question in self._behind.control.get(self._kept.number, ()):
            for one in self._behind.decoded:
                asked = one.questions
                own = (asked.kind, asked.chain) == (question.kind, question.chain)
                if (
                    own
                    and question.account in asked.accounts
                    and asked.height == self._row["height"]
                ):
                    yield self._reader.lines(one, question.account, None)

    def _moment(self) -> records.Moment | None:
        chain, height = self._row["chain"], self._row["height"]
        if not chain or height is None:
            return None
        pinned = self._behind.moments.get(PlanMoment(ChainId(chain), height).key)
        return None if pinned is None else _moment(chain, height, pinned)

    def _balance(self, asked: Iterable[Decoded]) -> records.Balance | None:
        """Return the balance that stands; where a proof decided, the one that it confirmed."""
        if self._row["observed"] is None:
            return None
        account = self._claim["account"]
        ordered = sorted(
            asked,
            key=lambda one: (one.name != self._row["shard"], one.questions.kind),
        )
        for kind in (QueryKind.BALANCE, QueryKind.PROOF):
            for one in ordered:
                if one.questions.kind is kind:
                    found = self._reader.balance(one, account)
                    if found is not None and found.sum.base == self._row["observed"]:
                        return found
        return None

    def _outcome(self) -> records.Outcome:
        ledger, number = self._ledger, self._kept.number
        scale = scales([ledger])
        policy = self._inputs.policy
        chosen = chosen_in_conflict([ledger]) if policy.conflict == "smaller" else frozenset()
        at = ledger["row"].to_pylist().index(number)
        own = ledger.slice(at, 1)
        (judged,) = judged_rows(own, policy, self._inputs.rounding, scale, chosen)
        row = self._row
        alone = row["validity"] in (Validity.BAD_AMOUNT, Validity.SIGNER_ROW)
        group = [
            other
            for other, same in zip(
                ledger["row"].to_pylist(), ledger["group"].to_pylist(), strict=True
            )
            if same == row["group"] and other != number and not alone
        ]
        factor = 10 ** (scale.decimals[judged.coin] - row["decimals"])
        difference = judged.difference if judged.counted else None
        return records.Outcome(
            observed=self._amount(row["observed"]),
            source=row["source"],
            method=row["method"],
            gap=row["gap"],
            gap_sentence=sentence(row["gap"]) if row["gap"] else "",
            reconciliation=judged.outcome.value if judged.outcome else "",
            difference=None if difference is None else self._reader.amount(difference // factor),
            tolerance=self._reader.amount(judged.tolerance // factor),
            validity=row["validity"],
            same_account=tuple(group),
            counts=judged.counted,
            owned=judged.owned,
            added=self._added(judged, factor),
            coin_totals=_coin_totals(self._result, judged.coin),
        )

    def _added(self, judged: Alike, factor: int) -> Mapping[str, Amount]:
        """Return what the row adds to its coin's totals; only what it adds to is named."""
        claimed, observed = judged.claimed, judged.observed
        found: dict[str, int | None] = {}
        if not judged.counted:
            found["excluded"] = claimed
        elif observed is None:
            found |= {"claimed": claimed, "unobserved": claimed}
        else:
            found |= {"claimed": claimed, "recounted": observed}
            found |= {"owned": observed} if judged.owned else {}
        return {
            name: self._reader.amount(units // factor)
            for name, units in found.items()
            if units is not None
        }


def _moment(chain: str, height: int, pinned: Pinned) -> records.Moment:
    snapshot = pinned.snapshot
    return records.Moment(
        chain=chain,
        height=height,
        block_hash=snapshot.block_hash if snapshot else "",
        time=snapshot.time if snapshot else 0,
        reason=pinned.reason,
        endpoints=snapshot.endpoints if snapshot else (),
        rejected=snapshot.rejected if snapshot else {},
        evidence=pinned.pack,
    )


def _coin_totals(result: Result, coin: str) -> Mapping[str, str | None]:
    line: AssetLine | None = next((one for one in result.assets if one.asset == coin), None)
    if line is None:
        return {}
    return {
        "claimed": line.claimed,
        "recounted": line.observed,
        "owned": line.owned,
        "unobserved": line.unobserved,
        "excluded": line.excluded,
    }
