# One image for every service of docker-compose.yml: Airflow, the workers, the desk.
#   docker build --build-arg TORCH_INDEX=https://download.pytorch.org/whl/cpu .      without CUDA: 2.4 GB less
FROM python:3.11.14-slim-bookworm AS build

ARG TORCH=torch==2.13.0
ARG TORCH_INDEX=https://pypi.org/simple
ENV UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1
COPY --from=ghcr.io/astral-sh/uv:0.9.11 /uv /usr/local/bin/uv

WORKDIR /app
RUN uv venv /opt/venv
ENV VIRTUAL_ENV=/opt/venv PATH=/opt/venv/bin:$PATH
COPY requirements.lock pyproject.toml README.md LICENSE ./
# celery and fab are not in the lock, which is the one of a single machine; it still pins what they share, but for
# python-dateutil: flask-appbuilder, under fab, wants one before 3, which all others take too
RUN --mount=type=cache,target=/root/.cache/uv \
    echo "python-dateutil==2.9.0.post0" > /tmp/overrides.txt \
 && uv pip install --index-strategy unsafe-best-match --extra-index-url "$TORCH_INDEX" \
      -r requirements.lock "$TORCH" --override /tmp/overrides.txt \
      "apache-airflow-providers-celery==3.26.0" "apache-airflow-providers-fab==3.10.2" "celery[redis]==5.6.3"
COPY pipeline pipeline
COPY model model
COPY dags dags
COPY sql sql
RUN --mount=type=cache,target=/root/.cache/uv uv pip install --no-deps -e .

FROM python:3.11.14-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends curl dumb-init libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 50000 --create-home undertow \
 && install -d -o undertow /opt/airflow /opt/airflow/logs /app/.undertow
COPY --from=build /opt/venv /opt/venv
COPY --from=build --chown=undertow /app /app
COPY --chown=undertow *.toml /app/
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 AIRFLOW_HOME=/opt/airflow UNDERTOW_HOME=/app/.undertow
USER undertow
WORKDIR /app
ENTRYPOINT ["dumb-init", "--"]
CMD ["undertow", "--help"]
