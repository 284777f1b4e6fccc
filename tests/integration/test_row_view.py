"""One row of a run with all that it rests on: offline, decoded anew, and the same in both forms."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import capture_world
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import row_world
from made_up_run import recount
from pytest_socket import disable_socket, enable_socket
from row_world import ANOTHER, HEIGHT, ME, TIP, RowWorld

from chains.workings import Clock, Rule, Working
from crawler.crawling.evidence import Header, digest, read_pack
from crawler.crawling.replaying import ShardReplay
from crawler.errors import EnvironmentFault, UsageError
from crawler.keeping.runs import RunDirectory, shard_name
from crawler.reports import document
from crawler.rowview import rendering
from crawler.rowview.making import row_view
from crawler.rowview.records import Amount, Evidence, RowView

pytestmark = pytest.mark.integration

Made = tuple[RowWorld, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return the world and a finished run of it; its nodes are gone."""
    return asyncio.run(row_world.ran(tmp_path_factory.mktemp("rows")))


@pytest.fixture
def copy(made: Made, tmp_path: Path) -> Path:
    """Return a copy of the run that a test may change."""
    return Path(shutil.copytree(made[1], tmp_path / "run"))


def view_of(made: Made, name: str) -> RowView:
    return row_view(made[1], made[0].line(name))


def text_of(made: Made, name: str) -> str:
    return rendering.render(view_of(made, name))


def checked(run: Path, one: Evidence | None) -> int:
    """Check that every pointer leads to the exchange that it names; return how many there are."""
    assert one is not None
    lines = list(read_pack(run / one.pack))
    assert isinstance(lines[0], Header)
    extract = lines[one.line - 1]
    assert not isinstance(extract, Header)
    assert extract.decoder == one.decoder
    for pointer in one.exchanges:
        assert (pointer.pack, pointer.line) == (one.pack, one.line)
        assert digest(extract.exchanges[pointer.place]) == pointer.sha256
    assert len(one.exchanges) == len(extract.exchanges)
    return len(one.exchanges)


def test_a_plain_row_shows_what_it_says_means_and_rests_on(made: Made):
    world, run = made
    view = view_of(made, "plain")
    assert view.published.address == world.rows["plain"]["address"]
    assert view.meaning.account == ME.hex()
    assert view.meaning.claimed == Amount(str(5 * 10**18), "5")
    assert (view.ownership.status, view.ownership.reason) == ("bound", "key-derives-address")
    assert view.ownership.expected_text
    assert view.moment is not None
    assert view.moment.block_hash.endswith(f"{HEIGHT:x}")
    (answer,) = view.answers
    assert (answer.source, answer.endpoint, answer.method) == (
        "quorum",
        "EVMX+EVMX-witness",
        "state",
    )
    assert (answer.attempt, answer.attempts, answer.stands) == (1, 1, True)
    assert checked(run, answer.evidence)
    assert checked(run, answer.witness)
    assert view.balance is not None
    assert [(one.kind, one.units.coin) for one in view.balance.parts] == [("liquid", "5")]
    assert view.balance.workings == ()
    assert (view.outcome.reconciliation, view.outcome.counts, view.outcome.owned) == (
        "match", True, True,
    )  # fmt: skip
    assert view.outcome.added["owned"].coin == "5"
    text = text_of(made, "plain")
    for shown in ("quorum", answer.shard, "witness", view.moment.block_hash, "adds to owned"):
        assert shown in text


