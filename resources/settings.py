"""The deployment's settings; the only module that reads the environment.

Cloud credentials come from boto3's credential chain, MLflow's from its own variables.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

from assay.credentials import without_credentials
from assay.importing import MODEL_PACKAGES, ImportPolicy
from assay.results.provenance import CodeState
from assay.specs.space import Space, branch_space
from resources.checkout import Checkout
from resources.integration_settings import IntegrationSettings
from resources.project_root import project_root
from resources.secrets import secrets_of
from resources.setting_errors import setting_error

ExecutorName: TypeAlias = Literal["in_process", "forkserver", "multiprocess", "kubernetes", "docker"]
_PREFIX = "ASSAY_"
_SQL_CONNECTION = "ASSAY_SQL_"
_TRACKING = "ASSAY_MLFLOW_TRACKING_URI"


class Settings(BaseSettings, IntegrationSettings):
    """Read from `ASSAY_*` variables and an optional `.env` file; every default works on a fresh checkout.

    Folders are those of the checkout, or of the working directory where the platform is installed.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        extra="ignore",
        frozen=True,
        use_attribute_docstrings=True,
    )

    home: Path = Field(default_factory=lambda: project_root() / ".assay")
    """Folder of the local stores."""
    pipelines_dir: Path = Field(default_factory=lambda: project_root() / "pipelines")
    """Folder of the pipeline files."""
    environment: str = ""
    """Which of the `environments` of pipeline files holds, such as `dev`; the files as they are unless set."""
    schemas_dir: Path | None = None
    """Folder of the frozen schemas that people review; `schemas` in the folder of the pipelines unless set."""
    extensions_dir: Path = Field(default_factory=project_root)
    """Folder of the users' own modules, which pipelines name by import path."""
    import_packages: str = ", ".join(MODEL_PACKAGES)
    """Installed packages that pipelines may name by import path beside the modules of `extensions_dir`, with commas
    between."""
    run_roots: str = ""
    """Folders and addresses below which `data_source` and `target_output_path` of a run must lie, with commas between:
    `/srv/data, s3://bucket/prefix, https://data.example.org/`; unless set, the folder of `pipelines_dir`, the
    configured buckets, and where the pipeline file itself reads and writes."""
    run_code: Literal["on", "off"] = "off"
    """Whether run parameters may name code (import paths, `custom` rules) and run config may change other resources."""
    storage_uri: str = ""
    """Where artifacts live: a folder or `s3://bucket/prefix`; `<home>/store` unless set."""
    s3_endpoint_url: str | None = None
    """Endpoint of an S3-compatible store; AWS itself unless set."""
    s3_region: str | None = None
    """Region of the store."""
    s3_profile: str | None = None
    """Profile of the AWS configuration files."""
    mlflow_tracking_uri: str = ""
    """MLflow server or database; SQLite in `<home>/mlflow` unless set."""
    mlflow_artifact_root: str = ""
    """Artifacts of a local MLflow store; `<home>/mlflow/artifacts` unless set. A server decides for itself."""
    experiment_prefix: str = "assay"
    """Experiments are named `<prefix>/<pipeline>`."""
    branch: str = ""
    """Branch that this deployment runs; unset for production. Dagster+ sets it for branch deployments by a variable
    of its own. Results of another branch than the production one live in a space of their own."""
    production_branch: str = "main"
    """The branch whose deployment is production."""
    run_production: Literal["on", "off"] = "off"
    """Whether a run with parameters, or of another branch, may ask for production by `space: production`."""
    executor: ExecutorName = "in_process"
    """How steps are executed; `forkserver` suits the daemon, `kubernetes` and `docker` start containers, too."""
    max_concurrent: int = Field(default=2, ge=1)
    """Steps at once, for executors with several processes."""
    jobs: Literal["all", "started"] = "all"
    """Whether every pipeline has a job for retraining, or only those whose `automation` starts it."""
    pool_devices: str = Field(default="", pattern=r"^(\s*[A-Za-z][\w.-]*=[\w:./-]+(,[\w:./-]+)*\s*)*$")
    """Devices of pools on this machine, such as `gpu=0,1 big=2`; a step of the pool holds some and sees no others."""
    target_overwrite: Literal["on", "off"] = "on"
    """Whether a model replaces one of the same version in `target_output_path`; `off` refuses it."""
    supervision: Literal["on", "off"] = "on"
    """Whether abandoned runs and the processes of their steps are ended, and steps whose time limit cannot interrupt
    them; `off` leaves all processes alone."""
    https_allowed_hosts: str = ""
    """Hosts that `https://` sources may name, as patterns with commas between: `data.example.org, *.example.com`;
    any public host unless set."""
    https_allow_private: bool = False
    """Whether `https://` sources may name hosts of the private network."""
    https_loopback_ports: str = ""
    """Ports of this machine that `http://localhost:port` sources may name, with commas between; none unless set."""
    cache_megabytes: float | None = Field(default=None, gt=0)
    """How much fetched objects of `https://` and `s3://` sources may take on this machine, in 10^6 bytes, so that one
    whose ETag is unchanged is not sent again; the longest unused go first. Nothing is kept unless set."""
    cache_dir: Path | None = None
    """Folder of these objects, of the deployment alone; `<home>/cache` unless set."""
    quarantine_days: float | None = Field(default=None, gt=0)
    """How long copies of refused files are kept; for ever unless set. By this or the next the janitor runs nightly."""
    quarantine_megabytes: float | None = Field(default=None, gt=0)
    """How much all copies of refused files may take, in 10^6 bytes; the oldest go first. No bound unless set."""
    retention_days: float | None = Field(default=None, gt=0)
    """How long versions of assets, models and runs are kept at least; the newest ones, and what champions were made of,
    stay. For ever unless this or the next is set; by either the janitor runs nightly."""
    retention_versions: int | None = Field(default=None, ge=1)
    """How many versions of each asset's partition, of each registered model, and runs of each experiment are kept at
    least."""
    query_seconds: float = Field(default=600.0, gt=0)
    """How long one query of a SQL source may take."""
    query_memory_mb: int = Field(default=4096, ge=512)
    """Memory of a query on a SQLite or DuckDB file, in MiB, which runs in a process of its own."""
    notify_webhook_url: SecretStr = SecretStr("")
    """Where notifications are posted as JSON."""
    notify_webhook_secret: SecretStr = SecretStr("")
    """Key by which those posts are signed (HMAC-SHA-256); not signed unless set."""
    notify_slack_url: SecretStr = SecretStr("")
    """Incoming webhook of Slack, or of what takes the same messages."""
    notify_email_to: str = ""
    """Who gets notifications by mail, with commas between."""
    notify_email_from: str = ""
    """Sender of the mails."""
    notify_smtp_url: SecretStr = SecretStr("")
    """Mail server, `smtp://user:password@host:587` (TLS where offered) or `smtps://` (TLS from the start)."""
    notify_apprise_urls: SecretStr = SecretStr("")
    """URLs of services as apprise writes them, separated by spaces: `msteams://...`, `discord://...`."""
    notify_on: str = ""
    """Comma-separated kinds of notifications: gate_refused, run_failed, promotion, rollback, approval, below_minimum,
    drift, performance; all by default."""
    serve_host: str = "127.0.0.1"
    """Where the endpoint of `assay serve` listens; an address that other machines reach needs `serve_keys`."""
    serve_port: int = Field(default=8000, ge=0, le=65535)
    """Port of the endpoint; 0 for any free one."""
    serve_processes: int | None = Field(default=None, ge=1)
    """Processes of the endpoint; one for each core that it may use, unless set."""
    serve_keys: SecretStr = SecretStr("")
    """Keys that requests to the endpoint have to show, with commas between, each of 16 characters or more; requests of
    this machine need none unless set."""
    serve_version: int | None = Field(default=None, ge=1)
    """Registered version that the endpoint serves in place of the champion of the day; it follows no promotion then."""
    serve_poll_seconds: float = Field(default=5.0, gt=0)
    """How often each process of the endpoint asks which version is champion."""
    serve_without_golden: Literal["on", "off"] = "off"
    """Whether the endpoint serves a model that records no predictions to repeat, as those of earlier versions."""
    serve_max_body_mb: float = Field(default=10.0, gt=0)
    """Largest body of a request, in 10^6 bytes, compressed or not."""
    serve_max_rows: int = Field(default=10_000, ge=1)
    """Most rows of a request."""
    serve_seconds: float = Field(default=10.0, gt=0)
    """How long a request may wait for its prediction, and how long its body may take to arrive."""
    serve_concurrency: int = Field(default=32, ge=1)
    """Requests that each process takes at once; one more is refused at once."""
    reports_host: str = "127.0.0.1"
    """Where the pages of `assay show` listen. They have no sign-in, so an address that other machines reach belongs
    behind a proxy that has one."""
    reports_port: int = Field(default=8090, ge=0, le=65535)
    """Port of these pages; 0 for any free one."""
    reports_url: str = ""
    """Address of these pages as people open them, for links; `http://localhost:<reports_port>` unless set."""
    ui_port: int = Field(default=3000, ge=1, le=65535)
    """Port of Dagster's user interface by `make dev`."""
    ui_url: str = ""
    """Address of Dagster's user interface as people open it, for links; `http://localhost:<ui_port>` unless set."""
    mlflow_port: int = Field(default=5000, ge=1, le=65535)
    """Port of MLflow's pages by `make mlflow`."""
    mlflow_url: str = ""
    """Address of MLflow's pages as people open them, for links; that of the tracking server unless set, and
    `http://localhost:<mlflow_port>` of a local database."""
    docs_url: str = ""
    """Address of this documentation's site; the text of each error then ends with a link to its explanation there."""
    git_sha: str = ""
    """Git commit of the code, with `-dirty` at its end if files differ from it; asked of git unless set, and `unknown`
    where there is no git or no checkout, as in an image that does not set it."""
    secrets_from: str = ""
    """Where secrets come from that are in no variable: `aws:NAME` or `aws:ARN` of a secret in AWS Secrets Manager, a
    JSON object of variables and values. For each secret, the variable `<NAME>_FILE` may name a file that holds it."""

    def __init__(self, **given: Any) -> None:
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise setting_error(error, _secret_fields()) from None

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # pydantic calls it by keywords
        cls, settings_cls: type[BaseSettings], **usual: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add secrets that no variable holds; they come first, since a variable may be set and empty."""
        secrets = {name.removeprefix(_PREFIX).lower(): value for name, value in _secrets(_variables()).items()}
        known = {name: value for name, value in secrets.items() if name in cls.model_fields}
        secret = InitSettingsSource(settings_cls, known)
        return usual["init_settings"], secret, usual["env_settings"], usual["dotenv_settings"]

    @model_validator(mode="after")
    def _local_paths_are_absolute(self) -> Self:
        object.__setattr__(self, "home", self.home.expanduser().absolute())
        object.__setattr__(self, "pipelines_dir", self.pipelines_dir.expanduser().absolute())
        object.__setattr__(self, "extensions_dir", self.extensions_dir.expanduser().absolute())
        return self

    @property
    def imports(self) -> ImportPolicy:
        """Which modules pipelines may name."""
        return ImportPolicy(self.extensions_dir, _listed(self.import_packages))

    @property
    def roots_of_runs(self) -> tuple[str, ...]:
        """Folders and addresses that every run may name."""
        if self.run_roots.strip():
            return _listed(self.run_roots)
        project = self.pipelines_dir.parent
        folder = self.pipelines_dir if project == project.parent else project
        buckets = [uri.removeprefix("s3://").partition("/")[0] for uri in self._own_places if uri.startswith("s3://")]
        return (str(folder), *(f"s3://{bucket}" for bucket in dict.fromkeys(buckets)))

    @property
    def source_cache(self) -> Path:
        """Folder of fetched objects, absolute."""
        return (self.cache_dir or self.home / "cache").expanduser().absolute()

    @property
    def _own_places(self) -> tuple[str, ...]:
        return (self.artifact_uri, self.artifact_root)

    @property
    def reserved_places(self) -> tuple[str, ...]:
        """What no run may name, even within its roots: the platform's own stores."""
        whole_buckets = [uri for uri in self._own_places if re.fullmatch("s3://[^/]+/?", uri)]
        return tuple(
            uri
            for uri in (str(self.home), str(self.source_cache), *self._own_places)
            if uri and uri not in whole_buckets
        )

    @property
    def reviewed_schemas(self) -> str:
        """Folder of the frozen schemas, absolute."""
        return str((self.schemas_dir or self.pipelines_dir / "schemas").expanduser().absolute())

    @property
    def artifact_uri(self) -> str:
        """Root of the artifact store."""
        return self.storage_uri or str(self.home / "store")

    @property
    def space(self) -> Space:
        """Where the results of runs without parameters live."""
        return branch_space(self.branch or _branch_of_dagster_plus(), self.production_branch)

    @property
    def tracking_uri(self) -> str:
        """The MLflow tracking and registry URI."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home / 'mlflow' / 'mlflow.db'}"

    @property
    def artifact_root(self) -> str:
        """Artifact folder of a local MLflow store; empty where a server decides."""
        if self.mlflow_artifact_root:
            return self.mlflow_artifact_root
        return "" if self.tracking_uri.startswith("http") else str(self.home / "mlflow" / "artifacts")

    @property
    def supervises_processes(self) -> bool:
        """Whether processes and runs may be ended."""
        return self.supervision == "on"

    @property
    def web_hosts(self) -> tuple[str, ...]:
        """Patterns of hosts that `https://` sources may name; empty for any public host."""
        return _listed(self.https_allowed_hosts.lower())

    @property
    def loopback_ports(self) -> tuple[int, ...]:
        """Ports of this machine that sources may name."""
        return tuple(int(port) for port in _listed(self.https_loopback_ports) if port.isdecimal())

    @property
    def bounds_storage(self) -> bool:
        """Whether copies of refused files, or versions, are ever removed."""
        bounds = (self.quarantine_days, self.quarantine_megabytes, self.retention_days, self.retention_versions)
        return any(bound is not None for bound in bounds)

    @property
    def serving_spool(self) -> Path:
        """Folder of rows of prediction logs that the store does not have yet."""
        return self.home / "serving"

    @property
    def keys_of_endpoint(self) -> tuple[str, ...]:
        """Keys that requests to the endpoint have to show; empty for none."""
        return _listed(self.serve_keys.get_secret_value())

    @property
    def reports_address(self) -> str:
        """Where people open reports and the gate's pages, without a slash at its end."""
        return (self.reports_url or f"http://localhost:{self.reports_port}").rstrip("/")

    @property
    def ui_address(self) -> str:
        """Where people open Dagster, without a slash at its end."""
        return (self.ui_url or f"http://localhost:{self.ui_port}").rstrip("/")

    @property
    def mlflow_address(self) -> str:
        """Where people open MLflow, without credentials and a slash at its end."""
        server = self.tracking_uri if self.tracking_uri.startswith("http") else f"http://localhost:{self.mlflow_port}"
        return without_credentials(self.mlflow_url or server).rstrip("/")

    @property
    def checkout(self) -> Checkout:
        """Where the code comes from."""
        return Checkout(self.git_sha)


