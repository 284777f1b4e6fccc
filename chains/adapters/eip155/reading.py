"""From recorded exchanges to balances: pure, and the same offline as on the day.

An extract carries every exchange that was made for its accounts, in the order made: refused
attempts, the one that answers, and what was asked to clear up doubts. Which is which is not
noted anywhere. Instead the request that should have been sent is built again, byte for byte,
and looked up: an exchange that does not ask exactly about these accounts at this block can
never answer for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from chains import jsonrpc
from chains.adapters.eip155 import masked, ways
from chains.adapters.eip155.programs import block_object
from chains.adapters.eip155.refusals import refine
from chains.adapters.eip155.ways import Quirks, Reading, Way
from chains.model import (
    Answers,
    Exchange,
    Extract,
    Gap,
    Method,
    Questions,
    Request,
    Snapshot,
    Source,
    all_gaps,
)
from chains.packed import Packed

RETRY_BATCH = 64
"""Doubtful holders per renewed question: with 50 M gas each has more than 700,000."""
UNSENT = "none"
"""Decoder of accounts that could not be asked: the last exchange says why."""

NO_CANARY = Gap("zero-without-canary", detail="no canary is known for this block")
CANARY_SILENT = Gap("zero-without-canary", retryable=True, detail="the canary got no answer")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What one batch asks: ``accounts`` in order; ``token`` is ``None`` for the native coin.

    ``canary`` travels at the end of the same request. ``canary_units`` is what the endpoints
    said about it when the block was pinned, ``None`` when only "not empty" is known.
    """

    way: Way
    token: bytes | None
    accounts: Sequence[bytes]
    canary: bytes | None
    canary_units: int | None

    def request(self, quirks: Quirks, at: Snapshot) -> Request:
        """Build the request of the whole batch, canary included."""
        accounts = Packed.of(self.accounts)
        if self.canary is not None:
            accounts = accounts.followed_by(self.canary)
        return ways.build(self.way, quirks, at, self.token, accounts)

    def read(self, quirks: Quirks, at: Snapshot, exchange: Exchange) -> Reading | Gap:
        """Read the answer, canary included (last)."""
        count = len(self.accounts) + (self.canary is not None)
        return ways.read(self.way, quirks, at, exchange, token=self.token, count=count)

    def again(self, doubtful: Sequence[int]) -> Iterator[tuple[Sequence[int], Asked]]:
        """Yield the smaller batches in which doubtful accounts are asked again, canary included."""
        for start in range(0, len(doubtful), RETRY_BATCH):
            piece = doubtful[start : start + RETRY_BATCH]
            accounts = Packed.of(self.accounts).take(piece)
            yield piece, msgspec.structs.replace(self, accounts=accounts)


def asked(
    way: Way, quirks: Quirks, at: Snapshot, token: bytes | None, accounts: Sequence[bytes]
) -> Asked:
    """Put the canary that fits to a batch: the block's own for coins, config's for tokens."""
    if token is not None:
        canary, units = quirks.token_canaries.get(token), None
    elif at.canaries:
        text = at.detail.get("canary_units")
        canary, units = bytes.fromhex(at.canaries[0]), None if text is None else int(text)
    else:
        canary, units = None, None
    return Asked(way=way, token=token, accounts=accounts, canary=canary, canary_units=units)


def code_request(token: bytes, at: Snapshot) -> Request:
    """Ask for the code of a contract at the pinned block.

    Spec: https://ethereum.github.io/execution-apis/
    """
    return _single(b'"eth_getCode","params":["0x' + token.hex().encode() + b'",', at)


def view_request(contract: bytes, selector: str, at: Snapshot) -> Request:
    """Call a function without arguments of ``contract`` at the pinned block.

    Spec: https://ethereum.github.io/execution-apis/
    """
    head = b'"eth_call","params":[{"to":"0x' + contract.hex().encode()
    return _single(head + b'","data":"0x' + selector.encode() + b'"},', at)


