"""OpenLineage: START, COMPLETE, FAIL and ABORT of each attempt of a step, with the datasets that it reads and makes."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from assay import __version__
from resources.object_store import uri_of_space
from resources.observers.interface import EndedRun, EndedStep, MadeAsset, ObserverKind, StartedStep, StepOutcome
from resources.settings import Settings

if TYPE_CHECKING:
    from openlineage.client.event_v2 import InputDataset, OutputDataset, RunEvent
    from openlineage.client.transport import Transport

_PRODUCER = "https://pypi.org/project/assay-platform"
_SECONDS = 5.0
_STATES: dict[StepOutcome, str] = {"succeeded": "COMPLETE", "failed": "FAIL", "retried": "FAIL", "aborted": "ABORT"}
_OF_AN_ASSET = "asset://"


def _open(settings: Settings) -> "LineageEvents":
    from openlineage.client.event_v2 import set_producer

    set_producer(_PRODUCER)
    return LineageEvents(_transport(settings), settings.experiment_prefix, settings.artifact_uri)


def _transport(settings: Settings) -> "Transport":
    """Return the transport of the setting alone: the library's client would also read its own variables and files."""
    from openlineage.client.transport.file import FileConfig, FileTransport
    from openlineage.client.transport.http import HttpConfig, HttpTransport

    if not settings.openlineage_url.startswith(("http://", "https://")):
        path = Path(settings.openlineage_url).expanduser().absolute()
        path.parent.mkdir(parents=True, exist_ok=True)
        return FileTransport(FileConfig(log_file_path=str(path), append=True))
    key = settings.openlineage_key.get_secret_value()
    auth = {"auth": {"type": "api_key", "apiKey": key}} if key else {}
    # one try: a receiver that is down must not hold up the events of the steps behind
    tries: dict[str, Any] = {"timeout": _SECONDS, "retry": {"total": False, "status_forcelist": []}}
    return HttpTransport(HttpConfig.from_dict({"url": settings.openlineage_url} | tries | auth))


OPENLINEAGE = ObserverKind(
    name="OpenLineage",
    setting="ASSAY_OPENLINEAGE_URL",
    extra="openlineage",
    module="openlineage.client",
    wanted=lambda settings: bool(settings.openlineage_url),
    open=_open,
)


class LineageEvents:
    """Emits the events of one run.

    Args:
        transport: of the events.
        namespace: of the jobs.
        store: URI of the artifact store, which holds the assets.
    """

    def __init__(self, transport: "Transport", namespace: str, store: str) -> None:
        self._transport, self._namespace, self._store = transport, namespace, store

    def step_started(self, step: StartedStep) -> None:
        """Emit START."""
        self._transport.emit(self._event("START", step, step.started))

    def step_ended(self, ended: EndedStep) -> None:
        """Emit the event of the end, with the sources and assets that are known by then."""
        event = self._event(_STATES[ended.outcome], ended.step, ended.ended)
        event.inputs = [*(event.inputs or []), *self._sources(ended)]
        event.outputs = [self._output(made, ended.step.run.space) for made in ended.made]
        event.run.facets = (event.run.facets or {}) | self._error(ended)
        self._transport.emit(event)

    def run_ended(self, ended: EndedRun) -> None:
        """Emit nothing: the run is the parent of its steps."""

    def _event(self, state: str, step: StartedStep, at: float) -> "RunEvent":
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import job_type_job

        of = uuid.uuid5(uuid.UUID(step.run.run_id), f"{step.name} {step.attempt}")
        kind = job_type_job.JobTypeJobFacet(processingType="BATCH", integration="DAGSTER", jobType="STEP")
        return RunEvent(
            eventType=RunState[state],
            eventTime=datetime.fromtimestamp(at, UTC).isoformat(),
            run=Run(runId=str(of), facets=self._run_facets(step)),
            job=Job(namespace=self._namespace, name=step.name, facets={"jobType": kind}),
            inputs=[self._input(name, step.run.space) for name in step.reads],
            producer=_PRODUCER,
        )

    def _run_facets(self, step: StartedStep) -> dict[str, Any]:
        from openlineage.client.facet_v2 import parent_run, processing_engine_run, tags_run

        run = step.run
        tags = {"pipeline": step.pipeline, "partition": run.partition, "space": run.space, "dagster_run": run.page}
        shown = {name: text for name, text in tags.items() if text} | {"attempt": str(step.attempt)}
        return {
            "parent": parent_run.ParentRunFacet(
                run=parent_run.Run(runId=run.run_id),
                job=parent_run.Job(namespace=self._namespace, name=run.job),
            ),
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
                version=self._dagster, name="Dagster", openlineageAdapterVersion=__version__
            ),
            "tags": tags_run.TagsRunFacet(
                tags=[tags_run.TagsRunFacetFields(key=name, value=text, source="ASSAY") for name, text in shown.items()]
            ),
        }

    @cached_property
    def _dagster(self) -> str:
        return version("dagster")

    def _error(self, ended: EndedStep) -> dict[str, Any]:
        from openlineage.client.facet_v2 import error_message_run

        if not ended.error:
            return {}
        text = f"[{ended.error}] {ended.message}".strip()
        return {"errorMessage": error_message_run.ErrorMessageRunFacet(message=text, programmingLanguage="PYTHON")}

    def _input(self, name: str, space: str) -> "InputDataset":
        from openlineage.client.event_v2 import InputDataset

        namespace, dataset = dataset_of(f"{uri_of_space(self._store, space)}/{name}")
        return InputDataset(namespace=namespace, name=dataset)

    def _sources(self, ended: EndedStep) -> "Iterator[InputDataset]":
        from openlineage.client.event_v2 import InputDataset

        addresses = (each for made in ended.made for each in made.sources if not each.startswith(_OF_AN_ASSET))
        for address in dict.fromkeys(addresses):
            namespace, name = dataset_of(address)
            yield InputDataset(namespace=namespace, name=name)

    def _output(self, made: MadeAsset, space: str) -> "OutputDataset":
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import (
            dataset_version_dataset,
            output_statistics_output_dataset,
            schema_dataset,
        )

        facets: dict[str, Any] = {}
        if made.version:
            facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=made.version)
        if made.columns:
            columns = [schema_dataset.SchemaDatasetFacetFields(name=name, type=of) for name, of in made.columns.items()]
            facets["schema"] = schema_dataset.SchemaDatasetFacet(fields=columns)
        rows = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=made.rows)
        namespace, dataset = dataset_of(f"{uri_of_space(self._store, space)}/{made.name}")
        return OutputDataset(
            namespace=namespace,
            name=dataset,
            facets=facets,
            outputFacets={"outputStatistics": rows} if made.rows is not None else {},
        )


def dataset_of(address: str) -> tuple[str, str]:
    """Return an address as OpenLineage names datasets: `s3://bucket` and the key, `file` and the absolute path."""
    scheme, mark, rest = address.partition("://")
    if not mark:
        return "file", str(Path(address).expanduser().absolute())
    host, _, path = rest.partition("/")
    return f"{scheme}://{host}", path or "/"