def test_a_refuted_row_shows_the_answers_that_refute_it(made: Made):
    view = view_of(made, "refuted")
    assert (view.ownership.status, view.ownership.reason) == ("refuted", "owner-not-in-control")
    assert view.ownership.before == ("signer-only", "control-unobserved")
    asked, stranger = view.ownership.rests_on
    assert asked.facts["ways"][0]["weights"] == {"0x" + ANOTHER.hex(): 1}
    assert (stranger.account, stranger.facts["plain"], stranger.round) == (ANOTHER.hex(), True, 1)
    report = json.loads((made[1] / "report.json").read_bytes())
    pointers = {
        (one["pack"], one["sha256"])
        for one in report["circumstances"]["evidence"]
        if one["row"] == made[0].line("refuted")
    }
    shown = {
        (pointer.pack, pointer.sha256)
        for one in view.ownership.rests_on
        if checked(made[1], one.evidence) and one.evidence
        for pointer in one.evidence.exchanges
    }
    assert pointers
    assert pointers == shown
    assert (view.outcome.counts, view.outcome.owned) == (True, False)
    assert "owned" not in view.outcome.added
    assert ANOTHER.hex() in text_of(made, "refuted")


def test_a_row_whose_owner_is_in_control_shows_by_which_answer(made: Made):
    view = view_of(made, "controlled")
    assert view.ownership.status == "controlled"
    (asked,) = view.ownership.rests_on
    assert asked.facts["ways"][0]["weights"] == {"0x" + ME.hex(): 1}
    assert view.outcome.owned


def test_a_token_that_was_taken_back_shows_every_movement(made: Made):
    view = view_of(made, "rolled token")
    assert view.balance is not None
    (working,) = view.balance.workings
    assert (working.rule, working.clock, working.whole) == (Rule.BACK, Clock.MILLISECONDS, True)
    assert working.start == Amount("1000210", "1.00021")
    assert (working.came.base, working.went.base) == ("300", str(10 * row_world.MOVES))
    assert len(working.movements) == 1 + row_world.MOVES
    assert working.result == view.balance.sum == Amount("1000000", "1")
    assert len({one.id for one in working.movements}) == len(working.movements)
    balance, fact = view.answers
    assert (balance.method, fact.kind) == ("rolled-back", "asset-fact")
    assert fact.facts["decimals"] == 6
    text = text_of(made, "rolled token")
    assert "10 movements" in text
    assert text.count("Transfer") == 6
    assert "0.0003 (300 base units)" in text


def test_a_coin_that_was_taken_back_shows_tip_and_transactions(made: Made):
    view = view_of(made, "rolled coin")
    assert view.balance is not None
    (working,) = view.balance.workings
    assert (working.rule, working.start_at, working.at) == (Rule.BACK, TIP, HEIGHT)
    assert working.start == Amount("100000003", "1.00000003")
    assert [one.units and one.units.base for one in working.movements] == ["-3900000000", "3"]
    assert [one.id for one in working.movements] == [p.txid for p in row_world.payments()[2:]]
    assert working.result.coin == "40"
    assert any(one.names_account for one in view.answers[0].evidence.exchanges)  # type: ignore[union-attr]


def test_a_height_that_cannot_be_read_is_named(made: Made):
    view = view_of(made, "untouched coin")
    replace = msgspec.structs.replace
    unread = replace(
        view,
        published=replace(view.published, height="20000000.0"),
        meaning=replace(view.meaning, height=None),
    )
    shown = " ".join(rendering.render(unread).split())
    assert "height 20000000.0: The list's height for this row cannot be read." in shown
    empty = replace(unread, published=replace(view.published, height="-"))
    assert "height none" in " ".join(rendering.render(empty).split())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("untouched account", "newest transaction that names the account is not after the slot"),
        ("unnamed account", "all transactions of the 7 blocks after it"),
        ("untouched coin", "lists 0 transactions above the height"),
    ],
)
def test_an_untouched_balance_shows_why_it_is_that_of_the_height(made: Made, name: str, shown: str):
    view = view_of(made, name)
    assert view.balance is not None
    (working,) = view.balance.workings
    assert working.rule is Rule.UNTOUCHED
    assert working.start == working.result == view.balance.sum == view.outcome.observed
    assert (working.start_at or 0) > working.at == HEIGHT
    assert view.outcome.method == "untouched"
    assert shown in text_of(made, name)


