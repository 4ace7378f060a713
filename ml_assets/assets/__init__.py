"""One module per asset; each has a `build_*` that makes the asset of one pipeline.

Belongs here: asset definitions whose bodies call one domain function.
Does not belong here: presentation of values (`ml_assets.presentation`), wiring (`ml_assets.factory`).
"""
