"""Asking strangers: only when told to, and said aloud each time."""

from __future__ import annotations

from crawler.endpoints import PUBLIC, public_file
from crawler.errors import UsageError
from crawler.keeping.runs import RunDirectory
from crawler.keeping.storage import RunPlace
from crawler.watching.live import err


def whom(endpoints: str, *, public: bool) -> str:
    """Return whom to ask: the file that was named, or the word for the public examples.

    Raises ``UsageError`` where both were named.
    """
    if public and endpoints:
        raise UsageError("--endpoints and --public-endpoints exclude each other; name one")
    return PUBLIC if public else endpoints


def chosen_before(run: RunPlace) -> str:
    """Return whom a run was told to ask when it began."""
    return str(RunDirectory.open(run, lock=False).manifest.options.get("endpoints", ""))


def say_if_public(endpoints: str) -> None:
    """Say that strangers are about to be asked; not even ``--quiet`` silences this."""
    if endpoints == PUBLIC:
        err(
            f"recount: asking the public endpoints of {public_file().name}: unverified examples, "
            "one request a second each; they see which addresses and heights you look at"
        )