@pytest.mark.parametrize(
    ("name", "gap"),
    [
        ("gap", "unknown-network"),
        ("silent", "no-usable-endpoint"),
        ("pruned", "state-pruned"),
        ("unpinned", "no-endpoint"),
    ],
)
def test_a_gap_is_a_reason_and_never_a_zero(made: Made, name: str, gap: str):
    view = view_of(made, name)
    assert (view.balance, view.outcome.observed, view.outcome.gap) == (None, None, gap)
    assert (view.outcome.reconciliation, view.outcome.difference) == ("unobserved", None)
    assert "recounted" not in view.outcome.added
    assert all(one.units is None for one in view.answers)
    text = text_of(made, name)
    assert f"{gap}: " in text
    assert "\n  observed" not in text
    assert json.loads(document.canonical(view))["outcome"]["observed"] is None


def test_a_gap_shows_the_evidence_of_who_did_not_answer(made: Made):
    (pruned,) = view_of(made, "pruned").answers
    assert checked(made[1], pruned.evidence)
    assert pruned.stands
    for name, reason in (("silent", "no-usable-endpoint"), ("unpinned", "no-endpoint")):
        view = view_of(made, name)
        assert view.moment is not None
        assert view.moment.reason == reason
        (unasked,) = view.answers
        assert (unasked.gap, unasked.attempt, unasked.evidence) == (reason, 0, None)
        assert unasked.stands


def test_nothing_of_the_list_can_act_on_a_terminal(made: Made):
    text = text_of(made, "gap")
    assert "⟨U+001B⟩[31mhidden⟨U+202E⟩" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_repeat_names_the_row_that_counts(made: Made):
    first, second = made[0].line("plain"), made[0].line("repeat")
    view = view_of(made, "repeat")
    assert (view.outcome.validity, view.outcome.same_account) == (f"repeat-of:{first}", (first,))
    assert view_of(made, "plain").outcome.same_account == (second,)
    assert (view.outcome.counts, view.outcome.reconciliation) == (False, "")
    assert {name: one.coin for name, one in view.outcome.added.items()} == {"excluded": "5"}


def test_what_the_rows_add_is_the_totals_of_their_coins(made: Made):
    views = [view_of(made, name) for name in made[0].rows]
    for coin in {view.meaning.counts_as for view in views}:
        own = [view.outcome for view in views if view.meaning.counts_as == coin]
        for name, total in own[0].coin_totals.items():
            added = [int(one.added[name].base) for one in own if name in one.added]
            factor = 10 ** next(v.meaning.decimals for v in views if v.meaning.counts_as == coin)
            whole, _, rest = (total or "0").partition(".")
            digits = len(str(factor)) - 1
            assert sum(added) == int(whole + rest.ljust(digits, "0")), (coin, name)
            assert (total is None) <= (not added)


async def test_both_forms_come_from_the_command_line(made: Made):
    line = made[0].line("rolled coin")
    code, out, err = await recount("report", str(made[1]), "--row", str(line), "--json")
    assert (code, err) == (0, "")
    assert out.encode() == document.canonical(row_view(made[1], line))
    code, out, err = await recount("report", str(made[1]), "--row", str(line))
    assert (code, err) == (0, "")
    assert out == text_of(made, "rolled coin")


def test_what_is_no_row_or_no_finished_run_is_an_error(made: Made, copy: Path, tmp_path: Path):
    for line in (1, 9_999):
        with pytest.raises(UsageError, match=f"line {line} is no row"):
            row_view(copy, line)
    (copy / "report.json").unlink()
    with pytest.raises(UsageError, match="finish the run"):
        row_view(copy, made[0].line("plain"))
    with pytest.raises(UsageError, match="no run directory"):
        row_view(tmp_path / "elsewhere", 2)


def test_a_view_opens_no_socket(made: Made):
    disable_socket()
    try:
        assert [view_of(made, name).published.row for name in made[0].rows]
    finally:
        enable_socket()


