"""A new project: its files, made of the templates in `templates/`.

Does not belong here: pipeline files that are drafted from rows (`assay.drafting`); the command (`assay.shell.init`).
"""
