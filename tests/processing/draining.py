"""All that waits is processed, as by a worker that has it to itself."""

from app.processing.batch import process_batch


def drain() -> None:
    while process_batch(200):
        pass
