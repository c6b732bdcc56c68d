"""What measuring adds to a durable record: with nobody to tell, and with an SDK in memory."""

from __future__ import annotations

from collections.abc import Iterator
from time import perf_counter
from typing import Final

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from jobs import mapping_job
from milepost import StateManager
from milepost.metrics import Metrics
from milepost.state.persistence import open_store
from pairing import Figure, Settings, at_most, in_turn, ratios
from records import JOB, record_each
from samples import results

ROUNDS: Final = 15
WARM_UP: Final = 3
SLICES: Final = 6
EACH: Final = 80
FLOOR: Final = "a manager that cannot measure"


class Unmeasured(Metrics):
    """The floor: no look for a provider, nothing to add to."""

    def began(self) -> None:
        return None


def figures(settings: Settings) -> Iterator[Figure]:
    provider = MeterProvider(metric_readers=[InMemoryMetricReader()])
    measured = {"none": Unmeasured(), "off": Metrics(), "on": Metrics(provider)}
    managers = {
        name: StateManager(open_store(settings.folder / f"{name}.db"), metrics=metrics)
        for name, metrics in measured.items()
    }
    recorded = dict.fromkeys(managers, 0)
    for manager in managers.values():
        mapping_job(manager, JOB, (ROUNDS + WARM_UP) * SLICES * EACH)

    def recording(name: str, turn: int) -> float:
        values = results(EACH, turn)
        began = perf_counter()
        record_each(managers[name], recorded[name], values)
        cost = (perf_counter() - began) / EACH * 1e6
        recorded[name] += EACH
        return cost

    none, off, on = in_turn(
        ROUNDS,
        lambda turn: recording("none", turn),
        lambda turn: recording("off", turn),
        lambda turn: recording("on", turn),
        warm_up=WARM_UP,
        slices=SLICES,
    )
    for manager in managers.values():
        manager.close()
    provider.shutdown()
    against = (FLOOR, none)
    yield ratios(
        "the API imported, no SDK set up", off, against, unit="µs/item", budget=at_most(1.05)
    )
    yield ratios("an SDK in memory", on, against, unit="µs/item")
