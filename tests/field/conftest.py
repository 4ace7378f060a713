"""Reports from use: each fault that a user met, as a small input with its right value.

One module for each theme, `test_<theme>.py`. A test states the report in its name or docstring and asserts what the
user sees: an exit code, a message, a file, the values of labels. Inputs stand in the test or in `data/`, as small as
still shows the fault. Tests run in the process (the fixture `platform`, or the library's own functions); a command line
is started only where the exit code is the point. A case is never removed, and its right value changes only with the
behaviour that the documentation states. `docs/developers/report-from-use.md` says how to add one.
"""

from in_process import without_children  # noqa: F401 - a fixture
from platform_fixtures import (  # noqa: F401 - fixtures
    bank,
    blank_plots,
    copied,
    fits,
    fresh,
    platform,
    promoted,
    templates,
    unsynced_databases,
    unsynced_files,
)
