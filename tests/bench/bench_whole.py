"""One whole ``recount run`` of ten million rows, with all there is, as ``bench_run`` has its own.

    python -m tests.bench whole
    python -m tests.bench.bench_whole [ROWS]

Not among those of ``make bench``: making the list, running and the other side, which needs 16 GB,
take 35 minutes on two idle cores. Prints one JSON line, with the commit and the time it is of.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

from tests.bench.bench_run import figures, run
from tests.bench.commit import commit

ROWS = 10_000_000


def main() -> None:
    """Run it and print one JSON line."""
    rows = int(sys.argv[1]) if sys.argv[1:] else ROWS
    took, nodes, _ = run(rows)
    of = {"commit": commit(), "date": datetime.now(UTC).isoformat(timespec="seconds")}
    sys.stdout.write(json.dumps({"bench": "whole", **figures(rows, took, nodes), **of}) + "\n")


if __name__ == "__main__":
    main()
