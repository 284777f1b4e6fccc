"""stdout and stderr that nobody reads, that are full, or whose encoding lacks a character.

The parser and the tables' library end with 1 where a pipe breaks, which here is a proven
discrepancy. Nothing of that reaches them: it is told apart as soon as a write fails.
"""

from __future__ import annotations

import codecs
import contextlib
import errno
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

from crawler.errors import EnvironmentFault, NobodyReads, RecountError

ESCAPES = "recount.escapes"
_STRICT = ("strict", "surrogateescape")


class _Guarded:
    """A text stream. What cannot be written to it goes nowhere, and ``failed`` is told."""

    def __init__(self, stream: TextIO | None, failed: Callable[[int | None], None]) -> None:
        self._is_closed = stream is None  # as by >&-
        self._stream = open(os.devnull, "w") if stream is None else stream  # noqa: PTH123, SIM115
        self._failed = failed

    def write(self, text: str) -> int:
        """Write; raises what ``failed`` raises."""
        if self._is_closed:
            self._failed(errno.EBADF)
        with self._watched():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush; raises what ``failed`` raises."""
        with self._watched():
            self._stream.flush()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            # What waits to be written would fail once more when the interpreter ends.
            with contextlib.suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, self._stream.fileno())
                os.close(nowhere)
            self._failed(error.errno)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _stdout_failed(number: int | None) -> None:
    if number in (errno.EPIPE, errno.EBADF):
        raise NobodyReads("nobody reads stdout")
    raise EnvironmentFault(f"cannot write to stdout: {os.strerror(number or errno.EIO)}")


def _stderr_failed(_: int | None) -> None:
    """Go on: the exit code still says how the command ended."""


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Watch over both streams while a command runs."""
    codecs.register_error(ESCAPES, _escaped)
    before = sys.stdout, sys.stderr
    for stream in before:
        if getattr(stream, "errors", "") in _STRICT and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=ESCAPES)
    sys.stdout = cast("TextIO", _Guarded(before[0], _stdout_failed))
    sys.stderr = cast("TextIO", _Guarded(before[1], _stderr_failed))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(RecountError):  # the command has failed for another reason
                stream.flush()
        sys.stdout, sys.stderr = before


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""Write what an encoding lacks as ``\uXXXX``, which in JSON is the character itself."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(rf"\u{pair}" for pair in pairs), error.end
