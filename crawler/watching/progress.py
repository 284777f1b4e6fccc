"""What long work tells the outside. The core calls; the terminal decides what to show."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives counts. ``stage`` is a short name such as ``signatures`` or ``eip155:1``."""

    def begin(self, stage: str, total: int | None) -> None:
        """Begin a stage; ``total`` is in rows or questions, ``None`` where unknown."""

    def advance(self, stage: str, count: int) -> None:
        """Note that ``count`` more are done."""

    def note(self, text: str) -> None:
        """Show a person one line."""


class Silent:
    """Shows nothing."""

    def begin(self, stage: str, total: int | None) -> None:
        """Ignore."""

    def advance(self, stage: str, count: int) -> None:
        """Ignore."""

    def note(self, text: str) -> None:
        """Ignore."""
