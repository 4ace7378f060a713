"""OpenTelemetry: one trace of a run, whose id is the run's, with a span for the run and one for each attempt."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING

from assay import __version__
from resources.observers.interface import EndedRun, EndedStep, ObservedRun, ObserverKind, StartedStep
from resources.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span, Tracer

_SECONDS = 5.0
_PATH = "/v1/traces"
_NANO = 1_000_000_000


def _open(settings: Settings) -> "RunTrace":
    import logging

    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    # it would say each failure a second time
    logging.getLogger(OTLPSpanExporter.__module__).setLevel(logging.CRITICAL)
    url = settings.otlp_url.rstrip("/")
    exporter = OTLPSpanExporter(
        endpoint=url if url.endswith(_PATH) else url + _PATH, headers=settings.headers_of_otlp, timeout=_SECONDS
    )
    return RunTrace(exporter, settings.experiment_prefix)


TRACES = ObserverKind(
    name="OpenTelemetry",
    setting="ASSAY_OTLP_URL",
    extra="opentelemetry",
    module="opentelemetry.exporter.otlp.proto.http",
    wanted=lambda settings: bool(settings.otlp_url),
    open=_open,
)


class RunTrace:
    """The trace of one run. Spans are sent as attempts end.

    Args:
        exporter: of the spans.
        service: the deployment's name.
    """

    def __init__(self, exporter: "SpanExporter", service: str) -> None:
        self._exporter, self._service = exporter, service
        self._tracer: Tracer | None = None
        self._root: Span | None = None
        self._open: dict[str, Span] = {}
        self._ended: list[ReadableSpan] = []

    def step_started(self, step: StartedStep) -> None:
        """Begin a span below the run's."""
        from opentelemetry.trace import set_span_in_context

        below = set_span_in_context(self._root_of(step.run))
        span = self._tracer_of(step.run).start_span(step.name, below, start_time=_nanoseconds(step.started))
        span.set_attributes(
            _present({"assay.pipeline": step.pipeline, "assay.partition": step.run.partition})
            | {"assay.attempt": step.attempt}
        )
        self._open[step.name] = span

    def step_ended(self, ended: EndedStep) -> None:
        """End it, and send it."""
        span = self._open.pop(ended.step.name)
        span.set_attribute("assay.outcome", ended.outcome)
        span.set_attributes(_present({"error.type": ended.error}))
        rows = [made.rows for made in ended.made if made.rows is not None]
        if rows:
            span.set_attribute("assay.rows", sum(rows))
        _set_status(span, failed=ended.outcome != "succeeded", message=ended.message)
        span.end(_nanoseconds(ended.ended))
        self._send()

    def run_ended(self, ended: EndedRun) -> None:
        """End the run's span, and send it."""
        root = self._root_of(ended.run)
        root.set_attribute("assay.outcome", "failed" if ended.failed else "succeeded")
        _set_status(root, failed=ended.failed)
        root.end(_nanoseconds(ended.ended))
        self._send()

    def _root_of(self, run: ObservedRun) -> "Span":
        if self._root is None:
            self._root = self._tracer_of(run).start_span(run.job, start_time=_nanoseconds(run.started))
            self._root.set_attributes(
                _present({"assay.partition": run.partition, "assay.space": run.space, "assay.page": run.page})
            )
        return self._root

    def _tracer_of(self, run: ObservedRun) -> "Tracer":
        if self._tracer is None:
            self._tracer = _tracer(uuid.UUID(run.run_id).int, self._service, self._ended)
        return self._tracer

    def _send(self) -> None:
        from opentelemetry.sdk.trace.export import SpanExportResult

        spans = tuple(self._ended)
        self._ended.clear()
        if self._exporter.export(spans) is not SpanExportResult.SUCCESS:
            raise ConnectionError("spans were not accepted")


def _tracer(trace_id: int, service: str, ended: "list[ReadableSpan]") -> "Tracer":
    """Return a tracer of one trace, which collects ended spans; nothing global is touched.

    Args:
        trace_id: of all its spans.
        service: name of the service.
        ended: takes the ended spans.
    """
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    class OneTrace(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return trace_id

        def is_trace_id_random(self) -> bool:
            return False

    class Collecting(SpanProcessor):
        def on_end(self, span: "ReadableSpan") -> None:
            ended.append(span)

    of_service = Resource.create({"service.name": service, "service.version": __version__})
    provider = TracerProvider(ALWAYS_ON, of_service, shutdown_on_exit=False, id_generator=OneTrace())
    provider.add_span_processor(Collecting())
    return provider.get_tracer("assay", __version__)


def _set_status(span: "Span", *, failed: bool, message: str = "") -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR, message) if failed else Status(StatusCode.OK))


def _present(attributes: Mapping[str, str]) -> dict[str, str | int]:
    return {name: text for name, text in attributes.items() if text}


def _nanoseconds(seconds: float) -> int:
    return round(seconds * _NANO)