def _branch_of_dagster_plus() -> str:
    is_branch = os.environ.get("DAGSTER_CLOUD_IS_BRANCH_DEPLOYMENT") == "1"
    return os.environ.get("DAGSTER_CLOUD_GIT_BRANCH", "") if is_branch else ""


def _listed(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())


def source_environment() -> Mapping[str, str]:
    """Return the variables that `${NAME}` in a source may name: the process's, those of `.env`, and secrets."""
    variables = _variables()
    return {**variables, **_secrets(variables)}


def _variables() -> dict[str, str]:
    return {**_dotenv(), **os.environ}


def _secret_fields() -> frozenset[str]:
    return frozenset(name for name, field in Settings.model_fields.items() if field.annotation is SecretStr)


def _secrets(variables: Mapping[str, str]) -> dict[str, str]:
    secret = {f"{_PREFIX}{name.upper()}" for name in _secret_fields()}
    return secrets_of(variables, frozenset({*secret, _TRACKING}), aws_variables())


def sql_connections() -> Mapping[str, str]:
    """Return the URLs of SQL databases by name: `warehouse` for `ASSAY_SQL_WAREHOUSE`. They hold passwords."""
    found = {name.upper(): value for name, value in source_environment().items()}
    return {
        name.removeprefix(_SQL_CONNECTION).lower(): value
        for name, value in found.items()
        if name.startswith(_SQL_CONNECTION) and value and name.removesuffix("_FILE") not in found.keys() - {name}
    }


