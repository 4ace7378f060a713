"""A first pipeline file for data that has none yet: what the gate finds in the rows becomes settings and comments.

Does not belong here: reading the rows and writing the file (`assay.shell.add`); what the rules find (`assay.gate`).
"""
