"""Every target of ``tests/fuzz`` for a moment: its seeds, what broke once, and some mutations.

Campaigns that are guided by coverage are run by ``make fuzz-guided``.
"""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Iterator
from pathlib import Path
from pkgutil import iter_modules

import pytest

from chains import adapters
from crawler.errors import ListError
from crawler.lists import generic_rows
from crawler.lists.archives import Source
from crawler.lists.published import open_list
from tests.fuzz import table
from tests.fuzz.answers import NO_HEAD
from tests.fuzz.contract import cases
from tests.fuzz.mutation import mutated, with_another_value
from tests.fuzz.target import Target, file_with, leave_place
from tests.fuzz.targets import MODULES, TARGETS
from tests.fuzzing import inputs

pytestmark = pytest.mark.property

TRIED = inputs(40)


@pytest.fixture(autouse=True)
def own_place() -> Iterator[None]:
    yield
    leave_place()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_seeds_and_some_mutations_hold_what_the_target_promises(target: Target) -> None:
    seeds = target.seeds()
    assert seeds
    for seed in seeds:
        target.timed(seed)
    rng = random.Random(target.name)
    for _ in range(TRIED):
        data = mutated(seeds, rng)
        try:
            target.timed(data)
        except Exception as error:
            raise AssertionError(f"{target.name}: {data[:2000]!r}") from error


def test_a_target_that_breaks_is_told() -> None:
    def check(data: bytes) -> None:
        assert b"\xff" not in data

    broken = Target("broken", lambda: [b"seed"], check)
    with pytest.raises(AssertionError):
        test_seeds_and_some_mutations_hold_what_the_target_promises(broken)


def test_no_two_targets_have_one_name() -> None:
    assert len(TARGETS) == sum(len(module.TARGETS) for module in MODULES)


def test_every_adapter_is_a_target_in_all_that_it_reads() -> None:
    known = {module.name for module in iter_modules(adapters.__path__)}
    assert known == {case.spec.adapter for case in cases()}
    wanted = {
        f"{kind} {case.name}"
        for case in cases()
        for kind in ("decode", "pin", "head")
        if kind != "head" or case.name not in NO_HEAD
    }
    assert wanted <= set(TARGETS)


def test_every_dialect_and_every_form_of_a_list_is_a_target() -> None:
    folder = Path(generic_rows.__file__).parent
    texts = [file.read_text(encoding="utf-8") for file in folder.glob("*.py")]
    told = {name for text in texts for name in re.findall(r'dialect="([^"]+)"', text)}
    assert len(told) > 4
    dialects, forms = set(), set()
    for target in (one for name, one in TARGETS.items() if name.startswith("list ")):
        for seed in target.seeds():
            path = file_with(seed)
            with contextlib.suppress(ListError):
                dialects.add(open_list(path).dialect)
                forms.add(generic_rows.sniff(Source(path)))
    assert told <= dialects
    assert {f"okx-monthly-{columns}" for columns in (7, 9, 11, 12)} <= dialects
    assert forms == {"parquet", "workbook", "yaml", "jsonl", "csv"}


def test_one_value_is_changed_and_json_stays_json() -> None:
    rng = random.Random(1)
    seed = b'\x07{"a":[1,{"b":"c"}],"d":null}'
    made = {with_another_value(seed, rng) for _ in range(200)}
    assert len(made) > 50
    whole = [one for one in made if one is not None and b"[[[" not in one and one[1:]]
    assert all(one.startswith(b"\x07") for one in whole)
    assert with_another_value(b"no json", rng) is None


def test_the_table_of_a_campaign_is_what_was_counted() -> None:
    lines = [table.Line("a", 2, 5, 12345, 8, 99), table.Line("b", 1, 0, 7, 8, 50)]
    made = table.text(lines, guided=False)
    assert "2 targets,\n12,352 inputs" in made
    assert made.endswith("| `a` | 2 | 5 | 12,345 | 8 | 99 |\n| `b` | 1 | - | 7 | 8 | 50 |\n")
    again = table.Line("b", 1, 3, 8, 30, 50)
    assert table.joined(made, [again], ["b", "a", "new"]) == [again, lines[0]]
    assert table.joined(made, [], ["a", "b"]) == lines
