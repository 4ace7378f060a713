"""Notifications of ended runs: the sensor, and the events that it reads.

Does not belong here: wording (`assay.notifications`), delivery (`resources.notifications`).
"""
