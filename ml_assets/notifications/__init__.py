"""Events of ended runs, told to people.

Does not belong here: the words (`assay.notices`), the ways to people (`resources.notifications`).
"""
