"""`assay results`: what the newest runs made of a pipeline, as Markdown for a pull request or a page of CI."""

from assay.errors import ArtifactNotFoundError
from assay.shell.flags import Flags
from assay.shell.storage import AnyStorage, put_text
from assay.shell.summary_markdown import to_markdown
from ml_assets.commands.deployment import Deployment
from ml_assets.commands.plan import partition_to_plan
from ml_assets.run_values import RunValues, summary_of
from ml_assets.stages import STAGES


def results(flags: Flags) -> tuple[bool, str]:
    """Return the table of a pipeline's newest results in the deployment's space, or the address it was written to.

    Raises:
        SpecError: there is no such pipeline or partition.
        ArtifactNotFoundError: nothing was made of it.
    """
    deployment = Deployment()
    spec = deployment.pipeline(flags.name)
    partition = partition_to_plan(flags.partition, spec)
    made = RunValues(deployment.artifacts, None, spec.name, partition, {stage.name for stage in STAGES})
    summary = summary_of(made, deployment.settings, deployment.settings.space.name)
    if not summary.facts:
        raise ArtifactNotFoundError(
            "nothing was made of this pipeline",
            where=summary.title,
            expected="a run of it in this deployment, or branch",
            remedy=f"assay plan {spec.name} --run",
        )
    text = to_markdown(summary)
    if flags.output_uri is None:
        return True, text.rstrip()
    put_text(AnyStorage(), text, flags.output_uri)
    return True, str(flags.output_uri)
