"""The made-up exchange as a process of its own; see ``crawler.demo.serving``."""

import sys
from pathlib import Path

from crawler.demo.serving import serve

if __name__ == "__main__":
    rows, directory, delay_s, anvil = sys.argv[1:]
    serve(int(rows), Path(directory), delay_s=float(delay_s), anvil=anvil == "anvil")
