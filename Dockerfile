# syntax=docker/dockerfile:1
# vumeter in a container: `docker build -t vumeter .`, and compose.yaml runs it. See docs/deployment.md.
ARG PYTHON_VERSION=3.13

FROM python:${PYTHON_VERSION}-slim-bookworm AS build
WORKDIR /source
RUN python -m venv /opt/vumeter
# What is needed beside the product changes less often than the product.
COPY deploy/requirements.lock deploy/build-requirements.lock ./deploy/
RUN /opt/vumeter/bin/pip install --no-cache-dir --no-deps --require-hashes -r deploy/requirements.lock \
    && pip install --no-cache-dir --no-deps --require-hashes -r deploy/build-requirements.lock
COPY pyproject.toml README.md LICENSE CHANGELOG.md envoy.yaml ./
COPY server ./server
COPY generated ./generated
RUN python -m hatchling build -t wheel -d /wheels \
    && /opt/vumeter/bin/pip install --no-cache-dir --no-deps --no-index /wheels/vumeter-*.whl

FROM python:${PYTHON_VERSION}-slim-bookworm
RUN groupadd --system --gid 10001 vumeter \
    && useradd --system --uid 10001 --gid vumeter --home-dir /var/lib/vumeter --create-home \
        --shell /usr/sbin/nologin vumeter \
    && chmod 0700 /var/lib/vumeter
COPY --from=build /opt/vumeter /opt/vumeter
# Without TLS it listens beyond the container's loopback: compose.yaml publishes the ports on that of the
# host, and what reaches further belongs behind TLS.
ENV PATH=/opt/vumeter/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    VUMETER_STORE=sqlite:////var/lib/vumeter/vumeter.db \
    VUMETER_HOST=0.0.0.0 \
    VUMETER_INSECURE=true
USER 10001:10001
WORKDIR /var/lib/vumeter
VOLUME /var/lib/vumeter
EXPOSE 8080 50051
# vumeter asks its children to end, and waits for them.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/healthz', timeout=2)"]
ENTRYPOINT ["vumeter"]
CMD ["up"]
