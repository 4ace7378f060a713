"""`python -m assay.shell`, the same as `assay`."""

import sys

from assay.shell.main import main

if __name__ == "__main__":
    sys.exit(main())
