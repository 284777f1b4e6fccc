"""Every reason code of the list side, once, with a sentence for a person.

Together with ``chains.reasons`` this is the whole vocabulary; ``docs/reasons.md`` shows it.
"""

from __future__ import annotations

from chains import reasons as chain_reasons

ROWS: dict[str, str] = {
    "shortfall": "The chain holds less than the row claims.",
    "surplus": "The chain holds more than the row claims.",
    "repeat-of": "The row repeats another row's account and asset, or part of it; they count once.",
    "conflict": "Rows claim different amounts for the same account and asset; none counts.",
    "bad-amount": "The amount is not a plain decimal number that the asset can have.",
    "malformed-row": "The row could not be read.",
    "refuted": "The row's ownership proof is wrong.",
    "total-differs": "A total that the list states differs from the sum of its rows.",
    "total-unclear": "A total cannot be checked: rows of labels that recount does not know.",
    "total-without-rows": "A total that the list states has no rows behind it.",
    "statement-fails": "Something the exchange stated does not hold.",
    "unsigned": "The list publishes no signature for these rows.",
    "signer-only": "A valid signature, by a key that nothing ties to the address.",
    "unsupported": "Ownership could not be checked by recount.",
    "gap": "The balance could not be looked at.",
    "message-not-pinned": "Signed over a text that no configuration expects; not counted as owned.",
    "not-a-claim": "The row carries no balance.",
    "no-account": "The address does not decode, so there is no account to ask for.",
    "heights-replaced": "Balances were asked at the heights of a file, not at those of the list.",
    "unread-column": "The list has a column that recount does not read.",
}

DOES_NOT_PROVE: tuple[str, ...] = (
    "Liabilities: every ratio rests on a denominator whose trust is printed beside it.",
    "That the assets are unencumbered: borrowed or pledged funds look the same on chain.",
    "More than one moment: balances are those of the pinned blocks, before and after is unknown.",
    "When a text was signed: an undated text may have been signed long ago by a former owner.",
    "That a wrapped, bridged, receipt or self-issued form can be redeemed for its coin.",
)


def sentence(code: str) -> str:
    """Return the sentence of a reason code; an unknown code is a defect and says so."""
    for table in (ROWS, chain_reasons.OWNERSHIP, chain_reasons.GAPS, chain_reasons.SNAPSHOT):
        if code in table:
            return table[code]
    return f"(no sentence for {code!r}: a defect of recount)"
