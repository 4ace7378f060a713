"""A terminal in memory, and what was drawn on it."""

import io
import re


class Terminal(io.StringIO):
    def isatty(self):
        return True


def states_of(terminal):
    """Return each state of the line that is drawn again and again, without colours."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", each) for each in terminal.getvalue().split("\r\x1b[2K")]
