"""Three replicas over one store, of which one is killed: no acknowledged prediction is lost, and none counts twice."""

from collections import Counter

import pytest
from champions import promote_the_same_files_again
from log_rows import rows_of_keys
from platform_fixtures import copied, fresh, promoted  # noqa: F401 - fixtures
from replicas import Load, replicas

from assay.serving.daily_log import daily_log
from resources.prediction_log import all_keys

ROW = {"age": 60, "job": "nurse", "loan": True, "since": "2015-03-12", "note": "called again", "secret": None}
KEYS = [f"c{number}" for number in range(40)]
SERVING = """
serving:
  challenger: {version: 1, share: 0.4, by: id}
  log: {mode: durable, flush_rows: 30, flush_seconds: 60}
"""


@pytest.fixture
def compared(promoted):  # noqa: F811 - a fixture
    """A platform that compares its champion, version 2, with version 1."""
    path = promoted.settings.pipelines_dir / "bank.yaml"
    path.write_text(path.read_text() + SERVING)
    assert promote_the_same_files_again(promoted.resources["model_registry"], "bank") == "2"
    return promoted


@pytest.mark.full
def test_a_replica_may_be_killed_under_load(compared):
    with replicas(compared.settings, "bank", 3) as three:
        killed = three[2]
        with Load(three, ROW, KEYS).running() as load:
            for number in range(3):
                load.wait_for(number, 45)
            killed.kill()
            left = killed.spool
            load.wait_for(0, 20)
            killed.start()
            killed.wait_until_ready()
            load.wait_for(2, 20)
        for each in three:
            each.stop()
        assert left, "the killed replica left no row behind"
        assert [each.spool for each in three] == [[], [], []]
    store = compared.artifacts.store
    rows = rows_of_keys(store, all_keys(store, "bank"))
    logged = daily_log(rows, {}, 1)
    assert (logged.repeated, logged.reused) == (0, 0)
    counted = Counter(logged.dataset.table.column("log_request_id").to_pylist())
    assert set(counted.values()) == {1}
    assert load.refused == []
    assert {each.logged for each in load.answers} == {"durable"}
    assert {each.request_id for each in load.answers} <= set(counted)
    _require_one_arm_for_each_key(load.answers, logged.dataset.table)


def _require_one_arm_for_each_key(answers, logged):
    by_key = {}
    for each in answers:
        by_key.setdefault(each.key, set()).add((each.replica, each.arm))
    assert set(by_key) == set(KEYS)
    assert all(len({arm for _, arm in found}) == 1 for found in by_key.values())
    assert all({replica for replica, _ in found} == {0, 1, 2} for found in by_key.values())
    arms = {key: {arm for _, arm in found} for key, found in by_key.items()}
    assert set.union(*arms.values()) == {"champion", "challenger"}
    in_log = {}
    for key, arm in zip(logged.column("log_key").to_pylist(), logged.column("log_arm").to_pylist(), strict=True):
        in_log.setdefault(key, set()).add(arm)
    assert in_log == arms
