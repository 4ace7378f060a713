"""SQL over the columns of rows: what it may contain, and its evaluation by DuckDB without files, clock or chance.

Does not belong here: what the gate's rules, the steps of `features` and the search of stored rows ask of it.
"""
