"""Real processes without the seconds that each would spend on imports: one process imports and forks the others."""

import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
_PROGRAM = """\
import contextlib, io, os, sys, traceback
sys.path[:0] = {path!r}
{code}
children, codes = [], []
for number in range({count}):
    children.append(os.fork())
    if children[-1] == 0:
        printed = io.StringIO()
        try:
            with contextlib.redirect_stdout(printed):
                act(number)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os.write(1, printed.getvalue().encode())  # in one piece, beside the others
        os._exit(0)
    if {one_by_one}:
        codes.append(os.waitpid(children.pop(), 0)[1])
sys.exit(any([*codes, *(os.waitpid(child, 0)[1] for child in children)]))
"""


def in_processes(code: str, count: int, *, one_by_one: bool = False) -> list[str]:
    """Run a function in processes of their own and return the lines that they print, in no order.

    Args:
        code: defines `act(number)`, and imports what it needs; runs before the processes are made.
        count: how many processes there are, numbered from 0.
        one_by_one: whether each begins when the one before has ended.
    """
    path = [str(ROOT), str(ROOT / "tests" / "support"), str(ROOT / "tests" / "resources")]
    program = _PROGRAM.format(path=path, code=textwrap.dedent(code), count=count, one_by_one=one_by_one)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()
