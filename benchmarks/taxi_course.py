"""The model of the course MLOps Zoomcamp as its notebook has it: `python benchmarks/taxi_course.py FOLDER`.

Prints the root mean squared error of each month that follows another one in the folder. `pipelines/taxi_trips.yaml` is
compared with it.
"""

import re
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import xgboost as xgb
from sklearn.feature_extraction import DictVectorizer
from sklearn.metrics import root_mean_squared_error

FEATURES = ["PU_DO", "trip_distance"]
PARAMETERS = {
    "learning_rate": 0.09585355369315604,
    "max_depth": 30,
    "min_child_weight": 1.060597050922164,
    "objective": "reg:squarederror",
    "reg_alpha": 0.018060244040060163,
    "reg_lambda": 0.011658731377413597,
    "seed": 42,
    "nthread": 1,
}
"""Of the notebook `duration-prediction.ipynb`; `reg:linear` is called `reg:squarederror` today."""
ROUNDS = 30


def trips(file: Path) -> pd.DataFrame:
    """Return the trips of one to sixty minutes of a month."""
    frame = pd.read_parquet(file)
    frame["duration"] = (frame.lpep_dropoff_datetime - frame.lpep_pickup_datetime).dt.total_seconds() / 60
    frame = frame[frame.duration.between(1, 60)].copy()
    frame["PU_DO"] = frame["PULocationID"].astype(str) + "_" + frame["DOLocationID"].astype(str)
    return frame


def error_of(trained: Path, validated: Path) -> float:
    """Return the root mean squared error, in minutes, of a model of one month on the trips of another."""
    train, holdout = trips(trained), trips(validated)
    vectors = DictVectorizer()
    known = vectors.fit_transform(train[FEATURES].to_dict(orient="records"))
    asked = vectors.transform(holdout[FEATURES].to_dict(orient="records"))
    model = xgb.train(PARAMETERS, xgb.DMatrix(known, label=train.duration), ROUNDS)
    return float(root_mean_squared_error(holdout.duration, model.predict(xgb.DMatrix(asked))))


def month_of(file: Path) -> int:
    """Return the number of a file's month since the year 0."""
    found: Any = re.search(r"(\d{4})-(\d\d)", file.name)
    return int(found[1]) * 12 + int(found[2])


if __name__ == "__main__":
    files = {month_of(file): file for file in Path(sys.argv[1]).glob("*.parquet")}
    for month, file in sorted(files.items()):
        if month + 1 in files:
            print(f"{file.stem} -> {files[month + 1].stem}: RMSE {error_of(file, files[month + 1]):.3f} minutes")
