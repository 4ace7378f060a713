"""What Dagster hands an executor that starts a container for each step, for a step of a pipeline's job."""

from types import SimpleNamespace
from unittest.mock import Mock

from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.context.system import PlanData, PlanOrchestrationContext
from dagster._core.executor.step_delegating.step_handler.base import StepHandlerContext
from dagster._core.log_manager import DagsterLogManager
from dagster._grpc.types import ExecuteStepArgs

KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none, user: nobody}}]
current-context: none
users: [{name: nobody, user: {}}]
"""


def handler_context(platform, instance, step_key, image):
    """Return the context of the launch of one step, of a run whose code location is in an image."""
    job = platform.definitions.resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(job)
    plan = create_execution_plan(job)
    data = PlanData(job=Mock(), dagster_run=run, instance=instance, execution_plan=plan)
    context = PlanOrchestrationContext(data, DagsterLogManager.create(loggers=[], dagster_run=run), Mock(), None)
    origin = SimpleNamespace(
        repository_origin=SimpleNamespace(container_image=image, container_context={}, code_location_origin=None)
    )
    known = SimpleNamespace(
        run_id=run.run_id, job_name=run.job_name, job_code_origin=origin, remote_job_origin=None, tags={}
    )
    arguments = Mock(spec=ExecuteStepArgs)
    arguments.run_id, arguments.step_keys_to_execute, arguments.known_state = run.run_id, [step_key], None
    arguments.job_origin = origin
    arguments.get_command_args.return_value = ["dagster", "api", "execute_step"]
    arguments.get_command_env.return_value = []
    return StepHandlerContext(instance, context, plan.steps, arguments, known)
