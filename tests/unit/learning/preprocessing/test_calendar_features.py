import numpy as np
import pandas as pd
import pytest

from assay.learning.preprocessing.transformers import CalendarFeatures


def frame(*moments):
    return pd.DataFrame({"at": pd.Series(pd.to_datetime(list(moments)), dtype="datetime64[us]")})


def parts(fitted, moment):
    return dict(zip(fitted.get_feature_names_out(), fitted.transform(frame(moment))[0], strict=True))


def test_a_moment_becomes_its_calendar_parts():
    found = parts(CalendarFeatures().fit(frame("2024-01-01")), "2024-03-05 06:00")
    assert [found[f"at_{part}"] for part in ("year", "month", "day", "weekday", "hour")] == [2024, 3, 5, 1, 6]
    assert (found["at_hour_sin"], found["at_hour_cos"]) == pytest.approx((1, 0))
    assert (found["at_month_sin"], found["at_month_cos"]) == pytest.approx((1, 0))
    assert found["at_missing"] == 0


def test_days_count_from_the_earliest_training_moment_only():
    fitted = CalendarFeatures().fit(frame("2024-01-02", "2024-01-05", None))
    assert parts(fitted, "2024-01-03 12:00")["at_elapsed_days"] == 1.5
    assert parts(fitted, "2024-01-01")["at_elapsed_days"] == -1


def test_a_missing_moment_is_nan_in_every_part_but_the_one_that_says_so():
    found = parts(CalendarFeatures().fit(frame("2024-01-02")), None)
    assert found.pop("at_missing") == 1
    assert np.isnan(list(found.values())).all()


def test_a_column_without_any_moment_keeps_its_place():
    fitted = CalendarFeatures().fit(frame(None, None))
    assert fitted.transform(frame("2024-01-02")).tolist() == [[0.0] * len(fitted.get_feature_names_out())]
