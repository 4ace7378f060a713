"""The pure domain library of Assay: specs, tables, the gate, learning, promotion.

Belongs here: functions and frozen types that work on values handed to them.
Does not belong here: Dagster, MLflow, the network, the environment, the clock.
"""

__version__ = "0.1.0"
