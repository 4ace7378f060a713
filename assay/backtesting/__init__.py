"""What a policy would have done in the past: models of each as-of time, judged on the rows that came next.

Belongs here: the replay, its proof that no model saw the future, its table and curve.
Does not belong here: where the past's models and rows are stored (`resources`, `ml_assets`).
"""