def supply_request(token: bytes, at: Snapshot) -> Request:
    """Ask for ``totalSupply()``: the witness for a batch that is all zeros."""
    return view_request(token, "18160ddd", at)


def _single(head: bytes, at: Snapshot) -> Request:
    method = b'{"jsonrpc":"2.0","id":0,"method":'
    return Request(body=method + head + block_object(at.block_hash) + b"]}")


def find(exchanges: Sequence[Exchange], request: Request, endpoint: str = "") -> Exchange | None:
    """Return the last exchange that sent exactly ``request`` (to ``endpoint``, if given)."""
    for exchange in reversed(exchanges):
        if exchange.request == request and endpoint in ("", exchange.endpoint):
            return exchange
    return None


def doubtful(reading: Reading) -> list[int]:
    """Return the indices that the contract did not answer."""
    return [i for i, value in enumerate(reading) if value is None]


def decode_balances(
    quirks: Quirks, questions: Questions, extract: Extract, at: Snapshot, token: bytes | None
) -> Answers:
    """Interpret one batch of balances."""
    if extract.decoder == UNSENT:
        return all_gaps(extract, reason_unsent(extract))
    way = Way(extract.decoder.rpartition("-")[2])
    accounts = _accounts(questions, extract.positions)
    batch = asked(way, quirks, at, token, accounts)
    main = find(extract.exchanges, batch.request(quirks, at))
    if main is None:
        return all_gaps(extract, Gap("not-answered", detail="no exchange asks these accounts"))
    reading = batch.read(quirks, at, main)
    if isinstance(reading, Gap):
        return all_gaps(extract, refine(reading), main.endpoint)
    if batch.canary is not None:
        value, reading = reading[-1], reading[:-1]
        gap = silent_canary(batch, value)
        if gap is not None:
            if value is None:
                gap = _silence(at, batch, main, extract.exchanges)
            return all_gaps(extract, gap, main.endpoint)
    marks = doubtful(reading) if token is not None and None in reading else []
    if marks:
        reading = list(reading)
        _clear_up(quirks, at, batch, extract.exchanges, main=main, reading=reading, marks=marks)
    gaps: dict[int, Gap] = {}
    if marks or way is Way.RPC:  # the other ways answer every account or none
        gaps = {i: value for i, value in enumerate(reading) if isinstance(value, Gap)}
    if batch.canary is None and 0 in reading:
        zero = zeros_unproven(at, batch, reading, main, extract.exchanges)
        if zero is not None:
            gaps.update({i: zero for i, value in enumerate(reading) if value == 0})
    subjects = _subjects(quirks, at, batch, extract.exchanges, main=main, gaps=gaps)
    return Answers(
        positions=extract.positions,
        units=[None if i in gaps else value for i, value in enumerate(reading)]  # type: ignore[misc]
        if gaps
        else reading,  # type: ignore[arg-type]
        source=Source.OWN_NODE if main.own_node else Source.SINGLE,
        method=Method.STATE,
        endpoint=main.endpoint,
        gaps=gaps,
        subjects=subjects,
    )


def _subjects(
    quirks: Quirks,
    at: Snapshot,
    batch: Asked,
    exchanges: Sequence[Exchange],
    *,
    main: Exchange,
    gaps: dict[int, Gap],
) -> dict[int, bytes]:
    """Return whose coins masked addresses hold; where that was not told, add a gap to ``gaps``."""
    if batch.token is not None or not quirks.masked_actors:
        return {}
    request = masked.lookup_request(quirks, at, batch.accounts)
    told = None if request is None else find(exchanges, request, main.endpoint)
    subjects: dict[int, bytes] = {}
    for i, found in masked.read(quirks, at, batch.accounts, told).items():
        if isinstance(found, bytes):
            subjects[i] = found
        else:
            gaps.setdefault(i, refine(found))
    return subjects


def _accounts(questions: Questions, positions: Sequence[int]) -> Sequence[bytes]:
    return Packed.of(questions.accounts).take(positions)


