/path/to/job && status=0 || status=$?
curl -fsS --max-time 5 --retry 3 --retry-connrefused --retry-max-time 15 \
  -H "Idempotency-Key: $(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" \
  -o /dev/null -H 'X-API-Key: fp_your_key' \
  'https://flowpulse.example.org/api/v1/ping/your-workflow/'$status || true
(exit $status)
