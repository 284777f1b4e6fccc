"""How often Python looks for cycles of dead objects."""

from __future__ import annotations

import gc


def collect_rarely() -> None:
    """Leave out what was imported, which stays, and look at the rest less often.

    Looking through it all again and again costs a tenth of the time of judging rows.
    """
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
