"""The gate's report as one HTML page for people, with a drawing of every column.

Does not belong here: checking rows; where the page is stored.
"""
