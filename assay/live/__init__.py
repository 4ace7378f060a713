"""What is known of live predictions once their labels come: versions and arms measured, compared, and monitored.

Belongs here: pure functions of the prediction log, labels and models.
Does not belong here: how predictions are logged (`assay.serving`), where labels come from (`resources`).
"""
