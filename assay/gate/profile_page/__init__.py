"""The gate's report as one HTML page for people, with a look at every column.

Does not belong here: judging rows; where the page is stored.
"""
