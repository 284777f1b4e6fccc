"""How a balance of another moment became that of the height: told only while somebody listens.

An adapter that takes a balance back (or on) to the height, or finds that nothing changed since,
decodes a number and forgets the rest. ``recount report RUN --row N`` decodes the same bytes again,
listens for one account, and is told the steps. Elsewhere a ``tell`` costs one comparison, and no
answer depends on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from typing import ParamSpec

import msgspec

P = ParamSpec("P")


class Rule(StrEnum):
    """How ``result`` follows from the rest of a ``Working``."""

    BACK = "back"
    """``start`` less all ``movements``: they came after the height."""
    FORWARD = "forward"
    """``start`` and all ``movements``: they came up to the height."""
    BETWEEN = "between"
    """What the last movement up to the height left and the first after it found."""
    UNTOUCHED = "untouched"
    """``start``: nothing changed it in between."""


class Clock(StrEnum):
    """What ``at`` counts: blocks, slots, or Unix time in milliseconds or nanoseconds."""

    HEIGHT = "height"
    SLOT = "slot"
    MILLISECONDS = "milliseconds"
    NANOSECONDS = "nanoseconds"


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that changed a balance: ``units`` came in or, below zero, went out.

    ``id`` is the protocol's name of the transaction, ``""`` where it tells none. ``found`` and
    ``left`` are the balances before and after it, where the record states them.
    """

    units: int | None
    at: int
    id: str = ""
    what: str = ""
    found: int | None = None
    left: int | None = None


class Working(msgspec.Struct, frozen=True, kw_only=True):
    """How the balance of one account, or the part ``of`` it, was worked out, in base units.

    ``start`` is the balance at the other moment ``start_at``; it is ``None`` where there is none.
    ``last`` is the newest change that is known up to the height. ``shown`` says what shows that
    there was nothing else. ``whole``: together with the others about the same account this is all
    of the balance.
    """

    rule: Rule
    clock: Clock
    height: int
    result: int
    start: int | None = None
    start_at: int | None = None
    movements: tuple[Movement, ...] = ()
    last: Movement | None = None
    of: str = ""
    shown: str = ""
    whole: bool = True

    def holds(self) -> bool:
        """Tell whether ``result`` follows from the rest."""
        if self.rule is Rule.BETWEEN:
            return self._is_between()
        if self.start is None:
            return False
        moved = sum(one.units or 0 for one in self.movements)
        known = all(one.units is not None for one in self.movements)
        sign = {Rule.BACK: -1, Rule.FORWARD: 1}.get(self.rule, 0)
        return known and self.result == self.start + sign * moved

    def _is_between(self) -> bool:
        before = [one.left for one in self.movements if one.at <= self.height]
        after = [one.found for one in self.movements if one.at > self.height]
        around = [*before[-1:], *after[:1]]
        return bool(around) and all(one == self.result for one in around)


class _Listener(msgspec.Struct):
    account: bytes
    told: dict[str, Working]


_listener: _Listener | None = None


def is_wanted(account: bytes) -> bool:
    """Tell whether somebody listens for this account."""
    return _listener is not None and _listener.account == account


def is_listened() -> bool:
    """Tell whether somebody listens at all: where the account's bytes cost something to make."""
    return _listener is not None


def tell(account: bytes, working: Callable[P, Working], *args: P.args, **kwargs: P.kwargs) -> None:
    """Tell how an account's balance was worked out; of the same part the last word stands."""
    if _listener is not None and _listener.account == account:
        told = working(*args, **kwargs)
        _listener.told[told.of] = told


@contextmanager
def listening(account: bytes) -> Iterator[dict[str, Working]]:
    """Collect what is told about an account inside the block, by part."""
    global _listener  # noqa: PLW0603 - one listener at a time, in the process of one command
    before = _listener
    listener = _Listener(account, {})
    _listener = listener
    try:
        yield listener.told
    finally:
        _listener = before


def in_time(movements: Sequence[Movement]) -> tuple[Movement, ...]:
    """Return movements with the oldest first."""
    return tuple(sorted(movements, key=lambda one: one.at))
