"""The ways by which people are told: log, webhook, Slack and mail, behind one interface.

Does not belong here: which events are told (`ml_assets.notifications`), in which words (`assay.notifications`).
"""
