"""Three accounts that are asked about, and what an attempt has to say of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from chains.model import (
    Answers,
    Exchange,
    Extract,
    Method,
    QueryKind,
    Request,
    Snapshot,
    Source,
)
from crawler.keeping.runs import FORMAT, Manifest, RunDirectory
from tests.unit.ledger_rows import ETH, EVM, HEIGHT, A, B, C, questions

ASKED = questions(QueryKind.BALANCE, ETH, [A, B, C])
AT = Snapshot(
    chain=EVM, height=HEIGHT, block_hash="0xb10c", time=1, endpoints=("one",), canaries=()
)
EXCHANGE = Exchange(request=Request(body=b"?"), endpoint="one", status=200, body=b"!")


def extract(*positions: int) -> Extract:
    return Extract(positions=list(positions), decoder="d", exchanges=(EXCHANGE,))


def answers(positions: Sequence[int], units: Sequence[int | None], **more: Any) -> Answers:
    return Answers(
        positions=positions,
        units=units,
        source=Source.SINGLE,
        method=Method.STATE,
        endpoint="one",
        **more,
    )


def new_run(path: Path) -> RunDirectory:
    return RunDirectory.create(
        path,
        Manifest(
            format=FORMAT,
            run="r",
            started="",
            versions={},
            inputs={},
            options={},
            config_sha256="",
        ),
    )
