"""The Python client as its types see it: `make lint` holds it to them, and nothing runs it.

Where a comment says that an error is ignored, there has to be one: mypy warns of others.
"""

from flowpulse import Client, RefusedError, run


def use(client: Client) -> int:
    event_id: str = client.success("s", duration_ms=12, metadata={"rows": 3})["event_id"]
    refused: int = client.batch([{"kind": "run-success", "workflow_slug": event_id}])["refused"]
    client.success("s", duration="12")  # type: ignore[call-arg]
    client.success("s", duration_ms="12")  # type: ignore[arg-type]
    with run("s", correlation_id="c") as fields:
        fields["metadata"] = {"rows": refused}
        fields["rows"] = 3  # type: ignore[typeddict-unknown-key]
    return refused


@Client().monitor("s", source_platform="cron")
def job(rows: int) -> str:
    return str(rows)


@Client().monitor("s")
async def later(rows: int) -> str:
    async with Client().run_async("s") as fields:
        fields["external_execution_id"] = job(rows)
    return job("3")  # type: ignore[arg-type]


async def both() -> str:
    try:
        return await later(3)
    except RefusedError as error:
        return error.code
