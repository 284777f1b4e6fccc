"""Share tokens: how much of another asset their holders could claim, at the rate on chain.

A share counts as itself everywhere: in totals, ratios and verdicts. What stands here is a figure
beside it, never a conversion: the shares observed at one height, the rate that the token's own
contract stated at that block, and their product, ``shares * rate // 10**scale``, rounded down.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import starmap

import msgspec
from sha3 import keccak_256

from chains.model import AssetId
from crawler.counting.reconciled import Alike
from crawler.counting.units import to_text
from crawler.model import Share
from crawler.result import ShareLine
from crawler.settings import World

UNREAD = "rate-unread"
WORD = 32
ONE_ARGUMENT = "(uint256)"


class Rate(msgspec.Struct, frozen=True):
    """What the contract stated at the block, or why that is not known."""

    stated: int | None
    gap: str = ""


def rate_call(share: Share) -> bytes:
    """Return the calldata of the function that states the rate: its selector and one share.

    Spec: https://docs.soliditylang.org/en/latest/abi-spec.html
    """
    selector = keccak_256(share.call.encode()).digest()[:4]
    whole = (10**share.scale).to_bytes(WORD, "big")
    return bytes(selector) + (whole if share.call.endswith(ONE_ARGUMENT) else b"")


def rate_of(facts: Mapping[str, object]) -> Rate:
    """Read the rate from the facts of a token; none, or one of zero, is a gap."""
    text = facts.get("rate")
    stated = int(text) if isinstance(text, str) else 0
    return Rate(stated) if stated else Rate(None, UNREAD)


class Shares:
    """Adds up what was observed of share tokens, by asset and height."""

    def __init__(self, world: World, rates: Mapping[tuple[str, int], Rate]) -> None:
        self._world = world
        self._rates = rates
        self._held: dict[tuple[AssetId, int], list[int]] = {}

    def add(self, row: Alike) -> None:
        """Add rows that count and were observed."""
        asset = self._world.assets.get(AssetId(row.cells["asset_id"]))
        if asset is None or asset.share is None or not row.counted or row.observed is None:
            return
        for entry in row.first(row.rows):
            held = self._held.setdefault((asset.id, entry["height"]), [0, 0])
            held[0] += 1
            held[1] += int(entry["observed"])

    def lines(self) -> tuple[ShareLine, ...]:
        """Write one line per share token and height, sorted."""
        return tuple(starmap(self._line, sorted(self._held)))

    def _line(self, id_: AssetId, height: int) -> ShareLine:
        asset = self._world.assets[id_]
        share = asset.share
        assert share is not None
        of = self._world.assets[share.of]
        rows, units = self._held[id_, height]
        rate = self._rates.get((id_, height), Rate(None, UNREAD))
        worth = None if rate.stated is None else units * rate.stated // 10**share.scale
        return ShareLine(
            asset_id=id_,
            network=self._world.chains[asset.chain].name,
            asset=asset.counts_as,
            height=height,
            rows=rows,
            observed=to_text(units, asset.decimals),
            call=share.call,
            scale=share.scale,
            rate=None if rate.stated is None else str(rate.stated),
            of_asset_id=of.id,
            of_asset=of.symbol or of.counts_as,
            worth=None if worth is None else to_text(worth, of.decimals),
            gap=rate.gap,
        )
