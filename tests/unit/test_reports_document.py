"""report.json: canonical bytes, and back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec
import pytest
from report_samples import circumstances, result, sample
from report_variants import hostile, with_result

from crawler.errors import UsageError
from crawler.reports import document
from crawler.result import Report

pytestmark = pytest.mark.unit

SCHEMA_DOC = Path(__file__).parents[2] / "docs" / "report-schema.md"


def test_a_report_comes_back_from_its_bytes() -> None:
    assert sample() == document.decode(document.encode(sample()))


def test_hostile_text_comes_back_unchanged() -> None:
    assert hostile() == document.decode(document.encode(hostile()))


def test_bytes_are_canonical_json() -> None:
    data = document.encode(sample())
    parsed = json.loads(data)
    expected = json.dumps(parsed, sort_keys=True, indent=2, ensure_ascii=False) + "\n"
    assert expected.encode() == data


def test_the_order_in_which_a_mapping_was_filled_does_not_show() -> None:
    base = result()
    turned = msgspec.structs.replace(base, policy=dict(reversed(base.policy.items())))
    assert document.encode_result(base) == document.encode_result(turned)


def test_the_result_does_not_depend_on_circumstances() -> None:
    other = msgspec.structs.replace(circumstances(), run="elsewhere", attempts=9)
    report = Report(result=result(), circumstances=other)
    assert document.encode_result(sample().result) == document.encode_result(report.result)
    assert document.encode(sample()) != document.encode(report)


def test_integers_beyond_a_double_are_strings() -> None:
    base = result()
    snapshot = msgspec.structs.replace(base.snapshots[0], height=2**53 + 1)
    report = with_result(policy={"at": 2**53, "above": 2**53 + 1}, snapshots=(snapshot,))
    parsed = json.loads(document.encode(report))["result"]
    assert {"at": 2**53, "above": str(2**53 + 1)} == parsed["policy"]
    assert str(2**53 + 1) == parsed["snapshots"][0]["height"]
    assert document.decode(document.encode(report)).result.snapshots[0].height == 2**53 + 1


def test_a_float_is_refused() -> None:
    with pytest.raises(TypeError, match="no floats"):
        document.encode(with_result(policy={"minimum": [0.95]}))


@pytest.mark.parametrize(
    "data",
    [*(b"", b"{}", b"[1]", b"\xff\xfe", b'{"result": 1}'), b'{"x":' + b"[" * 3000],
    ids=lambda data: repr(data[:12]),
)
def test_other_files_are_refused_with_what_was_expected(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"expected the report\.json of a run"):
        document.decode(data)


def test_another_schema_is_refused_by_name() -> None:
    with pytest.raises(UsageError, match="recount/report/2"):
        document.decode(document.encode(with_result(schema="recount/report/2")))


def test_the_json_schema_describes_every_record() -> None:
    definitions = document.json_schema()["$defs"]
    assert {"Report", "AssetLine", "Discrepancy", "EvidencePointer"} <= set(definitions)


def test_the_schema_document_is_up_to_date() -> None:
    expected = document.schema_markdown()
    if os.environ.get("RECOUNT_UPDATE_GOLDEN"):
        SCHEMA_DOC.write_text(expected, encoding="utf-8")
    assert expected == SCHEMA_DOC.read_text(encoding="utf-8")
    for field in document.json_schema()["$defs"]["AssetLine"]["properties"]:
        assert f"| `{field}` |" in expected
