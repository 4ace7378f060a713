"""The log: always there.

Does not belong here: where the log goes; that is Dagster's or the command line's.
"""

import logging

from assay.notices.forms import text_of
from assay.notices.notice import Kind, Notice
from resources.notifications.interface import Channel

_GOOD_NEWS = frozenset({Kind.PROMOTION, Kind.TEST})


class LogChannel(Channel):
    """Writes notices to a logger, those that ask for somebody as warnings."""

    name = "log"

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def deliver(self, notice: Notice) -> None:
        """Write the notice's text."""
        level = logging.INFO if notice.kind in _GOOD_NEWS else logging.WARNING
        self._logger.log(level, "%s", text_of(notice))
