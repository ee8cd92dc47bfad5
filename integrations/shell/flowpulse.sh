# . ./flowpulse.sh, then: watched your-workflow /path/to/job --all
FLOWPULSE_URL=${FLOWPULSE_URL:-'https://flowpulse.example.org'}
FLOWPULSE_API_KEY=${FLOWPULSE_API_KEY:-'fp_your_key'}

# Run the command, tell FlowPulse its exit status with the end of its output, and end like it.
watched() {
  flowpulse_slug=$1
  shift
  flowpulse_output=$(mktemp) || {
    "$@"
    return
  }
  "$@" >"$flowpulse_output" 2>&1 && flowpulse_status=0 || flowpulse_status=$?
  cat "$flowpulse_output"
  tail -c 10000 "$flowpulse_output" |
    curl -fsS --max-time 5 --retry 3 --retry-connrefused --retry-max-time 15 -o /dev/null \
      -H "X-API-Key: $FLOWPULSE_API_KEY" \
      -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" --data-binary @- \
      "$FLOWPULSE_URL/api/v1/ping/$flowpulse_slug/$flowpulse_status" || true
  rm -f "$flowpulse_output"
  return "$flowpulse_status"
}
