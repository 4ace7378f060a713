"""Commands of the shell that work on a deployment's stores, each under an entry point of `assay.deployment`.

A command takes the flags and returns whether all is well, and the text for standard output. Does not belong here:
flags (`assay.shell.flags`), and what assets do as well (`ml_assets.pipeline`, `resources`).
"""
