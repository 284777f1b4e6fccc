"""The page: inert, complete, the same bytes for the same report."""

from __future__ import annotations

import io
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import msgspec
import pytest
from report_samples import result, sample
from report_variants import HOSTILE, all_good, empty, hostile, many, twenty_two, with_result
from rich.console import Console

from crawler.reasons import sentence
from crawler.reports import display, document, html, summary, terminal
from crawler.result import EvidencePointer, Finding, Report

pytestmark = pytest.mark.unit

GOLDEN = Path(__file__).parents[2] / "fixtures" / "reports"
UPDATE = "if that is meant: RECOUNT_UPDATE_GOLDEN=1 pytest tests/unit/test_reports_html.py"


class Page(HTMLParser):
    """Collects elements, attributes and text."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str, str]] = []
        self.parts: list[str] = []
        self._open: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self._open.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        self._open.append("/" + tag)

    def handle_data(self, data):
        if self._open[-1:] != ["style"]:
            self.parts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", "".join(self.parts))

    def classes(self) -> set[str]:
        return {
            word for _, name, value in self.attributes if name == "class" for word in value.split()
        }


def page(report: Report) -> Page:
    return Page(html.render(report))


def shown(value: str | None) -> str:
    return display.amount(value, None).replace("-", "\N{MINUS SIGN}")


def test_the_golden_page_and_document_are_reproduced() -> None:
    pages = {
        "golden.json": document.encode(sample()),
        "golden.html": html.render(sample()).encode(),
    }
    for name, data in pages.items():
        if os.environ.get("RECOUNT_UPDATE_GOLDEN"):
            (GOLDEN / name).write_bytes(data)
        assert data == (GOLDEN / name).read_bytes(), f"{name} differs; {UPDATE}"


def test_the_page_of_a_decoded_report_is_the_same() -> None:
    assert html.render(sample()) == html.render(document.decode(document.encode(sample())))


def test_hostile_text_adds_no_element_attribute_or_class() -> None:
    bad, good = page(hostile()), page(sample())
    assert bad.tags <= good.tags
    assert {(t, n) for t, n, _ in bad.attributes} <= {(t, n) for t, n, _ in good.attributes}
    assert bad.classes() <= good.classes() | {"k-other", "v-other"}


def test_hostile_text_reaches_no_attribute() -> None:
    values = " ".join(value for _, name, value in page(hostile()).attributes if name != "content")
    for word in ("alert", "javascript", "evil", "onerror", "HYPERLINK", "script", "U+", "raw"):
        assert word not in values


def test_hostile_text_is_shown_as_text() -> None:
    text = page(hostile()).text
    for bad in HOSTILE:
        assert display.visible(bad) in text
    assert "{{ 7*7 }}" in text


def test_no_hidden_character_is_in_the_page() -> None:
    source = html.render(hostile())
    assert display.visible(source.replace("\n", "")) == source.replace("\n", "")


def test_nothing_in_the_page_can_make_a_request() -> None:
    for report in (sample(), hostile(), twenty_two()):
        source, parsed = html.render(report), page(report)
        assert not parsed.tags & {"script", "img", "link", "iframe", "object", "form", "base"}
        links = {v for _, n, v in parsed.attributes if n in ("href", "src", "xlink:href", "action")}
        assert all(link.startswith("#") for link in links)
        style = re.search(r"<style>(.*?)</style>", source, re.DOTALL)
        assert style
        assert not re.search(r"url\(|@import", style[1])
        assert not [n for _, n, _ in parsed.attributes if n.startswith("on")]
        assert "default-src 'none'" in source


def test_every_link_of_the_page_leads_somewhere() -> None:
    attributes = page(sample()).attributes
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(set(ids)) == len(ids)
    targets = {v.removeprefix("#") for _, n, v in attributes if n in ("href", "aria-labelledby")}
    assert targets <= set(ids)


def test_amounts_shown_are_those_of_the_report() -> None:
    text = page(sample()).text
    for line in result().assets:
        assert shown(line.claimed) in text
        for name, group in line.reconciliation.items():
            if group.rows:
                assert shown(group.claimed) in text
            if group.rows and name != "unobserved":
                assert shown(group.observed) in text
                assert shown(group.difference) in text
        for owned in line.ownership:
            assert shown(owned.claimed) in text
        for network in line.networks:
            assert shown(network.claimed) in text
    for total in result().totals:
        assert shown(total.stated) in text
        assert total.difference is None or shown(total.difference) in text
    for ratio in result().ratios:
        assert ratio.claimed is None or f"{ratio.claimed}%" in text
    for row in result().discrepancies:
        assert shown(row.claimed) in text
        assert f"{row.row}{row.kind}" in text.replace(" ", "")
        assert display.visible(row.address) in text


def test_what_was_not_looked_at_never_reads_as_zero() -> None:
    line = next(line for line in result().assets if line.asset == "APT")
    text = page(with_result(assets=(line,), ratios=(), findings=(), discrepancies=())).text
    reconciliation = text.partition("Rows of the list against")[2].partition("Ownership")[0]
    assert reconciliation.count("not known") == 3
    assert not re.search(r"(?<![\d.,])0(?![\d.,])", reconciliation)
    assert "Nothing was recounted: no asset could be looked at." in text


def test_what_was_found_in_part_is_a_lower_bound() -> None:
    line = next(line for line in result().assets if line.asset == "ETH")
    text = page(with_result(assets=(line,))).text
    assert f"≥ {shown(line.observed)}" in text


def test_the_first_sentence_names_what_does_not_stand() -> None:
    assert "BTC and USDT fall short of what the list claims." in page(sample()).text


def test_what_is_found_but_not_owned_is_named_at_the_top() -> None:
    text = page(sample()).text.partition("What became of")[0]
    assert "Found, but not all shown to be owned: BTC, USDT and ETH." in text


def test_faults_of_the_list_and_our_gaps_stand_apart() -> None:
    text = page(sample()).text
    against, _, rest = text.partition(display.ABOUT["exchange"])[2].partition(
        display.ABOUT["recount"]
    )
    ours = rest.partition(display.ABOUT["note"])[0]
    assert "refuted:wrong-signature" in against
    assert "gap:state-pruned" not in against
    assert "gap:state-pruned" in ours


def test_a_flawless_list_says_so_and_that_no_ratio_is_known() -> None:
    text = page(all_good()).text
    assert "DOGE stands: the chains hold the claim." in text
    assert text.count("No liabilities were given") == 2
    assert "--liabilities FILE" in text
    assert "No statement was given" in text
    assert "Ratio" not in text.partition("Findings")[0]


REPEAT, CONFLICT = (
    Finding(about="exchange", code=code, sentence=sentence(code), count=1, rows=(9,),
            amounts={"DOGE": amount})
    for code, amount in (("repeat-of", "3"), ("conflict", "4"))
)  # fmt: skip


def test_an_equal_repeat_contradicts_nothing() -> None:
    good = all_good().result
    (line,) = good.assets
    changes = {
        "assets": (msgspec.structs.replace(line, excluded="3"),),
        "findings": (REPEAT,),
        "outcome": good.outcome,
        "discrepancies": (),
    }
    repeated = with_result(ratios=(), shares=(), statement=(), totals=(), **changes)
    assert summary.headline(repeated.result) == summary.headline(good)
    text = page(repeated).text
    assert "DOGE stands: the chains hold the claim." in text
    assert "left out (repeats): 3" in text
    assert "repeat-of" in text.partition(display.ABOUT["note"])[2]
    assert display.ABOUT["exchange"] not in text
    told = printed(repeated)
    assert display.ABOUT["exchange"] not in told
    assert "(repeat-of)" in told.partition(display.ABOUT["note"])[2]


@pytest.mark.parametrize(
    ("findings", "words"),
    [
        ((CONFLICT,), "left out (conflicts): 7"),
        ((CONFLICT, REPEAT), "left out (repeats and conflicts): 7"),
        ((), "left out: 7"),
    ],
)
def test_what_is_left_out_of_an_asset_says_why(findings: tuple[Finding, ...], words: str) -> None:
    (line,) = all_good().result.assets
    line = msgspec.structs.replace(line, excluded="7")
    found = with_result(assets=(line,), findings=findings, discrepancies=())
    assert words in page(found).text
    expected = CONFLICT in findings
    assert ("1 kind of contradiction" in summary.headline(found.result)) is expected


def printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=200)
    terminal.render(report, console)
    return console.file.getvalue()


def test_an_empty_report_claims_nothing() -> None:
    text = page(empty()).text
    assert "Nothing was recounted: the list holds no row that counts for an asset." in text
    assert "stand:" not in text


def test_twenty_two_assets_are_all_there_worst_first() -> None:
    assert "Of 22 assets: 4 stand, 3 hold more than claimed" in page(twenty_two()).text
    strip = html.render(twenty_two()).partition('<ul class="assets')[2].partition("</section>")[0]
    order = re.findall(r'class="mark v-([a-z-]+)"', strip)
    assert len(order) == 22
    assert sorted(order, key=list(display.VERDICTS).index) == order


def test_of_ten_thousand_discrepancies_two_hundred_are_shown_and_the_rest_counted() -> None:
    source = html.render(many(10_000))
    text = Page(source).text
    assert "The first 200; 9,800 more stand in report.json" in text
    assert "A further 123 are left out of report.json" in text
    assert "10,000 shortfall" in text
    assert source.count('<td class="text addr">') == 200


def test_evidence_is_joined_by_row() -> None:
    source = html.render(sample())
    row = source.partition('<th scope="row" class="r">402113</th>')[2].partition("</tr>")[0]
    assert "7f7f7f7f7f7f7f7f…" in row
    assert "evidence/77b0c2.2.zst" in row


def test_of_many_pointers_to_evidence_two_are_shown_and_the_rest_counted() -> None:
    base = sample()
    pointers = tuple(
        EvidencePointer(row=77, pack=f"evidence/{'ab' * 32}.1.zst", sha256=f"{i}" * 64)
        for i in range(5)
    )
    facts = msgspec.structs.replace(base.circumstances, evidence=pointers)
    text = page(Report(result=base.result, circumstances=facts)).text
    assert "1111111111111111…" in text
    assert "2222222222222222…" not in text
    assert "and 3 more in report.json" in text


def test_snapshots_state_their_spread_and_who_tells_no_time() -> None:
    text = page(sample()).text
    assert "Their times lie 2,487 seconds apart" in text
    assert "1 chain tells no time" in text


def test_a_template_that_prints_none_is_an_error() -> None:
    broken = html._environment().from_string("{{ nothing }}")
    with pytest.raises(TypeError, match="cannot be said"):
        broken.render(nothing=None)
    with pytest.raises(jinja2.UndefinedError):
        broken.render()


def test_an_asset_without_ratio_among_others_says_why() -> None:
    base = result()
    text = page(with_result(ratios=base.ratios[1:])).text
    assert "no liabilities given" in text


def test_amounts_that_are_no_numbers_are_shown_as_published() -> None:
    total = msgspec.structs.replace(result().totals[0], stated="twelve\u202e")
    assert "twelve⟨U+202E⟩" in page(with_result(totals=(total,))).text
