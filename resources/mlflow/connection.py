"""The connection to MLflow: bounded waiting, one initialisation of a local database, typed failures."""

import fcntl
import logging
import tempfile
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay.credentials import without_credentials
from assay.errors import TrackerUnavailableError, TrackingError
from resources.s3 import is_outage
from resources.settings import bound_mlflow_requests

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROBE_SECONDS = 5.0
_SQLITE = "sqlite:///"
# MLflow's texts for a missing answer; "failed with error code" is an answer
_SILENCE = ("failed with exception", "failed with timeout", "Max retries")
# texts of databases for failures that pass; a wrong path, password or name does not
_BUSY = (
    "database is locked", "database table is locked", "deadlock detected", "too many clients", "starting up",
    "Connection refused", "server closed the connection", "terminating connection", "timeout expired",
)  # fmt: skip
# MLflow does not wrap the errors of its database and of the artifact store
_LIBRARIES = {"mlflow", "requests", "sqlalchemy", "boto3", "botocore"}
_REMEDY = "check ASSAY_MLFLOW_TRACKING_URI, and that the server runs"
_BUSY_REMEDY = "run again; for many runs at once give MLflow a server or PostgreSQL in place of SQLite"
_OUTAGE_REMEDY = "run again when MLflow's artifact store answers"
_STORE_REMEDY = "check that ASSAY_MLFLOW_TRACKING_URI and ASSAY_MLFLOW_ARTIFACT_ROOT exist and may be written to"


def connect(tracking_uri: str) -> "MlflowClient":
    """Return a client, after a health check of a server or the initialisation of a local database.

    Raises:
        TrackerUnavailableError: the server does not answer within 5 s.
        TrackingError: the store cannot be opened.
    """
    bound_mlflow_requests()
    _prepare_imports()
    with as_tracking_error(tracking_uri, "MLflow cannot be opened"):
        if tracking_uri.startswith(("http://", "https://")):
            _require_health(tracking_uri)
        else:
            initialise_local_stores(tracking_uri)
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)


def initialise_local_stores(tracking_uri: str) -> None:
    """Create the tables of a local database once, also when several processes start together."""
    if not tracking_uri.startswith(_SQLITE):
        return
    database = Path(tracking_uri.removeprefix(_SQLITE))
    _prepare_imports()
    done = database.with_suffix(".initialised")
    if done.exists() and database.exists():
        return
    database.parent.mkdir(parents=True, exist_ok=True)
    with database.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists():
            # elsewhere first: a process that is killed meanwhile leaves no half of a database
            with tempfile.TemporaryDirectory(prefix=".assay-mlflow-", dir=database.parent) as folder:
                whole = Path(folder) / database.name
                _create_tables(f"{_SQLITE}{whole}")
                whole.rename(database)
        elif not done.exists():
            _create_tables(tracking_uri)
        done.touch()


def _create_tables(tracking_uri: str) -> None:
    from mlflow import MlflowClient

    MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri).search_experiments(max_results=1)


@contextmanager
def as_tracking_error(tracking_uri: str, what: str) -> Iterator[None]:
    """Turn failures of MLflow into typed errors.

    Raises:
        TrackerUnavailableError: the server, its database or its artifact store does not answer now; SQLite is locked.
        TrackingError: MLflow refused, or its database or artifact store failed for good.
    """
    where = without_credentials(tracking_uri)
    # the causes print the address as it was given: one with credentials must not be shown
    secret = where != tracking_uri
    try:
        yield
    except Exception as error:
        typed = _typed(error, what, where)
        if typed is None:
            raise
        raise typed from (None if secret else error)


def _typed(error: Exception, what: str, where: str) -> TrackingError | None:
    """Return the typed error for a failure of MLflow or of a library below it; None for any other."""
    libraries = {parent.__module__.partition(".")[0] for parent in type(error).__mro__}
    if not isinstance(error, OSError) and libraries.isdisjoint(_LIBRARIES):
        return None
    # the text of an error of requests may hold the address as it was given
    found = type(error).__name__ if "requests" in libraries else _first_line(error)
    outage = _outage_remedy(error, libraries)
    if outage:
        return TrackerUnavailableError(what, where=where, found=found, remedy=outage)
    return TrackingError(what, where=where, found=found, remedy="" if "mlflow" in libraries else _STORE_REMEDY)


def _outage_remedy(error: Exception, libraries: AbstractSet[str]) -> str:
    """Return the remedy for a failure that may pass; empty for one that does not."""
    text = str(error)
    # a failed download names its files in the first line and the failures in further lines
    if "requests" in libraries or ("mlflow" in libraries and any(sign in text for sign in _SILENCE)):
        return _REMEDY
    if any(word in text for word in _BUSY):
        return _BUSY_REMEDY
    return _OUTAGE_REMEDY if any(is_outage(each) for each in _chain(error)) else ""


def _first_line(error: Exception) -> str:
    return without_credentials(str(error).partition("\n")[0])[:300] or type(error).__name__


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes: libraries above botocore raise its failures as their own."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _prepare_imports() -> None:
    """Silence messages that need no action, as of created tables; and import SciPy's functions before MLflow.

    At its own import, skops asks the loaded modules in their order for each of 800 functions of NumPy and SciPy: with
    MLflow's modules before them, that takes a second more of each process that stores or loads a model.
    """
    import scipy.special  # noqa: F401

    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)


def _require_health(tracking_uri: str) -> None:
    import urllib3

    try:
        # any answer counts: a proxy may refuse this path
        with urllib3.PoolManager(timeout=PROBE_SECONDS, retries=False) as pool:
            pool.request("GET", f"{tracking_uri.rstrip('/')}/health", preload_content=False).close()
    except (OSError, urllib3.exceptions.HTTPError) as error:
        raise TrackerUnavailableError(
            "the MLflow server does not answer",
            where=without_credentials(tracking_uri),
            found=without_credentials(str(error)) or type(error).__name__,
            expected=f"an answer within {PROBE_SECONDS:.0f} s",
            remedy=_REMEDY,
        ) from error


def all_pages(search: Callable[..., Any], **arguments: Any) -> Iterator[Any]:
    """Yield the results of all pages of a search."""
    token = None
    while True:
        page = search(**arguments, page_token=token)
        yield from page
        token = page.token
        if not token:
            return
