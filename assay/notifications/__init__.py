"""Notifications of a pipeline's events: their content, wording and forms, and the outbox of pending deliveries.

Does not belong here: delivering (`resources.notifications`), finding events (`ml_assets.notifications`).
"""
