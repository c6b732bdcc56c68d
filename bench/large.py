"""Results of 1 MiB, one a commit: how fast they are durable, and how often a log warns."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from random import Random
from time import perf_counter
from typing import Final

from floors import BareTable
from jobs import mapping_job
from milepost import ItemEvent, StateManager
from pairing import Figure, Settings, as_it_is, at_most, in_turn, ratios

ROUNDS: Final = 15
WARM_UP: Final = 3
EACH: Final = 4
JOB: Final = "large"
HALF_BYTES: Final = 2**19  # as hexadecimal digits just more than a store is silent about


class Warnings(logging.Handler):
    """How often one was told."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        del record
        self.count += 1


def figures(settings: Settings) -> Iterator[Figure]:
    """The floor inserts the JSON of a text, which was encoded before the clock started."""
    texts = [Random(number).randbytes(HALF_BYTES).hex() for number in range(EACH)]  # noqa: S311
    encoded = [json.dumps(text).encode() for text in texts]
    bare = BareTable(settings.folder / "bare.db")
    told = Warnings()
    logging.getLogger("milepost").addHandler(told)

    def floor(_turn: int) -> float:
        began = perf_counter()
        bare.insert_each(encoded)
        return (perf_counter() - began) / EACH * 1e3

    with StateManager.open(settings.folder / "milepost.db") as manager:
        mapping_job(manager, JOB, (ROUNDS + WARM_UP) * EACH)

        def ours(turn: int) -> float:
            began = perf_counter()
            for number, text in enumerate(texts, turn * EACH):
                manager.record(JOB, [ItemEvent(number, "succeed", {"result": text})])
            return (perf_counter() - began) / EACH * 1e3

        floors, costs = in_turn(ROUNDS, floor, ours, warm_up=WARM_UP)
    bare.close()
    logging.getLogger("milepost").removeHandler(told)
    against = ("bare SQLite FULL, insert + commit", floors)
    yield ratios("one result of 1 MB", costs, against, unit="ms/item", budget=at_most(1.4))
    count = (ROUNDS + WARM_UP) * EACH
    yield as_it_is(
        "warnings of a job with large results",
        [float(told.count)],
        ("results", [float(count)]),
        unit="warnings",
        budget=at_most(1),
    )
