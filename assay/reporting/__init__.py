"""One report for each model version: what is known of it as values, and as one page of HTML.

Belongs here: what the report says, and how it is drawn.
Does not belong here: how models are measured and compared (`learning`, `promotion`), where reports are stored
(`resources`).
"""
