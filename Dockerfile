# One image for webserver, daemon, code location, endpoint and MLflow server; the command chooses. Each has a health
# check of its own, so the image has none: deploy/compose/compose.yaml.
#   docker build --build-arg GIT_SHA=$(git rev-parse HEAD) -t assay .
#   docker run -e ASSAY_UI_HOST=0.0.0.0 -p 127.0.0.1:3000:3000 -v assay-data:/opt/assay/.assay assay
# The webserver has no sign-in, so it binds loopback unless ASSAY_UI_HOST says otherwise (see SECURITY.md).
#   docker run -v assay-data:/opt/assay/.assay assay dagster-daemon run -w workspace.yaml
#   docker run -e ASSAY_SERVE_HOST=0.0.0.0 -e ASSAY_SERVE_KEYS=... -p 8000:8000 -v assay-data:/opt/assay/.assay assay \
#     assay serve flight_delays

FROM python:3.11-slim-bookworm AS build
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy UV_PYTHON_DOWNLOADS=never UV_PROJECT_ENVIRONMENT=/opt/assay/.venv
RUN pip install --no-cache-dir uv==0.13.8
WORKDIR /opt/assay
# dependencies first: they change less often than the code; uv.lock holds a hash of every file
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-dev --group platform --all-extras --no-install-project
COPY assay ./assay
RUN uv sync --locked --no-dev --group platform --all-extras --no-editable
# the libraries' own tests are 120 MB
RUN find .venv/lib -type d -name tests -prune \
    -regex '.*/\(matplotlib\|mpl_toolkits\|numpy\|pandas\|pyarrow\|scipy\|sklearn\)/.*' -exec rm -rf {} +

FROM python:3.11-slim-bookworm
# LightGBM and XGBoost need the OpenMP runtime
RUN apt-get update && apt-get install -y --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 assay
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
USER assay
VOLUME /opt/assay/.assay
EXPOSE 3000
CMD ["sh", "-c", "exec dagster-webserver -h \"$ASSAY_UI_HOST\" -p 3000 -w workspace.yaml"]
