#!/bin/sh
# A database and an owner each for Dagster and MLflow; PostgreSQL's image runs this once, on an empty volume.
set -eu
psql -v ON_ERROR_STOP=1 -v dagster="$DAGSTER_DB_PASSWORD" -v mlflow="$MLFLOW_DB_PASSWORD" --username postgres <<'SQL'
create role dagster login password :'dagster';
create database dagster owner dagster;
revoke all on database dagster from public;
create role mlflow login password :'mlflow';
create database mlflow owner mlflow;
revoke all on database mlflow from public;
SQL
