"""What learning produces: trained models, search results and evaluation reports.

Belongs here: values that later stages, storage and tracking read.
Does not belong here: how results are made and persisted (`assay.learning`), where they are stored (`resources`).
"""
