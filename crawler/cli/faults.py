"""How a command ends that did not come to its end: one sentence on stderr, and the exit code."""

from __future__ import annotations

import asyncio
import os
import signal
import threading

import pyarrow as pa

from chains.errors import ConfigError, Fatal
from crawler.errors import RecountError, UsageError, exit_code_of
from crawler.reports.display import visible
from crawler.watching.live import err


def heed_signals() -> None:
    """Take SIGTERM, by which supervisors end a process, for what Ctrl-C is, and lose neither.

    As process 1 of a container it would be ignored otherwise. Only a main thread can say so. The
    CSV reader of pyarrow puts handlers of its own in the place of ours while it reads a block; a
    signal that comes as they go is lost.
    """
    pa.enable_signal_handlers(False)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(*_: object) -> None:
    """Interrupt, also where Ctrl-C is ignored, as in a shell's background jobs.

    There asyncio has no handler that would end its tasks in order: they are told here, by their
    loop, since the signal may have come in the middle of what cancels or ends one of them.
    """
    if callable(signal.getsignal(signal.SIGINT)):
        signal.raise_signal(signal.SIGINT)
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        raise KeyboardInterrupt from None
    loop.call_soon_threadsafe(_cancel_all, loop)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    for task in asyncio.all_tasks(loop):
        task.cancel()


def told(error: Exception) -> int:
    """Say what went wrong and return the exit code."""
    if isinstance(error, RecountError | ConfigError | Fatal):
        err(f"recount: {visible(str(error))}", "error")  # it may repeat what a node or a list says
        return exit_code_of(error)
    if isinstance(error, OSError):
        text = f"recount: {error.strerror or error}: {error.filename or ''}".rstrip(": ")
        err(visible(text), "error")
        return exit_code_of(error)
    show = getattr(error, "format_message", None)
    if show is not None:  # a usage error of the parser
        text = show()
        err(f"recount: {text}" if text else "recount: name a command, see above")
        return UsageError.exit_code
    if os.environ.get("RECOUNT_DEBUG"):
        raise error
    err(
        f"recount: a defect of recount: {type(error).__name__}: {visible(str(error))}; "
        "nothing that was finished is lost. Set RECOUNT_DEBUG=1 to see where, and please "
        "report it",
        "error",
    )
    return exit_code_of(error)
