"""The denominator: what an exchange says it owes, and how far that can be believed.

One file per source of liabilities. Each yields ``Liability`` records; trust belongs to the single
amount, not to the file, because a proof may cover some coins and not others.
"""

from __future__ import annotations

from enum import StrEnum
from fractions import Fraction

import msgspec


class Trust(StrEnum):
    """How far an amount can be believed, from the weakest to the strongest.

    ``asserted``: the exchange's number, only its source is known. ``consistent``: its files agree
    with each other, but the scheme does not bind the total. ``merkle-path``: a user's leaf reaches
    the published root, the total is not bound. ``merkle-full``: every node was recomputed and the
    total is the sum of public leaves. ``zk-checked``: a proof of per-asset totals was verified.
    """

    ASSERTED = "asserted"
    CONSISTENT = "consistent"
    MERKLE_PATH = "merkle-path"
    MERKLE_FULL = "merkle-full"
    ZK_CHECKED = "zk-checked"


class Liability(msgspec.Struct, frozen=True, kw_only=True):
    """What is owed of one published coin.

    ``asset`` is the coin as ``Asset.counts_as`` names it, ``amount`` whole coins as a plain
    decimal text, exactly as published. ``as_of`` and ``source`` are texts for the report;
    ``place`` says where in the file the amount stands.
    """

    asset: str
    amount: str
    as_of: str
    source: str
    trust: Trust
    place: str = ""

    @property
    def coins(self) -> Fraction:
        """The amount as an exact number of whole coins."""
        return Fraction(self.amount)

    def units(self, decimals: int) -> int:
        """Return the amount in base units; raises ``ValueError`` where it has more places."""
        factor: int = 10**decimals
        scaled = self.coins * factor
        if scaled.denominator != 1:
            raise ValueError(f"{self.amount} {self.asset} has more than {decimals} places")
        return scaled.numerator
