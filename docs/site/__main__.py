"""Build the site: `python docs/site FOLDER`."""

import os
import subprocess
import sys
from pathlib import Path

from tree import write_tree

if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_tree(Path(__file__).parents[2], target)
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--quiet",
        "--config-file",
        str(target / "mkdocs.yml"),
    ]
    # the builder's advertisement of its successor
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    sys.exit(subprocess.call(command, env=quiet))  # noqa: S603 - our own words
