# FlowPulse in one image: web and worker under supervisord, as anybody but root.
# How it is meant to be run is in compose.yaml and docs/deployment.md.

FROM python:3.13-slim-trixie AS packages
COPY requirements-hashed.txt /tmp/
RUN python -m venv /opt/venv \
 && /opt/venv/bin/python -m pip install --no-cache-dir --require-hashes -r /tmp/requirements-hashed.txt

FROM python:3.13-slim-trixie
LABEL org.opencontainers.image.title="FlowPulse"
LABEL org.opencontainers.image.version="0.1.0"
LABEL org.opencontainers.image.licenses="MIT"
# Debian's postgresql-client-17 backs PostgreSQL up and restores it; with SQLite nothing is needed.
ARG POSTGRES_CLIENT=""
RUN [ -z "$POSTGRES_CLIENT" ] \
 || { apt-get update && apt-get install -y --no-install-recommends "$POSTGRES_CLIENT" && rm -rf /var/lib/apt/lists/*; }
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY wsgi.py gunicorn.conf.py supervisord.conf ./
COPY app app
COPY serving serving
COPY migrations migrations
COPY templates templates
COPY static static
COPY CHANGELOG.md SECURITY.md ./
COPY docs/*.md docs/
COPY integrations integrations
COPY deploy/start.sh deploy/healthy.py deploy/
# Compiled now: later the file system is read-only, and each process would compile for itself. What
# came from a folder that is closed to others (umask 077) is opened to the user below.
RUN python -m compileall -q app serving migrations wsgi.py deploy \
 && find . -not -perm -o=r -exec chmod go+rX {} + \
 && groupadd --gid 10001 flowpulse \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin flowpulse \
 && install -d -o 10001 -g 10001 -m 0700 /data /backups

ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOST=0.0.0.0 \
    PORT=8000 \
    FLOWPULSE_DATA_DIR=/data
VOLUME /data
EXPOSE 8000
USER 10001:10001
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["python", "deploy/healthy.py"]
CMD ["sh", "deploy/start.sh"]
