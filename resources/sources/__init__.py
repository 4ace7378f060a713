"""Sources of rows: one module per scheme, each with its registry entry, all behind one interface.

To add a source, write a module with a `Source` and a `SourceKind`, and list it in `opening.SOURCES`.
Does not belong here: parsing what was fetched (`assay.reading`).
"""
