"""Load the recorded exchanges of ``fixtures/eip155`` and decode them as the adapter does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from chains.adapters.eip155 import Adapter
from chains.model import (
    AssetId,
    ChainId,
    ChainSpec,
    Exchange,
    Extract,
    Gap,
    Observation,
    QueryKind,
    Questions,
    Request,
    Snapshot,
)

FOLDER = Path(__file__).parents[2] / "fixtures" / "eip155"
CHAIN = ChainId("eip155:31337")
AMOUNTS = (0, 1, 10**18, 2**64 - 1, 2**64, 2**200 + 7)
"""What the recorder loaded, in the order of the accounts."""


class NoTransport:
    """A transport that must not be used: decoding is pure."""

    endpoints: tuple[str, ...] = ()

    async def exchange(self, request: Request, endpoint: str) -> Exchange:
        raise AssertionError(f"decoding sent {request} to {endpoint}")

    async def exchange_any(self, request: Request, among: Sequence[str]) -> Exchange:
        raise AssertionError(f"decoding sent {request} to {among}")


class Recording(NamedTuple):
    """One recorded question with everything needed to decode it."""

    adapter: Adapter
    pins: tuple[Exchange, ...]
    at: Snapshot
    questions: Questions
    extracts: tuple[Extract, ...]

    def decode(self) -> list[Observation | Gap]:
        """Return the answers in the order of the accounts."""
        found: dict[int, Observation | Gap] = {}
        for extract in self.extracts:
            answers = self.adapter.decode(self.questions, extract, self.at)
            found.update(dict(answers.each(self.questions)))
        return [found[position] for position in range(len(self.questions.accounts))]

    def results(self) -> list[int | str]:
        """Return units, or the reason of the gap."""
        return [a.reason if isinstance(a, Gap) else a.units for a in self.decode()]

    def changed(self, change: Callable[[Exchange], Exchange]) -> Recording:
        """Return the recording with every exchange passed through ``change``."""
        extracts = tuple(
            msgspec.structs.replace(
                extract, exchanges=tuple(change(exchange) for exchange in extract.exchanges)
            )
            for extract in self.extracts
        )
        return self._replace(extracts=extracts)


def spec(**params: Any) -> ChainSpec:
    return ChainSpec(
        id=CHAIN,
        name="anvil",
        adapter="eip155",
        address="evm",
        native=AssetId(f"{CHAIN}/slip44:60"),
        params={"chain_id": 31337, **params},
    )


def adapter(**params: Any) -> Adapter:
    return Adapter(spec(**params), NoTransport())


def load(name: str, **params: Any) -> Recording:
    """Load one file; ``params`` are added to the recorded ones of the chain."""
    document = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    made = adapter(**{**document["params"], **params})
    pins = tuple(_exchange(item) for item in document["pin"])
    at = made.snapshot(document["height"], pins)
    questions = Questions(
        kind=QueryKind(document["kind"]),
        chain=CHAIN,
        height=document["height"],
        asset=AssetId(document["asset"]),
        accounts=tuple(bytes.fromhex(text) for text in document["accounts"]),
    )
    extracts = tuple(
        Extract(
            positions=item["positions"],
            decoder=item["decoder"],
            exchanges=tuple(_exchange(exchange) for exchange in item["exchanges"]),
        )
        for item in document["extracts"]
    )
    return Recording(made, pins, at, questions, extracts)


def _exchange(item: dict[str, Any]) -> Exchange:
    return Exchange(
        request=Request(body=item["request"].encode()),
        endpoint=item["endpoint"],
        status=item["status"],
        failure=item["failure"],
        body=item["body"].encode(),
    )