def test_a_view_neither_needs_the_lock_nor_writes_anything(made: Made, copy: Path):
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
    run = RunDirectory.open(copy)
    try:
        assert row_view(copy, made[0].line("plain")).published.row == made[0].line("plain")
    finally:
        run.close()
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("plain", {"observed": "4"}),
        ("refuted", {"status": "bound", "reason": "key-derives-address"}),
        ("repeat", {"validity": "valid"}),
        ("repeat", {"validity": "valid", "group": 77}),
        ("silent", {"gap": "", "observed": "100000000"}),
        ("rolled coin", {"method": "proof"}),
    ],
)
def test_a_ledger_that_says_something_else_than_the_evidence_is_an_error(
    made: Made, copy: Path, name: str, change: Mapping[str, Any]
):
    line = made[0].line(name)
    stored = pq.read_table(copy / "rows.parquet")
    rows = stored.to_pylist()
    for record in rows:
        record.update(change if record["row"] == line else {})
    pq.write_table(pa.Table.from_pylist(rows, stored.schema), copy / "rows.parquet")
    with pytest.raises(EnvironmentFault, match="gives another"):
        row_view(copy, line)


def test_answers_that_the_evidence_does_not_give_are_an_error(made: Made, copy: Path):
    shard = view_of(made, "rolled coin").answers[0].shard
    run = RunDirectory.open(copy, lock=False)
    name = shard_name(shard, 1)
    table = run.read_table(name)
    units = ["1" if one == "4000000000" else one for one in table["units"].to_pylist()]
    at = table.schema.get_field_index("units")
    run.write_table(name, table.set_column(at, table.schema.field(at), pa.array(units)))
    with pytest.raises(EnvironmentFault, match="gives another units than was stored"):
        row_view(copy, made[0].line("rolled coin"))
    assert row_view(copy, made[0].line("plain")).outcome.counts  # another shard: not concerned


@pytest.mark.parametrize("changed", [{"start": 7}, {"start": 4, "movements": (), "result": 4}])
def test_steps_that_do_not_give_the_balance_are_an_error(
    made: Made, monkeypatch: pytest.MonkeyPatch, changed: Mapping[str, Any]
):
    real = ShardReplay.workings

    def wrong(*asked: Any) -> list[Working]:
        return [msgspec.structs.replace(one, **changed) for one in real(*asked)]

    monkeypatch.setattr(ShardReplay, "workings", wrong)
    with pytest.raises(EnvironmentFault, match="do not give the 4000000000"):
        view_of(made, "rolled coin")


def test_a_missing_part_of_the_list_is_an_error(made: Made, copy: Path):
    next((copy / "claims").iterdir()).unlink()
    with pytest.raises(EnvironmentFault, match="files of claims"):
        row_view(copy, made[0].line("plain"))


def test_evidence_that_is_gone_is_an_error(made: Made, copy: Path):
    evidence = view_of(made, "plain").answers[0].evidence
    assert evidence is not None
    (copy / evidence.pack).unlink()
    with pytest.raises(EnvironmentFault):
        row_view(copy, made[0].line("plain"))


async def test_a_captured_balance_shows_the_capture_that_it_was_taken_from(tmp_path: Path):
    async with capture_world.world(tmp_path) as world:
        rows = world.rows(amounts=True, networks=["EOSX"])
        table = world.write("addresses.csv", world.rows(amounts=False, networks=["EOSX"]))
        code, _, err = await world.command("capture", table, tmp_path / "capture")
        assert code == 0, err
        world.move_on("EOSX")
        given = f"--captured={tmp_path / 'capture'}"
        published = world.write("list.csv", rows)
        code, _, err = await world.command("run", published, tmp_path / "run", given)
        assert code == 0, err
    view = row_view(tmp_path / "run", 2)
    own, taken = view.answers
    assert (own.gap, own.stands, taken.stands) == ("no-history", False, True)
    assert taken.shard.startswith("captured/")
    assert checked(tmp_path / "run", taken.evidence)
    assert view.outcome.method == "captured"
    assert view.balance is not None
    assert view.balance.sum.base == taken.units == str(capture_world.RICH)
    assert "by another run that this one was given" in rendering.render(view)
    with pytest.raises(UsageError, match="is a capture"):
        row_view(tmp_path / "capture", 2)
