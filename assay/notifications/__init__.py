"""What people are told of a pipeline's events: the notification, its wording, its forms, and who is still to be told.

Does not belong here: the way to people (`resources.notifications`), where events come from (`ml_assets.notifications`).
"""
