"""The read-only pages of `assay show`: reports of models, and pages of the gate, as the artifact store has them.

Belongs here: HTTP, and how stored pages are listed.
Does not belong here: how a page is made (`assay.reporting`, `assay.gate.profile_page`).
"""
