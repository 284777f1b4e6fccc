"""One row, step by step: ``recount verify LIST --explain ROW``.

What was published, what its labels mean, what was signed and how it was hashed, which key came
out, which address derives from it, and why the verdict is what it is: enough for an auditor's
working paper, and for checking every step with other tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from chains import addresses, signatures
from chains import reasons as chain_reasons
from chains.model import ChainSpec
from chains.signatures import trace
from crawler.errors import UsageError
from crawler.examining.judging import Meaning, Meanings
from crawler.inputs import Options, open_inputs

_NOTES = {
    "recovered": "key recovered from the signature",
    "account": "account that derives from the key",
    "verified": "signature verified with the key",
}


class Step(msgspec.Struct, frozen=True):
    """One line of the explanation."""

    what: str
    value: str


def explain(options: Options, number: int) -> list[Step]:
    """Explain the row at physical line ``number``; raises ``UsageError`` if it is no row."""
    opened = open_inputs(options)
    for batch in opened.published.batches():
        rows = batch.column("row").to_pylist()
        if number in rows:
            row = batch.slice(rows.index(number), 1).to_pylist()[0]
            return _steps(row, Meanings(opened.reading))
    raise UsageError(
        f"{opened.published.path.name}: line {number} is no row of the detail section "
        f"(it may be a header, a total or blank; the file has {opened.published.account.lines})"
    )


def _steps(row: Mapping[str, Any], meanings: Meanings) -> list[Step]:
    steps = [
        Step(f"published {name}", str(value) if not isinstance(value, list) else " | ".join(value))
        for name, value in row.items()
        if value not in ("", [], None)
    ]
    if row["problem"]:
        return [*steps, *_end("refuted", "malformed-row")]
    meaning = meanings.of(row["exchange"], row["network"], row["asset"], row["type"])
    spec = meaning.spec
    if spec is None:
        return [*steps, *_end("unsupported", meaning.resolved.reason or "unknown-network")]
    steps.append(Step("chain", f"{spec.name} ({spec.id})"))
    steps.append(Step("asset", meaning.resolved.asset or "unknown"))
    try:
        account = addresses.decode(spec, row["address"])
    except addresses.AddressError as error:
        status = "unsupported" if error.code == "unsupported-address-type" else "refuted"
        return [*steps, *_end(status, error.code, str(error))]
    steps.append(Step("address decodes to", f"{account.hex()} (format {spec.address})"))
    if not any(row["signatures"]):
        return [*steps, *_end("unsigned", "no-signature")]
    return steps + _signed(row, meaning, spec, account)


def _signed(
    row: Mapping[str, Any], meaning: Meaning, spec: ChainSpec, account: bytes
) -> list[Step]:
    message = row["message"]
    steps = [Step("text as bytes", message.encode(errors="surrogatepass").hex())]
    if not message:
        return [*steps, *_end("refuted", "missing-message")]
    if meaning.expected is None:
        steps.append(Step("expected texts", "none is pinned; the row's own stands"))
    else:
        steps.append(Step("expected texts", " | ".join(meaning.expected)))
        if message not in meaning.expected:
            return [*steps, *_end("refuted", "unexpected-message")]
    schemes = (row["scheme"],) if row["scheme"] else meaning.resolved.schemes
    if not schemes:
        return [*steps, *_end("unsupported", "unsupported-scheme")]
    signed = signatures.SignedAddress(
        spec=spec,
        address=row["address"],
        account=account,
        message=message,
        signatures=tuple(row["signatures"]),
        schemes=schemes,
        script=row["script"],
        public_key=row["public_key"],
        owners=tuple(row["owners"]),
    )
    for name in schemes:
        stable = signatures.ALIASES.get(name, name)
        known = signatures.SCHEMES.get(stable)
        steps.append(Step("scheme tried", f"{stable}: {known.description if known else 'unknown'}"))
        steps += _attempt(msgspec.structs.replace(signed, schemes=(name,)), spec)
    return steps + _verdict(signed, pinned=meaning.expected is not None)


def _attempt(signed: signatures.SignedAddress, spec: ChainSpec) -> list[Step]:
    """Run one scheme and tell what it did."""
    with trace.listening() as heard:
        try:
            outcome: str = signatures.judge(signed).reason
        except (signatures.Refused, signatures.Unsupported) as error:
            outcome = f"{error.code}: {error.message}"
    steps: list[Step] = []
    for step, values in heard:
        shown = ", ".join(f"{name} {value}" for name, value in values.items())
        steps.append(Step(_NOTES.get(step, step), shown))
        if step == "account":
            steps += _as_address(spec, bytes.fromhex(values["account"]))
    return [*steps, Step("outcome of this scheme", outcome)]


def _as_address(spec: ChainSpec, account: bytes) -> list[Step]:
    try:
        return [Step("which is the address", addresses.encode(spec, account))]
    except addresses.AddressError:
        return []


def _verdict(signed: signatures.SignedAddress, *, pinned: bool) -> list[Step]:
    try:
        outcome = signatures.judge(signed)
    except signatures.Refused as refused:
        return _end("refuted", refused.code, refused.message)
    except signatures.Unsupported as unsupported:
        return _end("unsupported", unsupported.code, unsupported.message)
    steps = [Step("keys that signed", " | ".join(key.hex() for key in outcome.keys))]
    if outcome.signers:
        steps.append(Step("owners that signed", " | ".join(outcome.signers)))
    if outcome.detail:
        steps.append(Step("variant", outcome.detail))
    reason = outcome.reason if pinned or outcome.status != "bound" else "message-not-pinned"
    return steps + _end(outcome.status.value, reason)


def _end(status: str, reason: str, detail: str = "") -> list[Step]:
    sentence = chain_reasons.OWNERSHIP.get(reason, "")
    why = f"{reason}: {sentence} {detail}".rstrip()
    return [Step("status", status), Step("reason", why)]


def render(steps: Sequence[Step]) -> str:
    """Write the explanation as lines; nothing of the list can act on a terminal."""
    from crawler.reports.display import visible  # noqa: PLC0415 - the reports need not be loaded

    width = max(len(step.what) for step in steps)
    return "".join(f"{step.what:<{width}}  {visible(step.value)}\n" for step in steps)
