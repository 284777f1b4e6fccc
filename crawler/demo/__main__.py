"""The demo's nodes as a process of their own; see ``crawler.demo.nodes``."""

import asyncio
import sys
from pathlib import Path

from crawler.demo.nodes import serve

asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