def silent_canary(batch: Asked, value: int | Gap | None) -> Gap | None:
    """Return why the batch cannot be believed, or ``None`` when its canary came back right."""
    if isinstance(value, Gap):
        return value
    if value is None:
        return CANARY_SILENT
    if value == 0:
        return Gap("zero-without-canary", retryable=True, detail="the canary came back empty")
    if batch.canary_units is not None and value != batch.canary_units:
        detail = f"the canary has {value} instead of {batch.canary_units}"
        return Gap("wrong-block", retryable=True, detail=detail)
    return None


def zeros_unproven(
    at: Snapshot,
    batch: Asked,
    reading: Reading,
    main: Exchange,
    exchanges: Sequence[Exchange],
) -> Gap | None:
    """Return why zeros without a canary are not believed, or ``None`` when they are.

    A token's zeros are believed next to a non-zero balance of the same answer, or when the
    token's ``totalSupply()`` at the same block on the same endpoint is not zero.
    """
    if batch.token is None:
        return NO_CANARY
    if any(isinstance(value, int) and value > 0 for value in reading):
        return None
    supply = find(exchanges, supply_request(batch.token, at), main.endpoint)
    raw = None if supply is None else ways.answer_bytes(supply)
    if isinstance(raw, Gap):
        told = refine(raw)
        detail = f"total supply: {told.reason}"
        return Gap("zero-without-canary", retryable=told.retryable, detail=detail)
    if raw is not None and len(raw) >= 32 and any(raw[:32]):  # noqa: PLR2004
        return None
    return Gap("zero-without-canary", detail="nobody seems to hold this token at this block")


def _clear_up(
    quirks: Quirks,
    at: Snapshot,
    batch: Asked,
    exchanges: Sequence[Exchange],
    *,
    main: Exchange,
    reading: list[int | Gap | None],
    marks: list[int],
) -> None:
    """Replace the marks in ``reading`` by what the renewed questions brought."""
    silent = _silence(at, batch, main, exchanges)
    for i in marks:
        reading[i] = silent
    if silent.reason != "call-failed" or batch.way is Way.RPC:
        return
    for piece, smaller in batch.again(marks):
        renewed = find(exchanges, smaller.request(quirks, at), main.endpoint)
        if renewed is None:
            continue
        values = smaller.read(quirks, at, renewed)
        if isinstance(values, Gap):
            values = [refine(values)] * len(piece)
        elif smaller.canary is not None:
            gap = silent_canary(smaller, values[-1])
            values = values[:-1] if gap is None else [gap] * len(piece)
        for i, value in zip(piece, values, strict=True):
            reading[i] = silent if value is None else value


def _silence(at: Snapshot, batch: Asked, main: Exchange, exchanges: Sequence[Exchange]) -> Gap:
    """Tell "no contract there" from "the contract failed" by the code at the pinned block."""
    if batch.token is None:  # pragma: no cover - coins have no marks
        return Gap("malformed-answer")
    found = find(exchanges, code_request(batch.token, at), main.endpoint)
    if found is None:
        return Gap("call-failed", detail="whether there is a contract was not asked")
    code = ways.answer_bytes(found)
    if isinstance(code, Gap):
        return refine(code)
    return Gap("call-failed") if code else Gap("no-contract")


def reason_unsent(extract: Extract) -> Gap:
    """Return why nobody could be asked: what the last exchange says."""
    if not extract.exchanges:
        return Gap("no-usable-endpoint")
    last = extract.exchanges[-1]
    answer = jsonrpc.result(last)
    if isinstance(answer, Gap):
        return refine(answer)
    return Gap("method-missing", detail=f"{last.endpoint} offers no way to read balances")


def storage_request(contract: bytes, slot: int, at: Snapshot) -> Request:
    """Ask for one storage slot at the pinned block.

    Spec: https://ethereum.github.io/execution-apis/
    """
    place = f'"0x{contract.hex()}","0x{slot:064x}",'.encode()
    return _single(b'"eth_getStorageAt","params":[' + place, at)
