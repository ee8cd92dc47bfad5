#!/bin/sh
# Runs a command and tells FlowPulse how it ended:
#
#   flowpulse-run /path/to/job --with its arguments
#
# The command's exit status stays what it is, whatever becomes of the report.
FLOWPULSE_URL={{ sh(ingest_url) }}
FLOWPULSE_KEY={{ sh(key) }}
FLOWPULSE_WORKFLOW={{ sh(slug) }}

utc_now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

# The inside of a JSON string: no control characters, valid UTF-8, \ and " escaped, lines as \n.
json_text() {
  if command -v iconv >/dev/null 2>&1; then
    { iconv -c -f UTF-8 -t UTF-8 2>/dev/null || :; } | tr -d '\000-\010\013-\037\177'
  else
    LC_ALL=C tr -cd '\011\012\040-\176'
  fi | tr '\011' ' ' | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' |
    awk '{ printf "%s%s", separator, $0; separator = "\\n" }'
}

report() { # event, further fields
  answer=$(printf '{"workflow_slug": "%s", "started_at": "%s", "ended_at": "%s", "external_execution_id": "%s", "source_platform": "cron"%s}' \
      "$FLOWPULSE_WORKFLOW" "$started_at" "$ended_at" "$execution" "$2" |
    curl --silent --show-error --max-time 10 --retry 3 --retry-max-time 30 \
      --header "X-API-Key: $FLOWPULSE_KEY" --header "Content-Type: application/json" \
      --header "Idempotency-Key: $execution" --data-binary @- "$FLOWPULSE_URL/$1" 2>&1)
  case $answer in
    *'"status":"accepted"'*) ;;
    *) printf 'flowpulse-run: the report was not taken: %s\n' "$answer" >&2 ;;
  esac
}

started_at=$(utc_now)
execution="$(uname -n)-$$-$started_at"
errors=$(mktemp 2>/dev/null) || errors=/dev/null

"$@" 2>"$errors"
status=$?
ended_at=$(utc_now)
cat "$errors" >&2

if [ "$status" -eq 0 ]; then
  report run-success ', "metadata": {"exit_status": 0}'
else
  message=$(tail -n 20 "$errors" | tail -c 4000 | json_text)
  report run-failure ", \"error_type\": \"exit status $status\", \"error_message\": \"${message:-The command ended with exit status $status}\", \"metadata\": {\"exit_status\": $status}"
fi

[ "$errors" = /dev/null ] || rm -f "$errors"
exit "$status"
