#!/bin/sh
# What a container runs: migrate, then web and worker under supervisord in the foreground, which takes
# this shell's place and thereby its process id, so that signals reach it.
set -eu
cd "$(dirname "$0")/.."
python -m flask --app wsgi prepare --to-start
# Only root is asked whether that is meant; others may be a number without a name.
[ "$(id -u)" != 0 ] || set -- --user root
exec python -m supervisor.supervisord --nodaemon "$@" \
  --pidfile "${TMPDIR:-/tmp}/flowpulse-supervisord.pid" -c supervisord.conf
