"""Every target of ``tests/fuzz`` for a moment: its seeds, what broke once, and some mutations.

Campaigns that are guided by coverage are run by ``make fuzz-guided``.
"""

from __future__ import annotations

import ast
import contextlib
import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import iter_modules
from types import FrameType

import pytest

from chains import adapters
from chains.control import decode as decode_control
from chains.model import Observation, QueryKind
from crawler.errors import ListError
from crawler.lists import generic_rows
from crawler.lists.archives import Source
from crawler.lists.published import open_list
from crawler.settings import load_world
from tests.fuzz import answers, further, raw, table, tokens
from tests.fuzz.answers import NO_HEAD
from tests.fuzz.asking import Lying, Talk, TooMuch
from tests.fuzz.contract import Case, Direct, cases
from tests.fuzz.further import Further
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
    wanted |= {f"ask {case.name}" for case in cases()}
    wanted |= {f"decode {name} further" for name in known}
    assert wanted <= set(TARGETS)


ONLY_NAMED = {
    ("antelope", "permission-linked"): "stands in the same answer as the other permissions",
    ("eip155", "contract-signature"): "is answered by facts, to questions of a kind of its own",
    ("substrate", "native"): "the native coin of a chain without a registered number",
}
"""What is declared and comes about in no answer of ``fixtures/answers``, and why it need not."""


def test_all_that_adapters_declare_comes_about_in_a_seed() -> None:
    """A new asset, method or way of control is a seed, or this test names it."""
    shipped = load_world().chains.values()
    missing = set()
    for module in iter_modules(adapters.__path__):
        specs = [spec for spec in shipped if spec.adapter == module.name]
        can = [adapters.load(module.name).capabilities, *map(adapters.capabilities, specs)]
        wanted = {one for each in can for one in (*each.assets, *each.methods, *each.control)}
        wanted |= {QueryKind.PROOF for each in can if each.proof_questions}
        missing |= {(module.name, str(one)) for one in wanted - come_about(module.name)}
    assert missing == set(ONLY_NAMED)


def come_about(adapter: str) -> set[str]:
    """Return kinds, asset namespaces, methods and ways of control that are among the seeds."""
    found: set[str] = set()
    seeds = Further(adapter)
    for told, honest in zip(seeds.told, seeds.honest, strict=True):
        for one in (each for each in honest.values() if isinstance(each, Observation)):
            found |= {told.kind, told.asset.partition("/")[2].partition(":")[0], one.method}
            if told.kind is QueryKind.CONTROL:
                found |= {way.kind for way in decode_control(one.facts).ways}
    return found


WITHOUT_NODE = {
    "bip122/__init__.py": {"bulk_source", "reread"},
    "bip122/dump_files.py": {"read_dump_header", "scanned", "source", "_unreadable"},
    "bip122/moment.py": {"_dump_says"},
}
"""Of a file on this machine; ``utxo dump`` is the target of what is in it."""
WHILE_ASKING = {
    "bip122/rpc.py": {"read_reward_id"},
    "eip155/balances.py": {"_is_too_large"},
    "eip155/pinning.py": {"_fail_where_asking_again_may_help", "_reject_the_silent"},
    "eip155/proofs.py": {"_is_too_large"},
    "tron/pinning.py": {"serves_no_solid_head"},
    "tvm/wire.py": {"may_pass"},
    "aptos/control.py": {"owners"},
}
"""They choose the next question: the targets ``ask …`` reach them."""
FOR_ONE_ROW = {
    "hedera/__init__.py": {"_working"},
    "tron/facts.py": {"_missing"},
    "xrpl/wire.py": {"_failed"},
}
"""Words about what was decoded before."""


def test_every_function_that_reads_an_answer_is_entered_by_a_seed() -> None:
    """A new decoder is entered by a seed, or this test names it."""
    folder = Path(adapters.__file__).parent
    entered: set[tuple[str, int]] = set()

    def look(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(str(folder)):
            entered.add((frame.f_code.co_filename, frame.f_code.co_firstlineno))

    for target in (one for module in (answers, tokens, further, raw) for one in module.TARGETS):
        seeds = target.seeds()
        sys.setprofile(look)
        try:
            for seed in seeds:
                target.check(seed)
        finally:
            sys.setprofile(None)
    found: dict[str, set[str]] = {}
    for file in sorted(folder.rglob("*.py")):
        for reader in readers(file):
            first = min([reader.lineno, *(one.lineno for one in reader.decorator_list)])
            if (str(file), first) not in entered:
                found.setdefault(file.relative_to(folder).as_posix(), set()).add(reader.name)
    assert found == {**WITHOUT_NODE, **WHILE_ASKING, **FOR_ONE_ROW}


def readers(file: Path) -> Iterator[ast.FunctionDef]:
    """Yield the functions of a module that take exchanges or make them."""
    for one in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(one, ast.FunctionDef):
            returned = ast.unparse(one.returns) if one.returns else ""
            if "Exchange" in ast.unparse(one.args) + returned:
                yield one


def test_a_conversation_that_never_ends_is_broken() -> None:
    talk = Talk(cases()[0], Direct(cases()[0].node(), ()))
    assert len(talk.said) > 2
    with pytest.raises(TooMuch):
        talk.through(Lying(talk.honest, most=len(talk.said) - 1))


def test_a_number_that_an_answer_does_not_say_is_broken() -> None:
    case = next(one for one in cases() if one.name == "near")
    talk = Talk(case, Direct(case.node(), ()))
    another = {account: units + 1 for account, units in case.ledger.items()}
    talk.case = Case(**{**vars(case), "ledger": another})
    with pytest.raises(AssertionError):
        talk.through(Lying(talk.honest))


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
