"""`python -m assay.shell`, the same as `assay`.

Does not belong here: anything else.
"""

import sys

from assay.shell.main import main

if __name__ == "__main__":
    sys.exit(main())
