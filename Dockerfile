# syntax=docker/dockerfile:1
# The service with its bundled models: docs/operations.md says how to run it.

FROM python:3.11-slim AS build
WORKDIR /src
RUN python -m venv /opt/build && /opt/build/bin/pip install --no-cache-dir "build>=1.2"
COPY pyproject.toml README.md constraints.txt ./
COPY configs ./configs
COPY selfroute ./selfroute
RUN /opt/build/bin/python -m build --wheel --outdir /dist
RUN python -m venv /opt/selfroute \
    && /opt/selfroute/bin/pip install --no-cache-dir -c constraints.txt "$(ls /dist/selfroute-*.whl)[mcp,telemetry]"

FROM python:3.11-slim
# A fixed id, so that whoever mounts a folder knows whose it must be.
RUN groupadd --gid 10001 selfroute \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin selfroute \
    && install -d -o 10001 -g 10001 /data /data/indexes
COPY --from=build /opt/selfroute /opt/selfroute
ENV PATH=/opt/selfroute/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp \
    SELFROUTE_HOME=/data/indexes \
    SELFROUTE_SERVER__HOST=0.0.0.0
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["selfroute"]
CMD ["serve"]
