curl -sS --max-time 5 --retry 3 --retry-connrefused --retry-max-time 15 -X POST {{ sh((ingest_url ~ "/" ~ event)) }} \
  -H {{ sh(("X-API-Key: " ~ key)) }} \
  {{ new_key }} \
  -H 'Content-Type: application/json' \
  -d '{
    "workflow_slug": "{{ slug }}",
    "ended_at": "'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'"{% if event == "run-failure" %},
    "error_type": "RateLimitError",
    "error_message": "429 from the CRM"{% endif %}{{ "\n" }}  }' || true
