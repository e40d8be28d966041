# The gateway alone, at its pinned versions. docker-compose.yml shows how it is run.
FROM python:3.11-slim AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY proxy ./proxy
RUN python -m venv /opt/gateway \
 && /opt/gateway/bin/pip install --no-cache-dir --disable-pip-version-check -c constraints.txt .

FROM python:3.11-slim
COPY --from=build /opt/gateway /opt/gateway
# A named volume takes its owner from the folder it is mounted on.
RUN useradd --system --uid 10001 --create-home --home-dir /srv/gateway gateway \
 && install --directory --owner gateway --mode 0700 /srv/gateway/var
ENV PATH=/opt/gateway/bin:$PATH PYTHONUNBUFFERED=1
# Relative paths of the configuration (var/gateway.db, var/journal) begin here.
WORKDIR /srv/gateway
USER gateway
EXPOSE 8080
ENTRYPOINT ["hatz-gateway"]
CMD ["serve", "--config", "/etc/hatz/gateway.toml"]
