"""Plots of an evaluation, as PNG bytes of 640x480 pixels.

Does not belong here: numbers that decide anything; where pictures are shown.
"""

from assay.learning.evaluation.plots.selection import plots_for
from assay.learning.evaluation.plots.tuning_history import tuning_history_plot

__all__ = ["plots_for", "tuning_history_plot"]
