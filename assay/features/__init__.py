"""From a source's rows to the feature set: the steps of `features` as DuckDB queries, and the schema that they give.

Does not belong here: what is fitted on rows, and the gate's rules over the result.
"""
