"""How many inputs generated tests try: ``make fuzz`` sets ``RECOUNT_FUZZ`` to try more of them."""

from __future__ import annotations

import os

MORE = "RECOUNT_FUZZ"


def inputs(usual: int) -> int:
    """Return ``usual`` times what ``RECOUNT_FUZZ`` says."""
    return usual * int(os.environ.get(MORE, "1"))