def has_dagster_home() -> bool:
    """Return whether this process knows Dagster's event log."""
    return bool(os.environ.get("DAGSTER_HOME"))


def aws_variables() -> tuple[tuple[str, str], ...]:
    """Return the variables that boto3 reads, sorted; they may hold secrets."""
    return tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))


def tracking_variable(settings: Settings) -> str:
    """Return the name of the variable that holds the tracking URI, and set it, as the URI may come from `.env`."""
    os.environ[_TRACKING] = settings.tracking_uri
    return _TRACKING


def _dotenv() -> dict[str, str]:
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(".env").items() if value is not None}


def documentation_site() -> str:
    """Return the address of the documentation's site, also where another setting is wrong; "" for none."""
    return _variables().get("ASSAY_DOCS_URL", "")


def code_state() -> CodeState:
    """Return the code and the libraries of this process."""
    return Settings().checkout.state()


def let_idle_threads_sleep() -> None:
    """Let OpenMP's idle threads sleep, unless the deployment sets the variable; they spin by default.

    On two cores with three busy processes a fit by two threads takes 0.4 s; with threads that spin, over 90 s.
    Libraries read the variable when they are loaded, so call it before; child processes inherit it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def let_console_finish() -> None:
    """Let Dagster wait until a loaded machine has copied all lines to the console, unless the deployment says."""
    os.environ.setdefault("DAGSTER_COMPUTE_LOG_TAIL_WAIT_AFTER_FINISH", "0.1")


def exchange_variable(name: str, value: str | None) -> str | None:
    """Set a variable of this process, or remove it; return its earlier value."""
    earlier = os.environ.pop(name, None)
    os.environ.update({} if value is None else {name: value})
    return earlier


def use_one_thread() -> None:
    """Let numerical libraries use one thread, unless the deployment sets the variables.

    The endpoint has a process for each core. Libraries read the variables when they are loaded, so call it before.
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def share_metrics(folder: Path) -> None:
    """Let the processes of an endpoint add up their metrics in a folder; prometheus-client reads it when loaded."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def shares_metrics() -> bool:
    """Return whether other processes add up their metrics with this one's."""
    return "PROMETHEUS_MULTIPROC_DIR" in os.environ


def bound_mlflow_requests() -> None:
    """Bound how long MLflow's client waits and what it prints, unless the deployment sets these variables.

    With MLflow's defaults a call to a server that is down waits for minutes; with these about 20 s.
    """
    bounds = {
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
        # the line would show credentials in the tracking URI
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }
    for name, value in bounds.items():
        os.environ.setdefault(name, value)
