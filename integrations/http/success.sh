curl -sS --max-time 5 --retry 3 --retry-connrefused --retry-max-time 15 -X POST 'https://flowpulse.example.org/api/v1/ingest/run-success' \
  -H 'X-API-Key: fp_your_key' \
  -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" \
  -H 'Content-Type: application/json' \
  -d '{
    "workflow_slug": "your-workflow",
    "ended_at": "'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'"
  }' || true
