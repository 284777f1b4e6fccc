"""At which height a row is asked: the list's own, unless a file fills it in or replaces it."""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.examining.ownership import Reading, examine
from crawler.lists import open_list
from crawler.settings import Heights, load_world

pytestmark = pytest.mark.unit

ETHEREUM = "eip155:1"
LIST = """coin,snapshot height,balance
ETH,-,3

coin,address,snapshot height,balance,message,signature
ETH,0x18709e89bd403f470088abdacebe86cc60dda12e,23698389,1,-,-
ETH,0x2a4bf9bbca7a91661087f52571eea36a004b83eb,-,2,-,-
BTC,143gLvWYUojXaWZRrxquRKpVNTkhmr415B,921627,3,-,-
"""


@pytest.mark.parametrize(
    ("heights", "asked"),
    [
        (Heights(), [23698389, None, 921627]),
        (Heights(at={ETHEREUM: 7}), [23698389, 7, 921627]),
        (Heights(at={ETHEREUM: 7}, replaces=True), [7, 7, 921627]),
        (Heights(at={"ETH": 7, "BTC": 8}, replaces=True), [7, 7, 8]),
        (Heights(replaces=True), [23698389, None, 921627]),
    ],
)
def test_the_lists_own_height_stands_unless_a_file_replaces_it(
    tmp_path: Path, heights: Heights, asked: list[int | None]
):
    path = tmp_path / "list.csv"
    path.write_text(LIST, encoding="utf-8")
    reading = Reading(world=load_world(), exchange="htx", heights=heights)
    batches = examine(open_list(path).batches(), reading, processes=1)
    found = [height for claims, _ in batches for height in claims["at_height"].to_pylist()]
    assert found == asked
