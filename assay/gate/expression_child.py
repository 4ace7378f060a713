"""The child that evaluates SQL expressions: `python -m assay.gate.expression_child`.

DuckDB's own limits do not bound a function such as `repeat` or `range`; those of a process do.
"""

from pathlib import Path
from typing import Any

import pyarrow as pa

from assay.errors import DataContractError
from assay.gate.expression_language import locked_connection, truth_of
from assay.reading.confined import serve

ROWS = "rows"
ANSWERS = "answers"


def main() -> None:
    """Evaluate the request's expressions, and answer with the errors by expression."""
    serve(_evaluated)


def _evaluated(request: dict[str, Any]) -> dict[str, Any]:
    import duckdb

    folder = Path(request["folder"])
    truths: list[pa.ChunkedArray] = []
    errors: list[dict[str, str] | None] = []
    with pa.memory_map(str(folder / ROWS)) as source, locked_connection() as connection:
        table = pa.ipc.open_file(source).read_all()
        for sql in request["expressions"]:
            truth, error = pa.chunked_array([pa.nulls(table.num_rows, pa.bool_())]), None
            try:
                truth = truth_of(connection, table, sql)
            except DataContractError as refusal:
                error = {"refused": f"{refusal.what} ({refusal.found})"}
            except duckdb.OutOfMemoryException:
                return {"limit": "memory"}
            except duckdb.Error as failure:
                error = {"broken": f"{type(failure).__name__}: {failure}"}
            truths.append(truth)
            errors.append(error)
        answers = pa.table(truths, names=[str(number) for number in range(len(truths))])
        with pa.ipc.new_file(folder / ANSWERS, answers.schema) as out:
            out.write_table(answers)
    return {"errors": errors}


if __name__ == "__main__":
    main()
