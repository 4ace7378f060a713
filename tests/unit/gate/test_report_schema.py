import json
from pathlib import Path

import jsonschema
import pytest

from assay.gate.report import report_json_schema

PUBLISHED = Path(__file__).parents[3] / "docs" / "gate-report.schema.json"


def test_the_published_schema_is_current():
    assert json.loads(PUBLISHED.read_text()) == report_json_schema(), "run `make schema`"


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"ranges": {"x": {"min": 3}}},
        {"ranges": {"x": {"min": 3}}, "warn": ["values_in_range"]},
        {"unique": [["x", "c"]], "allowed": {"c": ["no"]}, "show_values": False, "min_rows": 1000},
    ],
)
def test_real_reports_keep_the_schema(gate, rules):
    report = gate({"x": [1.5, None, 1e300, float("inf")] * 5, "c": ["a", "b"] * 10}, pii=("c",), **rules).report
    jsonschema.validate(json.loads(report.model_dump_json()), report_json_schema())


def test_a_report_without_one_of_its_fields_does_not_keep_the_schema(gate):
    document = json.loads(gate({"x": [1, 2, 3, 4]}).report.model_dump_json())
    del document["rules"][0]["failing_share"]
    with pytest.raises(jsonschema.ValidationError, match="failing_share"):
        jsonschema.validate(document, report_json_schema())
