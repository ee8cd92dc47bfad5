"""The yardstick: a Flask view that does nothing, under the very same server settings."""

from flask import Flask

app = Flask(__name__)
app.extensions["flowpulse_hurry"] = lambda seconds: None  # gunicorn.conf.py calls it at the end.


@app.post("/api/v1/ingest/run-success")
def accept() -> tuple[dict[str, str], int]:
    return {"event_id": "tz4a98xxat96iws9zmbrgj3a", "status": "accepted"}, 202
