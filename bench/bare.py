"""The yardstick: a Flask view that does nothing, under the very same server settings."""

from flask import Flask


class Nothing:
    """In place of the parts of FlowPulse that gunicorn.conf.py starts and ends."""

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass


app = Flask(__name__)
app.extensions["flowpulse_hurry"] = lambda seconds: None
app.extensions["flowpulse_warm_up"] = lambda: None
app.extensions["flowpulse_ingest"] = app.extensions["flowpulse_web_beat"] = Nothing()


@app.post("/api/v1/ingest/run-success")
def accept() -> tuple[dict[str, str], int]:
    return {"event_id": "tz4a98xxat96iws9zmbrgj3a", "status": "accepted"}, 202
