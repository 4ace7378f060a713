"""A champion in an environment made of its requirements alone, and behind MLflow's own server there."""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from checkouts import clean_environment
from platform_fixtures import fresh, platform  # noqa: F401 - fixtures
from prediction_cases import STEPS, user_rows
from servers import free_port, stopped, wait_for
from small_platform import failure

UV = shutil.which("uv", path=f"{Path(__file__).parents[2] / '.tools' / 'bin'}:{os.environ['PATH']}")
PIPELINE = f"""\
name: flats
task: binary_classification
dataset:
  source: {{source}}
  target: dear
  columns: {{{{id: {{{{role: identifier}}}}, rent: {{{{role: ignored}}}}}}}}
features: {{{{steps: {json.dumps(STEPS).replace("{", "{{").replace("}", "}}")}}}}}
validation: {{{{sentinel: {{{{enabled: false}}}}}}}}
model: {{{{candidates: [lightgbm]}}}}
tuning: {{{{enabled: false}}}}
"""
USE = """\
import json, sys
import mlflow, pandas as pd
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/flats@champion")
found = model.predict(pd.read_csv(sys.argv[2]))
import assay, importlib.util
print(json.dumps({"rows": found.to_dict("records"), "code": assay.__file__,
                  "dagster": importlib.util.find_spec("dagster") is not None}))
"""


@pytest.mark.full
@pytest.mark.cold
@pytest.mark.skipif(UV is None, reason="needs uv")
def test_a_champion_predicts_where_only_its_requirements_are(platform, tmp_path):  # noqa: F811
    data = tmp_path / "flats.csv"
    user_rows().to_csv(data, index=False)
    platform.pipeline(PIPELINE, data)
    result = platform.materialize("flats/*")
    assert result.success, failure(result)
    registry = platform.resources["model_registry"]
    (folder,) = (platform.settings.home / "mlflow" / "artifacts" / "flats" / "models").glob("*/artifacts")
    python = _environment(tmp_path / "alone", folder / "requirements.txt")

    used = json.loads(_run(python, "-c", USE, registry.tracking_uri, str(data)).splitlines()[-1])
    assert used["code"].startswith(str(folder / "code"))
    assert used["dagster"] is False
    assert len(used["rows"]) == len(user_rows())
    assert set(used["rows"][0]) == {"prediction", "probability_False", "probability_True"}
    served = _served(python, registry.tracking_uri, tmp_path, user_rows().head(3))
    assert served == used["rows"][:3]
    # MLflow writes beside the files that it loads; the platform still takes them for those that were registered
    assert registry.current_champion("flats").version == "1"


def _environment(folder, requirements):
    """Return the Python of an environment made of some requirements."""
    for step in (
        ["venv", "-q", "--python", f"{sys.version_info.major}.{sys.version_info.minor}", folder],
        ["pip", "install", "-q", "--python", folder / "bin" / "python", "-r", requirements],
    ):
        subprocess.run([UV, *step], check=True, env=clean_environment(), timeout=1200)
    return folder / "bin" / "python"


def _run(python, *arguments):
    done = subprocess.run(
        [python, "-P", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=clean_environment(),
        cwd="/",
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def _served(python, tracking_uri, folder, rows):
    """Return what `mlflow models serve` answers for some rows, with and without a fault."""
    port, log = free_port(), folder / "serve.log"
    command = [python, "-m", "mlflow", "models", "serve", "-m", "models:/flats@champion", "--env-manager", "local"]
    with log.open("w") as out:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            env=clean_environment() | {"MLFLOW_TRACKING_URI": tracking_uri, "PATH": f"{python.parent}:{os.environ['PATH']}"},
            cwd="/", stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    with stopped(process):
        wait_for(f"http://127.0.0.1:{port}/ping", process, log)
        records = json.loads(rows.to_json(orient="records"))
        found = _posted(port, {"inputs": records})
        assert _posted(port, {"inputs": [{**records[0], "rooms": "many"}]}) == 400
        return found["predictions"]


def _posted(port, body):
    """Return the answer to a request, or the status of a refusal."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code
