"""`python -m serving PIPELINE` is `assay serve PIPELINE`, for images without the console command."""

import sys

from assay.shell.main import main

if __name__ == "__main__":
    sys.exit(main(["serve", *sys.argv[1:]]))
