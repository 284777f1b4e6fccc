"""What a check did, step by step, for a person: noted only while somebody listens.

``recount verify --explain`` listens for one row. Elsewhere a note costs one comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

forget: list[Callable[[], None]] = []
"""Empties the memory of each function that remembers its work: a remembered step is not noted."""

_heard: list[tuple[str, Mapping[str, str]]] | None = None


def note(step: str, **values: bytes) -> None:
    """Note a step with its values, shown as hex."""
    if _heard is not None:
        _heard.append((step, {name: value.hex() for name, value in values.items()}))


@contextmanager
def listening() -> Iterator[list[tuple[str, Mapping[str, str]]]]:
    """Collect the notes made inside the block, in order."""
    global _heard  # noqa: PLW0603 - one listener at a time, in the process of one command
    for empty in forget:
        empty()
    before = _heard
    heard: list[tuple[str, Mapping[str, str]]] = []
    _heard = heard
    try:
        yield heard
    finally:
        _heard = before
