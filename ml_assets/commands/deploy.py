"""`assay deploy kserve`: the manifest by which a pipeline's model is served on Kubernetes."""

import json
from typing import Any

from pydantic import ValidationError

from assay.errors import SpecError
from assay.serving.kserve import InferenceService, manifest_text
from assay.shell.flags import Flags
from assay.specs import PipelineSpec
from assay.specs.complaints import explain
from ml_assets.commands.deployment import Deployment

_FLAGS = ("namespace", "image", "version", "storage_uri", "canary", "min_replicas", "max_replicas", "processes")


def deploy(flags: Flags) -> tuple[bool, str]:
    """Return the manifest as YAML; nothing is sent to a cluster.

    Raises:
        SpecError: there is no such pipeline, or a flag is not acceptable.
    """
    deployment = Deployment()
    spec = deployment.pipeline(flags.name)
    return True, manifest_text(service_of(flags, spec, deployment.settings.environment)).rstrip()


def service_of(flags: Flags, spec: PipelineSpec, environment: str = "") -> InferenceService:
    """Return the InferenceService that the flags ask for.

    Raises:
        SpecError: a flag is not acceptable; names it.
    """
    name = flags.service or InferenceService.name_of(spec.registered_name)
    given: dict[str, Any] = {each: getattr(flags, each) for each in _FLAGS if getattr(flags, each) is not None}
    given |= {"pipeline": spec.name, "name": name, "secret": flags.secret or f"{name}-serving"}
    given |= {"environment": environment} if environment else {}
    try:
        return InferenceService.model_validate_json(json.dumps(given))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        what, found, expected, remedy = explain(problem, InferenceService)
        field = str(problem["loc"][0]) if problem["loc"] else ""
        flag = flags.spelled.get("service" if field == "name" else field, field)
        raise SpecError(what, where=flag, found=found, expected=expected, remedy=remedy) from error
