"""The page in a real browser: nothing leaves, nothing runs, nothing overflows.

Needs chromium; without it the tests are skipped and say how to install it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / "unit"))  # where the sample reports live

from report_samples import sample
from report_variants import hostile, twenty_two

from crawler.reports import html

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PROBE = "<script>document.documentElement.dataset.ran = 'yes'</script>"

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        CHROMIUM is None,
        reason="chromium is not installed: apt-get update && apt-get install -y chromium",
    ),
]


class Listener(ThreadingHTTPServer):
    """Writes down whatever a page asks for."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Listener)
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def dump(source: str, folder: Path, *flags: str) -> str:
    """Return the document as chromium has it after running whatever it would run."""
    page = folder / "report.html"
    page.write_text(source, encoding="utf-8")
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu",
        "--disable-background-networking", "--disable-component-update", "--disable-sync",
        "--no-first-run", f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom",
        page.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, timeout=100, check=True)
    return done.stdout.decode()


def measured(source: str, folder: Path, width: int) -> int:
    """Return by how many pixels the page is wider than a window of ``width``.

    The page itself runs nothing, so its policy is taken away and a script put in.
    """
    script = (
        "<script>addEventListener('load', () => { const d = document.documentElement;"
        " d.dataset.over = d.scrollWidth - innerWidth })</script>"
    )
    opened = re.sub(r"<meta http-equiv[^>]*>", "", source).replace("</body>", f"{script}</body>")
    found = re.search(r'data-over="(-?\d+)"', dump(opened, folder, f"--window-size={width},900"))
    assert found
    return int(found[1])


def test_the_probe_of_these_tests_would_notice(tmp_path: Path, listener: Listener) -> None:
    """Show that a script and a request are seen where no policy forbids them."""
    source = f'<!DOCTYPE html><body>{PROBE}<img src="{listener.url}/seen"></body>'
    assert 'data-ran="yes"' in dump(source, tmp_path)
    assert listener.asked == ["/seen"]


def test_the_policy_of_the_page_stops_scripts_and_requests(
    tmp_path: Path, listener: Listener
) -> None:
    planted = (
        f'{PROBE}<img src="{listener.url}/image"><link rel="stylesheet" href="{listener.url}/css">'
        f'<iframe src="{listener.url}/frame"></iframe>'
        f"<style>body{{background:url({listener.url}/background)}}</style>"
    )
    document = dump(html.render(sample()).replace("<main>", f"{planted}<main>"), tmp_path)
    assert "data-ran" not in document
    assert listener.asked == []


def test_hostile_text_builds_no_elements(tmp_path: Path) -> None:
    document = dump(html.render(hostile()), tmp_path)
    for tag in ("script", "img", "iframe", "object", "embed", "form", "link", "base"):
        assert not re.search(rf"<{tag}[\s>]", document), tag
    assert document.count("<style>") == 1
    assert not re.search(r"<[^>]*\son[a-z]+=", document)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in document


@pytest.mark.parametrize("width", [500, 800, 1280])
def test_the_page_never_scrolls_sideways(tmp_path: Path, width: int) -> None:
    for number, report in enumerate((sample(), hostile(), twenty_two())):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert measured(html.render(report), folder, width) <= 0
