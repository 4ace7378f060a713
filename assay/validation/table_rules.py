"""The rules about the table as a whole: rows, columns, shares of missing values.

Does not belong here: rules about single values (`pandera_rules`).
"""

from assay.errors import did_you_mean
from assay.specs.dataset import ColumnRole
from assay.specs.pipeline import PipelineSpec
from assay.validation.judged_table import JudgedTable
from assay.validation.outcome import (
    NO_ROWS,
    UNCONFIGURED,
    Finding,
    Outcome,
    failing_column,
    not_judged,
    outcome,
)
from assay.validation.report import FailureRow


def row_count_in_range(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge `validation.min_rows` and `validation.max_rows`."""
    low, high = spec.validation.min_rows, spec.validation.max_rows
    expected = f"at least {low:,} rows" + (f" and at most {high:,}" if high is not None else "")
    observed = f"{table.rows:,} rows"
    fits = low <= table.rows and (high is None or table.rows <= high)
    findings = [] if fits else [failing_column("", expected=expected, found=observed)]
    return outcome(findings, observed=observed, expected=expected)


def columns_present(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge that every column exists that the data's part of the pipeline file names."""
    needed = required_columns(spec)
    absent = [name for name in needed if name not in table]
    findings = [
        failing_column(name, expected="exists", found=f"does not exist{did_you_mean(name, table.names)}")
        for name in absent
    ]
    return outcome(findings, observed=f"all {len(needed)} exist", expected=f"columns {', '.join(needed)}")


def required_columns(spec: PipelineSpec) -> tuple[str, ...]:
    """Return the columns that must exist; only fields that `rules_digest` covers may name one."""
    rules = spec.validation
    declared = [name for name, column in spec.dataset.columns.items() if column.role is not ColumnRole.IGNORED]
    shares = rules.max_missing if isinstance(rules.max_missing, dict) else {}
    dropped = rules.drop_null_rows if isinstance(rules.drop_null_rows, tuple) else ()
    finite = rules.finite if isinstance(rules.finite, tuple) else ()
    fresh = [rules.freshness.column] if rules.freshness is not None else []
    named = [*rules.columns_present, *rules.dtypes, *shares, *rules.not_null, *dropped, *rules.ranges, *rules.allowed]
    named += [*rules.matches, *finite, *fresh]
    keys = [name for key in rules.unique for name in key]
    return tuple(dict.fromkeys([spec.dataset.target, *declared, *spec.dataset.derive, *named, *keys]))


def missing_share_below_maximum(table: JudgedTable, spec: PipelineSpec) -> Outcome:
    """Judge `validation.max_missing`."""
    limit = spec.validation.max_missing
    if limit in (1.0, {}):
        return UNCONFIGURED
    limits = limit if isinstance(limit, dict) else dict.fromkeys(table.names, limit)
    findings = [finding for name, most in limits.items() if (finding := _missing(table, name, most)) is not None]
    expected = (
        f"at most {limit:.2%} in every column" if not isinstance(limit, dict) else "at most the share set by column"
    )
    return outcome(findings, observed="no column above its maximum", expected=expected)


def _missing(table: JudgedTable, name: str, most: float) -> Finding | None:
    expected = f"at most {most:.2%} missing"
    if name not in table:
        return not_judged(table, name, expected=expected)
    count = table.missing(name)
    share = count / table.rows if table.rows else 0.0
    if share <= most:
        return None
    row = FailureRow(column=name, expected=expected, found=f"{share:.2%} missing", count=count, share=share)
    return Finding(row, NO_ROWS)
