"""What libraries say by themselves comes out as our own lines do: one line each, JSON where asked.

asyncio tells of a task whose end nobody looked at, others of what they would do without. Python
would show it as several lines of text with a traceback, and with whatever URL stood in it.
"""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterator

from chains.endpoints import redact_url
from crawler.reports.display import visible
from crawler.watching.live import err

_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s'\"<>]+", re.IGNORECASE)


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Hear warnings and worse of all libraries while a command runs."""
    root, handler = logging.getLogger(), _Heard(logging.WARNING)
    root.addHandler(handler)
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        root.removeHandler(handler)


class _Heard(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """Say what was logged, without the traceback and without what may be a key in a URL."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit, or their own texts
            text = str(record.msg)
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            text += f": {type(error).__name__}: {error}"
        lines = filter(None, map(str.strip, text.splitlines()))
        said = _URL.sub(lambda found: redact_url(found[0]), f"{record.name}: {'; '.join(lines)}")
        err(visible(said), "library")
