# The gateway alone, at its pinned versions. docker-compose.yml shows how it is run.
FROM python:3.11-slim AS build
# A compiler of whatever version: nothing of it is in the image.
# hadolint ignore=DL3008
RUN apt-get update \
 && apt-get install --yes --no-install-recommends gcc libc6-dev \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY proxy ./proxy
RUN python -m venv /opt/gateway \
 && /opt/gateway/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt '.[otlp]'
# The hot path as machine code (README, "Machine code"), made by tools that stay behind.
COPY compiled ./compiled
COPY bench ./bench
RUN cp -r /opt/gateway /opt/maker \
 && /opt/maker/bin/python -m pip install --no-cache-dir --disable-pip-version-check -c constraints.txt \
    mypy setuptools \
 && /opt/maker/bin/python -m compiled.build \
 && cp -r compiled "$(/opt/gateway/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" \
 && HATZ_GATEWAY_COMPILED=required /opt/gateway/bin/hatz-gateway --version

FROM python:3.11-slim
COPY --from=build /opt/gateway /opt/gateway
# A named volume takes its owner from the folder it is mounted on.
RUN useradd --system --uid 10001 --create-home --home-dir /srv/gateway gateway \
 && install --directory --owner gateway --mode 0700 /srv/gateway/var
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1
# Relative paths of the configuration (var/gateway.db, var/journal) begin here.
WORKDIR /srv/gateway
# By number, so that Kubernetes can see that it is not root.
USER 10001
EXPOSE 8080
# Readiness: 503 also while it drains, which is when a balancer should leave it alone.
HEALTHCHECK --interval=5s --timeout=5s --start-period=20s --retries=3 \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=3)"]
ENTRYPOINT ["hatz-gateway"]
CMD ["serve", "--config", "/etc/hatz/gateway.toml"]
