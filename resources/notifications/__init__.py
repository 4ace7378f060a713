"""Channels of notifications: log, webhook, Slack, mail, and every service of apprise, behind one interface.

To add a channel, write a module with a `Channel` and a function that opens it from the settings, and list the function
in `notifier.CHANNELS`. A service that apprise knows needs no code: its URL in `ASSAY_NOTIFY_APPRISE_URLS` is enough.
Does not belong here: which events make notifications (`ml_assets.notifications`), their wording
(`assay.notifications`).
"""
