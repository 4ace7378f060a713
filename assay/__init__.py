"""The pure domain library of Assay: specs, tables, the gate, learning, promotion.

Belongs here: functions and frozen types that work on values handed to them.
Does not belong here: Dagster, MLflow, the network, the environment, the clock.
"""

from assay.moved_modules import install_finder

__version__ = "0.1.0"

install_finder()
