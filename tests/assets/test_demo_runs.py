"""Runs of the demo in Dagster's list."""

import dagster as dg

from ml_assets.demo import materialize, progress


def test_runs_of_the_demo_say_whose_they_are_and_what_started_them():
    @dg.asset(key=["bank", "raw_dataset"])
    def made() -> int:
        return 1

    definitions = dg.Definitions([made], loggers={"progress": progress})
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialize(definitions, instance, [made.key], None) == ""
        (run,) = instance.get_runs()
    assert (run.tags["pipeline"], run.tags["started_by"]) == ("bank", "demo")
