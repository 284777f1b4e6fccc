"""The made-up exchange as a process of its own; see ``crawler.demo.serving``."""

import sys
from pathlib import Path

from crawler.demo.serving import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]), delay_s=float((sys.argv[3:] or ["0"])[0]))
