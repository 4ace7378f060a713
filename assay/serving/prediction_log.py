"""Schema of the prediction log: one row for each predicted row, in the order of `LOG_SCHEMA`.

Columns of the log itself begin with `log_`. After them come `log_probability_<class>` (float64) of each class, then the
columns that were sent with the rows: those of `serving.columns` and the key as text, and with `features: values` those
of the model in the types of its source. The same schema holds in the objects that the endpoint writes and in the asset
`prediction_log`.

A row is known by `IDENTITY`: within it, what was logged twice is one prediction.
"""

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc

REQUEST_ID = "log_request_id"
ROW = "log_row"
TIME = "log_time"
PIPELINE = "log_pipeline"
VERSION = "log_version"
ARM = "log_arm"
SHADOW = "log_shadow"
EXPERIMENT = "log_experiment"
SHARE = "log_share"
KEY = "log_key"
FEATURES = "log_features"
LABEL = "log_label"
VALUE = "log_value"
LATENCY = "log_latency_ms"
PROBABILITY = "log_probability_"

LOG_SCHEMA = pa.schema(
    [
        # id of the request, the client's own or a new one, and the row's number in it, from 1
        pa.field(REQUEST_ID, pa.string(), nullable=False),
        pa.field(ROW, pa.int32(), nullable=False),
        # when the prediction was made
        pa.field(TIME, pa.timestamp("us", "UTC"), nullable=False),
        pa.field(PIPELINE, pa.string(), nullable=False),
        # of the registered model
        pa.field(VERSION, pa.string(), nullable=False),
        # `champion` or `challenger`: the part that the version played
        pa.field(ARM, pa.string(), nullable=False),
        # whether the prediction was made beside the one that was answered
        pa.field(SHADOW, pa.bool_(), nullable=False),
        # which two versions were compared, `3:7`, with `:<salt>` if one is set; empty for rows outside an experiment:
        # where none runs, and rows without a key
        pa.field(EXPERIMENT, pa.string(), nullable=False),
        # of the challenger, as declared then; null outside an experiment
        pa.field(SHARE, pa.float64()),
        # by which the arm was chosen, as text; null without one
        pa.field(KEY, pa.string()),
        # digest of the row as the model read it, 16 hex digits (`assay.data.row_identity.row_hashes`)
        pa.field(FEATURES, pa.string(), nullable=False),
        # the predicted class, as `str` writes it; null in a regression
        pa.field(LABEL, pa.string()),
        # the predicted value; null in a classification
        pa.field(VALUE, pa.float64()),
        # from the request to its answer; null in the shadow
        pa.field(LATENCY, pa.float32()),
    ]
)
IDENTITY = (REQUEST_ID, ROW, ARM)
_POSITION = "log_position"


def is_own(name: str) -> bool:
    """Return whether a column is of the log itself, and not of the rows that were sent."""
    return name in LOG_SCHEMA.names or name.startswith(PROBABILITY)


def sent_columns(table: pa.Table) -> list[str]:
    """Return the columns of the rows that were sent."""
    return [name for name in table.column_names if not is_own(name)]


def classes_of(table: pa.Table) -> list[str]:
    """Return the classes whose probabilities a log holds."""
    return [name.removeprefix(PROBABILITY) for name in table.column_names if name.startswith(PROBABILITY)]


def joined(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of several logs, of versions with other columns too; where types differ, the column is text."""
    if not tables:
        return LOG_SCHEMA.empty_table()
    try:
        return pa.concat_tables(tables, promote_options="default")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        clashing = set(_clashing(tables))
        return pa.concat_tables([_as_text(table, clashing) for table in tables], promote_options="default")


def _clashing(tables: Sequence[pa.Table]) -> Iterable[str]:
    types: dict[str, pa.DataType] = {}
    for table in tables:
        for field in table.schema:
            if not pa.types.is_null(field.type) and types.setdefault(field.name, field.type) != field.type:
                yield field.name


def _as_text(table: pa.Table, names: set[str]) -> pa.Table:
    for number, field in enumerate(table.schema):
        if field.name in names and not pa.types.is_string(field.type):
            texts = pa.array([None if value is None else str(value) for value in table.column(number).to_pylist()])
            table = table.set_column(number, pa.field(field.name, pa.string()), texts.cast(pa.string()))
    return table


def without_repetitions(table: pa.Table) -> tuple[pa.Table, int]:
    """Return the rows in the order of their time, each prediction once, and how many repetitions were left out.

    Of several rows with one identity the earliest stays: a client that repeats a request gets one prediction counted.
    """
    order = [(TIME, "ascending"), *((name, "ascending") for name in IDENTITY)]
    numbered = table.sort_by(order).append_column(_POSITION, pa.array(range(table.num_rows), pa.int64()))
    first = numbered.group_by(list(IDENTITY)).aggregate([(_POSITION, "min")]).column(f"{_POSITION}_min")
    kept = numbered.filter(pc.is_in(numbered.column(_POSITION), first.combine_chunks())).drop_columns(_POSITION)
    return kept, table.num_rows - kept.num_rows
