"""Predictions for rows as their owners have them: a stored model, its features stage and the checks of both.

Belongs here: conversion of foreign rows, the predictor, its form for MLflow, predictions of batches.
Does not belong here: fetching rows or models, HTTP.
"""
