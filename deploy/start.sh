#!/bin/sh
# What a container or a dyno runs: migrate, then web and worker under supervisord in the foreground.
# supervisord takes this shell's place and thereby its process id, so that signals reach it.
set -eu
cd "$(dirname "$0")/.."
python -m flask --app wsgi prepare --to-start
exec python -m supervisor.supervisord --nodaemon --user "$(id -u)" \
  --pidfile "${TMPDIR:-/tmp}/flowpulse-supervisord.pid" -c supervisord.conf
