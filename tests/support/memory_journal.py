"""A journal of a search in memory, which keeps what was encoded."""

from assay.learning.tuning.journal import decoded, encoded


class MemoryJournal:
    def __init__(self, kept=()):
        self.kept, self.cleared = list(kept), 0

    def entries(self):
        return [decoded(each) for each in self.kept]

    def append(self, entry):
        self.kept.append(encoded(entry))

    def clear(self):
        self.cleared += 1
        self.kept = []


class Killed(BaseException):
    """The process ends here."""


class KilledAfter(MemoryJournal):
    """Ends the search after so many trials, as a kill of its process does."""

    def __init__(self, trials):
        super().__init__()
        self.trials = trials

    def append(self, entry):
        super().append(entry)
        if len(self.kept) == self.trials:
            raise Killed
