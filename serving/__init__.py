"""The endpoint: predictions of a pipeline's champion over HTTP.

Belongs here: HTTP, its limits and keys, which version answers a request, processes of the endpoint.
Does not belong here: how rows are read and predicted (`assay.prediction`), how champions are stored (`resources`).
"""
