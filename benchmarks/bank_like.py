"""A generated table with the columns, sizes and imbalance of the UCI bank marketing data.

Does not belong here: measuring.
"""

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

ROWS = 45_211
_JOBS = ["admin.", "blue-collar", "entrepreneur", "management", "retired", "services", "student", "technician"]
_RETIRED = 60
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]


def write_bank_like(path: Path, rows: int, seed: int = 7) -> None:
    """Write a csv file separated by `;`, 17 columns, about 12 % positive."""
    draw = np.random.default_rng(seed)
    age = draw.integers(18, 95, rows)
    balance = np.round(draw.lognormal(6.5, 1.3, rows)).astype(np.int64) - 300
    previous = draw.poisson(0.6, rows)
    housing = draw.choice(["yes", "no"], rows, p=[0.56, 0.44])
    month = draw.choice(_MONTHS, rows)
    score = -2.9 + 0.9 * (previous > 0) - 0.7 * (housing == "yes") + 0.9 * np.isin(month, ["mar", "sep", "oct"])
    score = score + 0.8 * (age > _RETIRED) + 0.0001 * balance
    columns = {
        "age": age,
        "job": draw.choice(_JOBS, rows),
        "marital": draw.choice(["married", "single", "divorced"], rows, p=[0.6, 0.28, 0.12]),
        "education": draw.choice(["primary", "secondary", "tertiary", "unknown"], rows),
        "default": draw.choice(["no", "yes"], rows, p=[0.98, 0.02]),
        "balance": balance,
        "housing": housing,
        "loan": draw.choice(["no", "yes"], rows, p=[0.84, 0.16]),
        "contact": draw.choice(["cellular", "telephone", "unknown"], rows),
        "day": draw.integers(1, 32, rows),
        "month": month,
        "duration": draw.integers(0, 4000, rows),
        "campaign": 1 + draw.poisson(1.8, rows),
        "pdays": np.where(previous > 0, draw.integers(1, 800, rows), -1),
        "previous": previous,
        "poutcome": draw.choice(["unknown", "failure", "other", "success"], rows),
        "y": np.where(draw.random(rows) < 1 / (1 + np.exp(-score)), "yes", "no"),
    }
    csv.write_csv(pa.table(columns), path, csv.WriteOptions(delimiter=";"))
