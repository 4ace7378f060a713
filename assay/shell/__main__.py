"""The process of a command, as `assay` and as `python -m assay.shell`."""

import signal
import sys


def run() -> int:
    """Run the command of the process's arguments; also an interrupt while modules are imported ends with a sentence."""
    try:
        from assay.shell.main import main

        return main()
    except KeyboardInterrupt:
        sys.stderr.write("assay was interrupted\n")
        return 128 + signal.SIGINT


if __name__ == "__main__":
    sys.exit(run())
