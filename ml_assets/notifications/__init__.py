"""Events of ended runs, told to people.

Does not belong here: the words (`assay.notifications`), the ways to people (`resources.notifications`).
"""
