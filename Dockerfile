# One image for webserver, daemon, code location, endpoint and MLflow server; the command chooses. Each has a health
# check of its own, so the image has none: deploy/compose/compose.yaml.
#   docker build --build-arg GIT_SHA=$(git rev-parse HEAD) -t assay .
#   docker run -e ASSAY_UI_HOST=0.0.0.0 -p 127.0.0.1:3000:3000 -v assay-data:/opt/assay/.assay assay
# The webserver has no sign-in, so it binds loopback unless ASSAY_UI_HOST says otherwise (see SECURITY.md).
#   docker run -v assay-data:/opt/assay/.assay assay dagster-daemon run -w workspace.yaml
#   docker run -e ASSAY_SERVE_HOST=0.0.0.0 -e ASSAY_SERVE_KEYS=... -p 8000:8000 -v assay-data:/opt/assay/.assay assay \
#     assay serve flight_delays
# EXTRAS names the optional packages. CatBoost is not among them unless asked for: it adds 0.3 GB.
#   docker build --build-arg EXTRAS="lightgbm xgboost cma-es catboost" -t assay .
# `kubernetes` and `docker` let runs and steps have containers of their own.

FROM python:3.11-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/assay/.venv
# strip is of binutils
RUN pip install --no-cache-dir uv==0.13.8 \
    && apt-get update && apt-get install -y --no-install-recommends binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/assay
# dependencies first: they change less often than the code; uv.lock holds a hash of every file
ARG EXTRAS="lightgbm xgboost cma-es"
COPY pyproject.toml uv.lock README.md LICENSE ./
# hadolint ignore=SC2046
RUN uv sync --locked --no-dev --group platform $(printf ' --extra %s' $EXTRAS) --no-install-project
# What no process reads: the libraries' own tests, sources for compilers, maps of minified scripts, symbols for debuggers.
# patchelf has moved the segments of the libraries in `*.libs`, and strip may break such files.
RUN find .venv/lib -type d -name tests -prune \
    -regex '.*/\(matplotlib\|mpl_toolkits\|numpy\|pandas\|pyarrow\|scipy\|sklearn\)/.*' -exec rm -rf {} + \
    && find .venv/lib -type f -regex '.*\.\(a\|c\|cpp\|h\|hpp\|js\.map\|css\.map\|pxd\|pxi\|pyx\)' -delete \
    && find .venv/lib -type f -name '*.so*' -not -path '*.libs/*' -exec strip --strip-unneeded {} +
COPY assay ./assay
# hadolint ignore=SC2046
RUN uv sync --locked --no-dev --group platform $(printf ' --extra %s' $EXTRAS) --no-editable

FROM python:3.11-slim-bookworm
# LightGBM and XGBoost need the OpenMP runtime
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 \
    && rm -rf /var/cache/apt /var/lib/apt/lists/* && mkdir -p /var/cache/apt/archives/partial \
    && groupadd --gid 10001 assay && useradd --create-home --uid 10001 --gid 10001 assay
WORKDIR /opt/assay
COPY --from=build --chown=assay:assay /opt/assay/.venv ./.venv
COPY --chown=assay:assay pyproject.toml uv.lock workspace.yaml dagster.yaml definitions.py ./
COPY --chown=assay:assay assay ./assay
COPY --chown=assay:assay resources ./resources
COPY --chown=assay:assay ml_assets ./ml_assets
COPY --chown=assay:assay serving ./serving
COPY --chown=assay:assay deploy/ci ./deploy/ci
COPY --chown=assay:assay pipelines ./pipelines
RUN mkdir -p /opt/assay/.assay /opt/dagster_home && cp dagster.yaml /opt/dagster_home/ \
    && chown -R assay:assay /opt/assay/.assay /opt/dagster_home && chown assay:assay /opt/assay

ARG GIT_SHA=unknown
LABEL org.opencontainers.image.revision=$GIT_SHA
ENV ASSAY_GIT_SHA=$GIT_SHA \
    ASSAY_EXECUTOR=forkserver \
    ASSAY_UI_HOST=127.0.0.1 \
    DAGSTER_HOME=/opt/dagster_home \
    PATH=/opt/assay/.venv/bin:$PATH \
    PYTHONPATH=/opt/assay \
    PYTHONUNBUFFERED=1
# by number: Kubernetes' runAsNonRoot knows no names
USER 10001:10001
VOLUME /opt/assay/.assay
EXPOSE 3000
CMD ["sh", "-c", "exec dagster-webserver -h \"$ASSAY_UI_HOST\" -p 3000 -w workspace.yaml"]
