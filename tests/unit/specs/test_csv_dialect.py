import pytest
from pydantic import ValidationError

from assay.specs.dataset import CsvDialect


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        ("%Q", "'Q' is a bad directive"),
        ("%d.%m.%", "stray %"),
        ("%d.%m.", "a format with a year"),
        ("%H:%M", "a format with a year"),
        ("%Y-%m-%d %H:%M %Z", "without %Z"),
    ],
)
def test_a_date_format_that_could_not_say_the_moment_is_refused(form, reason):
    with pytest.raises(ValidationError, match=reason):
        CsvDialect(date_format=form)


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%d/%m/%y %H:%M", "%Y%m%d", "%Y-%m-%dT%H:%M:%S%z", "%d %b %Y", "%Y-%j"])
def test_a_date_format_with_a_year_is_taken(form):
    assert CsvDialect(date_format=form).date_format == form


def test_names_need_a_file_without_header():
    with pytest.raises(ValidationError, match="add `header: false`"):
        CsvDialect(names=("a", "b"))


def test_a_name_that_stands_twice_is_refused():
    with pytest.raises(ValidationError, match="each name once"):
        CsvDialect(header=False, names=("a", "b", "a"))


def test_settings_that_are_not_used_leave_the_digest_of_a_pipeline_as_it_was():
    assert not {"names", "strip"} & CsvDialect().model_dump().keys()
