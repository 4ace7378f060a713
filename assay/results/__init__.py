"""What learning produces: trained models, search results, evaluation reports, and models as files.

Belongs here: types that later stages, storage and tracking read, and their safe persistence.
Does not belong here: how results are made (`assay.learning`), where they are stored (`resources`).
"""
