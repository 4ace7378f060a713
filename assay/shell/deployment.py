"""Commands that work on a deployment's stores; the platform offers them by entry points named after the commands."""

from assay.errors import SpecError
from assay.shell.flags import Flags
from assay.shell.storage import adapter

GROUP = "assay.deployment"


def run(flags: Flags, _storage: object) -> tuple[bool, str]:
    """Run a command of the platform.

    Returns:
        Whether all is well, and the text for standard output.

    Raises:
        SpecError: the platform is not installed.
        AssayError: of the command.
    """
    command = adapter(
        GROUP, flags.command, error=SpecError, what="this command works on a deployment's stores", where=flags.command
    )
    done: tuple[bool, str] = command(flags)
    return done
