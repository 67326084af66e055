# The image of treble-bridge: docs/container.md. Needs BuildKit (Docker 25 or newer).
# The newest Python for which every dependency has a wheel.
ARG BASE_IMAGE=python:3.14-slim-bookworm
# Of the stages that build: the same Python at the same path. One that has `strip` needs no package of the system.
ARG BUILD_IMAGE=${BASE_IMAGE}


FROM ${BUILD_IMAGE} AS dependencies
# Everything is dated alike, so that the same input makes the same layers; the build argument of this name dates the image.
ENV SOURCE_DATE_EPOCH=315532800 PYTHONHASHSEED=0 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN command -v strip >/dev/null \
 || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends binutils >/dev/null; }
RUN python3 -m venv --without-pip /opt/treble-bridge
COPY requirements/otel.txt /build/otel.txt
# pip asks its usual index; for another one, the secret `pip_conf` is a pip.conf that stays in no layer.
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    python3 -m pip --python /opt/treble-bridge/bin/python3 install --quiet --no-compile --no-deps --only-binary :all: \
      --require-hashes -r /build/otel.txt
# What never runs stays behind: commands of dependencies, their tests, symbols for debuggers. A hash in place of a time
# makes bytecode reproducible; unchecked, since the files don't change any more.
RUN find /opt/treble-bridge/bin -mindepth 1 ! -name 'python*' -delete \
 && find /opt/treble-bridge/lib -type d \( -name tests -o -name sqlite_extra_binaries \) -prune -exec rm -r {} + \
 && find /opt/treble-bridge/lib -name '*.so' -exec strip --strip-unneeded {} + \
 && python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash /opt/treble-bridge/lib \
 && mkdir -p /layer/opt && cp -a /opt/treble-bridge /layer/opt/ \
 && find /layer -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +


FROM dependencies AS program
COPY requirements/build.txt /build/build.txt
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \
    python3 -m pip install --quiet --no-compile --target /build/tools --only-binary :all: \
      --require-hashes -r /build/build.txt
COPY pyproject.toml README.md LICENSE /build/source/
COPY bridge /build/source/bridge
# The modes of a checkout depend on its umask.
RUN chmod -R u=rwX,go=rX /build/source \
 && PYTHONPATH=/build/tools python3 -m pip wheel --quiet --no-deps --no-build-isolation --no-index \
      --wheel-dir /build/wheels /build/source \
 && rm -r /layer && mkdir -p /layer/var/lib \
 && python3 -m pip --python /opt/treble-bridge/bin/python3 install --quiet --no-compile --no-deps --no-index \
      --no-warn-script-location --root /layer --find-links /build/wheels treble-bridge \
 && python3 -m compileall -q -j 1 --invalidation-mode unchecked-hash -s /layer -p / /layer/opt \
 # The group is for users without a name, who get group 0: `docker run --user 12345`, OpenShift.
 && install -d -m 0770 -o 65532 -g 0 /layer/var/lib/treble-bridge \
 && find /layer -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +


FROM ${BASE_IMAGE}
COPY --link --from=dependencies /layer/ /
COPY --link --from=program /layer/ /
ENV PATH=/opt/treble-bridge/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    TREBLE_BRIDGE_CONFIG=/etc/treble-bridge/bridge.yaml
ARG BASE_IMAGE
ARG VERSION=dev
ARG REVISION=
ARG CREATED=
LABEL org.opencontainers.image.title="treble-bridge" \
      org.opencontainers.image.description="Takes Treble.ai webhooks, keeps them on disk before it answers, and forwards each as one event to Kafka." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="${BASE_IMAGE}"
USER 65532:65532
VOLUME /var/lib/treble-bridge
EXPOSE 8080 8081
STOPSIGNAL SIGTERM
# Alive, not ready: whoever kills unhealthy containers must not kill one whose journal is full and drains.
HEALTHCHECK --interval=10s --timeout=5s --retries=3 --start-period=30s --start-interval=1s \
  CMD ["treble-bridge", "health", "--live"]
ENTRYPOINT ["treble-bridge"]
CMD ["run"]
