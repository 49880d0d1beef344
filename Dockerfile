# The images of Carillon: web (which migrates, too), gateway, worker (bulk and beat, too), nginx.
# `make images` builds all four; one of them: docker build --target gateway .
#
# A network of one's own: --secret id=ca,src=FILE takes a whole bundle of certificates,
# --secret id=pip,src=FILE a pip.conf, --secret id=npmrc,src=FILE an .npmrc. None of them stays.

ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG NGINX_IMAGE=nginx:1.28-bookworm


# The Python packages, and nothing that only their installation needs.
FROM ${PYTHON_IMAGE} AS packages
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/base.txt /requirements/
# Kept compiled: nothing can be written beside them later. Tests of packages are a tenth of them.
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip,target=/etc/pip.conf \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python -m venv /opt/venv \
    && /opt/venv/bin/pip install --quiet --require-hashes --no-compile -r /requirements/base.txt \
    && /opt/venv/bin/pip uninstall --quiet --yes pip \
    && find /opt/venv/lib -depth -type d '(' -name tests -o -path '*/twisted/*test' ')' \
        -exec rm -rf '{}' + \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib


# The front end, with Node from PyPI, as in a checkout.
FROM ${PYTHON_IMAGE} AS frontend
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
COPY requirements/node.txt /requirements/
RUN --mount=type=secret,id=ca --mount=type=secret,id=pip,target=/etc/pip.conf \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi; \
    python -m venv /opt/node \
    && /opt/node/bin/pip install --quiet --require-hashes -r /requirements/node.txt
ENV PATH=/opt/node/bin:$PATH
WORKDIR /app/services/web/frontend
COPY services/web/frontend/package.json services/web/frontend/package-lock.json services/web/frontend/.npmrc ./
RUN --mount=type=secret,id=ca --mount=type=secret,id=npmrc \
    if [ -s /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
    NPM_CONFIG_USERCONFIG=/run/secrets/npmrc npm ci --no-audit --no-fund --loglevel error
COPY services/web/frontend/ ./
RUN npm run --silent build


# The sources as services find them, and the files that browsers ask for.
FROM packages AS sources
WORKDIR /app
COPY manage.py LICENSE ./
COPY shared/ shared/
COPY services/__init__.py services/
COPY services/web/ services/web/
COPY services/gateway/ services/gateway/
COPY services/worker/ services/worker/
COPY --from=frontend /app/services/web/static/build/ services/web/static/build/
# Readable for everybody, however strict the checkout's owner is.
RUN rm -rf services/web/frontend \
    && chmod -R u=rwX,go=rX . \
    && CARILLON_SECRET_KEY=for-building-alone CARILLON_PUBLIC_ORIGINS=http://localhost \
        DATABASE_URL=sqlite:////tmp/none DJANGO_SETTINGS_MODULE=services.web.settings \
        CARILLON_STATIC_ROOT=/srv/static PYTHONDONTWRITEBYTECODE=1 \
        /opt/venv/bin/python manage.py collectstatic --noinput -v 0 \
    && /opt/venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash .


# What the three services have in common.
FROM ${PYTHON_IMAGE} AS service
# Who has broken in finds nothing to install more with.
RUN python -m pip uninstall --quiet --yes --root-user-action ignore pip setuptools wheel 2>/dev/null || : \
    && groupadd --gid 10001 carillon \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin --no-log-init carillon \
    && install -d -o carillon -g carillon /run/carillon
COPY --from=packages /opt/venv/ /opt/venv/
COPY --chmod=755 deploy/images/entrypoint /usr/local/bin/carillon-entrypoint
WORKDIR /app
COPY --from=sources /app/manage.py /app/LICENSE ./
COPY --from=sources /app/shared/ shared/
COPY --from=sources /app/services/__init__.py services/
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    LANG=C.UTF-8 \
    CARILLON_INTERNAL_HOST=0.0.0.0 \
    CARILLON_INTERNAL_PORT=9000 \
    CARILLON_STATIC_ROOT=/srv/static
EXPOSE 9000
STOPSIGNAL SIGTERM
ENTRYPOINT ["carillon-entrypoint"]
# Ready, not only alive: what waits for a healthy container sends work there.
HEALTHCHECK --interval=10s --timeout=10s --start-period=60s --retries=4 \
    CMD ["sh", "-c", "exec python -m shared.telemetry.probe \"$CARILLON_INTERNAL_PORT\" /readyz"]


FROM service AS gateway
COPY --from=sources /app/services/gateway/ services/gateway/
ENV DJANGO_SETTINGS_MODULE=services.gateway.settings
USER 10001:10001
EXPOSE 8000
CMD ["python", "-m", "services.gateway", "-b", "0.0.0.0", "-p", "8000"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=https://github.com/carillon-realtime/carillon
LABEL org.opencontainers.image.title="Carillon gateway" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="MIT"
ENV CARILLON_REVISION=${REVISION}


FROM service AS worker
COPY --from=sources /app/services/worker/ services/worker/
ENV DJANGO_SETTINGS_MODULE=services.worker.settings \
    PROMETHEUS_MULTIPROC_DIR=/run/carillon/metrics
USER 10001:10001
# Told to end, a quiet worker still writes plain text to its standard output; logs are JSON.
CMD ["sh", "-c", "exec celery -A services.worker.celery:app --quiet worker --concurrency 2 --loglevel INFO --queues carillon.default,carillon.rounds --hostname worker@%h >/dev/null"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=https://github.com/carillon-realtime/carillon
LABEL org.opencontainers.image.title="Carillon worker" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="MIT"
ENV CARILLON_REVISION=${REVISION}


FROM service AS web
COPY --from=sources /srv/static/ /srv/static/
COPY --from=sources /app/services/web/ services/web/
ENV DJANGO_SETTINGS_MODULE=services.web.settings \
    PROMETHEUS_MULTIPROC_DIR=/run/carillon/metrics \
    CARILLON_WEB_BIND=0.0.0.0:8000
USER 10001:10001
EXPOSE 8000
CMD ["gunicorn", "-c", "services/web/gunicorn.conf.py", "services.web.wsgi:application"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=https://github.com/carillon-realtime/carillon
LABEL org.opencontainers.image.title="Carillon web" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="MIT"
ENV CARILLON_REVISION=${REVISION}


FROM ${NGINX_IMAGE} AS nginx
COPY --from=sources /srv/static/ /srv/static/
COPY --chmod=755 deploy/images/nginx-probe /usr/local/bin/carillon-probe
COPY --from=sources /app/LICENSE /usr/share/carillon/
COPY deploy/nginx/ /usr/share/carillon/nginx/
RUN chmod -R u=rwX,go=rX /usr/share/carillon && chmod 755 /usr/share/carillon/nginx/entrypoint
ENV CARILLON_STATIC_ROOT=/srv/static
USER 10001:10001
EXPOSE 8000 8443 9000
STOPSIGNAL SIGQUIT
ENTRYPOINT ["/usr/share/carillon/nginx/entrypoint"]
CMD []
HEALTHCHECK --interval=10s --timeout=10s --start-period=30s --retries=4 CMD ["carillon-probe"]
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=https://github.com/carillon-realtime/carillon
LABEL org.opencontainers.image.title="Carillon nginx" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="MIT"
