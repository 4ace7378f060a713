"""All cases."""

from hostile_corpus import (
    archive_cases,
    delimited_detection_cases,
    delimited_shape_cases,
    delimited_text_cases,
    delimited_value_cases,
    feather_cases,
    json_cases,
    parquet_cases,
    workbook_cases,
)
from hostile_corpus.cases import HostileCase

CASES: list[HostileCase] = [
    *delimited_shape_cases.CASES,
    *delimited_value_cases.CASES,
    *delimited_text_cases.CASES,
    *delimited_detection_cases.CASES,
    *archive_cases.CASES,
    *json_cases.CASES,
    *workbook_cases.CASES,
    *parquet_cases.CASES,
    *feather_cases.CASES,
]
