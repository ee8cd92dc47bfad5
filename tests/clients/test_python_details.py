"""The Python client where a server is not FlowPulse, in coroutines, and with odd values."""

import asyncio
import json
from collections.abc import Iterator

import pytest
from flowpulse import Client, Fields, FlowPulseError, RefusedError, UnreachableError

from tests.clients.scripted import Scripted

Server = tuple[str, type[Scripted]]


@pytest.mark.parametrize(("status", "answer"), [(200, b"<html>"), (202, b"{}"), (204, b"")])
def test_what_answers_but_is_not_flowpulse_has_taken_nothing(
    scripted: Server, status: int, answer: bytes
) -> None:
    url, handler = scripted
    handler.statuses, handler.answer = [status], answer
    with pytest.raises(RefusedError, match=r"Is http://127\.0\.0\.1:\d+ its address") as refused:
        Client(url, "fp_secret").success("s")
    assert (refused.value.status, refused.value.code) == (status, "not_flowpulse")


def test_a_redirect_says_where_it_leads_and_is_not_followed(scripted: Server) -> None:
    url, handler = scripted
    handler.statuses, handler.answer = [308], b""
    with pytest.raises(RefusedError, match=r"leads on to http://127\.0\.0\.1:9/elsewhere"):
        Client(url, "fp_secret").success("s")
    assert len(handler.seen) == 1


def test_an_answer_from_before_flowpulse_is_told_as_that_after_the_last_try(
    scripted: Server,
) -> None:
    url, handler = scripted
    handler.statuses, handler.answer = [502, 502], b"<html>"
    with pytest.raises(RefusedError, match="502 unknown: Something before FlowPulse"):
        Client(url, "fp_secret", retries=1).success("s")


@pytest.mark.parametrize("end", ["", "/", "/api/v1", "/api/v1/"])
def test_the_address_may_be_the_servers_or_the_apis(scripted: Server, end: str) -> None:
    url, handler = scripted
    handler.statuses += [202]
    Client(url + end, "fp_secret").success("s")
    assert handler.paths == ["/api/v1/ingest/run-success"]


def test_numbers_that_json_has_not_become_null(scripted: Server) -> None:
    url, handler = scripted
    handler.statuses += [202]
    rates = {"mean": float("nan"), "most": [float("inf"), 1.5]}
    Client(url, "fp_secret").success("s", metadata=rates)
    sent = json.loads(handler.seen[0][1], parse_constant=pytest.fail)
    assert sent["metadata"] == {"mean": None, "most": [None, 1.5]}


@pytest.mark.parametrize("key", ["a\nb", "ключ"])
def test_what_no_header_and_no_json_can_hold_is_named(key: str) -> None:
    client = Client("http://127.0.0.1:9", "fp_secret")
    with pytest.raises(FlowPulseError, match="idempotency_key"):
        client.success("s", idempotency_key=key)
    with pytest.raises(FlowPulseError, match="no JSON"):
        client.success("s", metadata={("a", 1): 2})  # type: ignore[dict-item]


def test_a_host_that_can_not_be_one_is_not_reached() -> None:
    with pytest.raises(UnreachableError):
        Client(f"http://{'a' * 70}.example", "fp_secret", retries=0).success("s")


def test_an_event_of_a_batch_without_a_key_gets_one(scripted: Server) -> None:
    url, handler = scripted
    handler.statuses, handler.answer = [503, 202], b'{"accepted": 2, "events": [{}, {}]}'
    Client(url, "fp_secret").batch([{"kind": "run-success", "idempotency_key": None}, {}])
    (first, second) = (json.loads(body)["events"] for _, body in handler.seen)
    assert first == second and all(event["idempotency_key"] for event in first)


def test_coroutines_are_watched_as_functions_are(scripted: Server) -> None:
    url, handler = scripted
    handler.statuses += [202] * 6
    client = Client(url, "fp_secret")

    @client.monitor("s")
    async def job(fields: Fields | None = None) -> int:
        await asyncio.sleep(0)
        return 7

    async def fail() -> None:
        async with client.run_async("s") as fields:
            fields["correlation_id"] = "c"
            raise LookupError("gone")

    async def stop() -> None:
        async with client.run_async("s"):
            raise asyncio.CancelledError

    assert asyncio.run(job()) == 7
    with pytest.raises(LookupError, match="gone"):
        asyncio.run(fail())
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(stop())
    told = [json.loads(body) for _, body in handler.seen]
    assert [each.get("error_type") for each in told] == [
        *(None, None),
        *(None, "LookupError"),
        *(None, "CancelledError"),
    ]
    assert told[3]["correlation_id"] == "c" and "in fail" in told[3]["error_message"]
    assert all(start["external_execution_id"] for start in told[::2])


def test_the_event_loop_goes_on_while_something_is_sent(scripted: Server) -> None:
    url, handler = scripted
    handler.statuses += [503, 202, 202]
    handler.retry_after = "1"
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.05)
            ticks += 1

    async def work() -> None:
        ticking = asyncio.create_task(tick())
        async with Client(url, "fp_secret").run_async("s"):
            pass
        ticking.cancel()

    asyncio.run(work())
    assert ticks > 3


def test_a_generator_is_not_taken_for_a_job() -> None:
    def rows() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="generator"):
        Client("http://127.0.0.1:9", "fp_secret").monitor("s")(rows)


def test_what_a_job_says_of_itself_does_not_keep_its_failure_from_being_told(
    scripted: Server,
) -> None:
    url, handler = scripted
    handler.statuses += [202]
    with (
        pytest.raises(ValueError, match="boom"),
        Client(url, "fp_secret").run("s", send_start=False) as fields,
    ):
        fields.update({"error_message": "mine", "error_type": "Own"})  # type: ignore[typeddict-unknown-key]
        raise ValueError("boom")
    told = json.loads(handler.seen[0][1])
    assert (told["error_type"], told["error_message"][:4]) == ("Own", "boom")
