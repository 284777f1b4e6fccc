"""What stops a command, and with which exit code.

    RecountError
    ├── UsageError        wrong arguments, unreadable list or config     → exit 2
    │   └── ListError     a published file that no dialect can read
    ├── EnvironmentFault  disk, damaged run directory, endpoints disagree → exit 4
    └── NobodyReads       stdout was closed before everything was written → exit 141

Faults of single questions are never exceptions here: they are ``Gap``s.
"""

from __future__ import annotations

from asyncio import CancelledError

from chains.errors import ConfigError

INTERRUPTED = 130


class RecountError(Exception):
    """Base. ``str()`` says what happened, what was expected and what to do."""

    exit_code = 2


class UsageError(RecountError):
    """The command, a file it names or the configuration is wrong."""

    exit_code = 2


class ListError(UsageError):
    """A published list cannot be read; the message names the file and what was looked for."""


class EnvironmentFault(RecountError):
    """The surroundings failed: disk, run directory, endpoints that contradict each other."""

    exit_code = 4


class NobodyReads(RecountError):
    """Whoever read stdout has gone, as ``head`` does: no failure, and nothing more to say."""

    exit_code = 141
    """What a shell makes of SIGPIPE."""


def came_of_interrupt(error: BaseException | None) -> bool:
    """Tell whether an error is an interrupt, or what tidying up after one has run into."""
    if isinstance(error, CancelledError):  # of everything; below another error it is a time-out's
        return True
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def exit_code_of(error: BaseException) -> int:
    """Return the exit code of a command that ends with this error."""
    if came_of_interrupt(error):
        return INTERRUPTED
    if isinstance(error, RecountError):
        return error.exit_code
    if isinstance(error, ConfigError):
        return UsageError.exit_code
    return EnvironmentFault.exit_code
