"""What Milepost measures: one small set of OpenTelemetry instruments, and nothing without an SDK.

OpenTelemetry is never imported here unless the application has imported it before. From then on
the first look that finds a provider of an SDK makes the instruments; until then a measurement
costs a look-up in a dictionary. No attribute has more values than the lifecycle, the facts and
the errors have names: job ids and item keys are in none.
"""

from __future__ import annotations

import logging
import sys
import time
from collections import Counter as Tallies
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol, get_args

from milepost.errors import MilepostError, PlanStale, RecordConflict, UpdateConflict
from milepost.log.facts import Draft, Fact, ItemsFired, JobFired, LeaseReleased, LeaseTaken
from milepost.text.escapes import printable
from milepost.text.wording import short_repr

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, MeterProvider

    from milepost.job.state import JobState

__all__ = ["INSTRUMENTS", "METER", "Answer", "Instrument", "LeaseEvent", "Metrics", "Origin"]

METER: Final = "milepost"
"""The name of the meter, which is the instrumentation scope of every instrument."""

LeaseEvent = Literal["taken", "taken_over", "released", "renewed", "not_renewed", "lost"]
Origin = Literal["created", "forked", "imported"]

_SECONDS: Final = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)
_REQUESTS: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_BYTES: Final = tuple(4**power for power in range(4, 14))
_API: Final = "opentelemetry.metrics"
_CONFLICTS: Final = (RecordConflict.code, UpdateConflict.code, PlanStale.code)
_TAGS: Final = {kind: str(kind.__struct_config__.tag) for kind in get_args(Fact)}

_log: Final = logging.getLogger("milepost.metrics")


@short_repr
class Instrument(NamedTuple):
    """One instrument: a counter, or with `bounds` a histogram that has these buckets."""

    name: str
    unit: str
    attributes: tuple[str, ...]
    meaning: str
    bounds: tuple[float, ...] = ()

    @property
    def kind(self) -> str:
        """`counter` or `histogram`."""
        return "histogram" if self.bounds else "counter"


JOBS: Final = "milepost.jobs"
COMMITS: Final = "milepost.commits"
FACTS: Final = "milepost.facts"
EVENTS: Final = "milepost.events"
APPEND_DURATION: Final = "milepost.append.duration"
APPEND_REQUESTS: Final = "milepost.append.requests"
CONFLICTS: Final = "milepost.conflicts"
REFUSALS: Final = "milepost.refusals"
LEASE_EVENTS: Final = "milepost.lease.events"
CHECKPOINT_DURATION: Final = "milepost.checkpoint.duration"
CHECKPOINT_SIZE: Final = "milepost.checkpoint.size"
CHECKPOINTS_PASSED_OVER: Final = "milepost.checkpoints.passed_over"
FOLD_DURATION: Final = "milepost.fold.duration"
RECOVERIES: Final = "milepost.recoveries"

_OF_EVENTS: Final = ("milepost.machine", "milepost.event", "milepost.lifecycle")

INSTRUMENTS: Final = (
    Instrument(
        JOBS,
        "{job}",
        ("milepost.origin", "milepost.lifecycle"),
        "Jobs created, forked or imported.",
    ),
    Instrument(COMMITS, "{commit}", (), "Rows appended to logs, after the rows a job begins with."),
    Instrument(FACTS, "{fact}", ("milepost.fact",), "Facts in those rows, by kind."),
    Instrument(
        EVENTS,
        "{event}",
        _OF_EVENTS,
        "Events in those rows that jobs and items took, as they were asked for.",
    ),
    Instrument(
        APPEND_DURATION,
        "s",
        (),
        "From asking for the write lock until all in the transaction was durable.",
        _SECONDS,
    ),
    Instrument(
        APPEND_REQUESTS, "{request}", (), "Requests that shared one transaction.", _REQUESTS
    ),
    Instrument(
        CONFLICTS,
        "{request}",
        ("error.type",),
        "Requests turned down because others were there first.",
    ),
    Instrument(
        REFUSALS, "{request}", ("error.type",), "Requests turned down for any other reason."
    ),
    Instrument(LEASE_EVENTS, "{event}", ("milepost.lease.event",), "What became of leases."),
    Instrument(
        CHECKPOINT_DURATION, "s", (), "From asking for a checkpoint until it was durable.", _SECONDS
    ),
    Instrument(CHECKPOINT_SIZE, "By", (), "Bytes of a checkpoint, compressed.", _BYTES),
    Instrument(
        CHECKPOINTS_PASSED_OVER, "{checkpoint}", (), "Checkpoints that did not verify at a load."
    ),
    Instrument(
        FOLD_DURATION,
        "s",
        (),
        "Working out a job's state at the first look: a checkpoint and the log after it.",
        _SECONDS,
    ),
    Instrument(
        RECOVERIES, "{recovery}", ("milepost.rewound",), "Recovery plans that were carried out."
    ),
)
"""Every instrument that there is, in the order of the reference page."""


class Answer(Protocol):
    """The answer to one request: its drafts as written, or the reason of its refusal."""

    @property
    def job_id(self) -> str:
        """The job that it was about."""
        ...

    @property
    def drafts(self) -> Sequence[Draft]:
        """The drafts that are durable now."""
        ...

    @property
    def state(self) -> JobState | None:
        """The state that they are part of."""
        ...

    @property
    def error(self) -> MilepostError | None:
        """Why it was refused."""
        ...


class _Live(NamedTuple):
    """The instruments of one provider, by name."""

    counters: Mapping[str, Counter]
    histograms: Mapping[str, Histogram]


class Metrics:
    """The measurements of one manager. Safe for threads; a measurement never raises.

    Without a `provider` the global one is used as soon as an application has set one up, before
    or after the manager was made. `seconds` is a clock that never goes back.
    """

    def __init__(
        self,
        provider: MeterProvider | None = None,
        *,
        seconds: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._seconds = seconds
        self._live = None if provider is None else _made(provider)
        self._given_up = False

    def began(self) -> float | None:
        """The time by the clock of measurements; None while nothing is measured."""
        if self._live is None and (_API not in sys.modules or not self._found()):
            return None
        return self._seconds()

    def served(self, began_s: float | None, answers: Iterable[Answer]) -> None:
        """One transaction that began at `began_s`, with all the requests that it answered."""
        live = self._live
        if began_s is None or live is None:
            return
        took_s = self._seconds() - began_s
        rows: set[tuple[str, int]] = set()
        facts: Tallies[str] = Tallies()
        events: Tallies[tuple[str, str, str]] = Tallies()
        requests = 0
        for answer in answers:
            requests += 1
            if answer.error is not None and answer.error.code:  # else it is asked again
                self._refused(live, answer.error)
            state = answer.state
            if state is None:
                continue
            if answer.drafts:
                rows.add((answer.job_id, state.seq))
            for draft in answer.drafts:
                facts[_TAGS[type(draft.fact)]] += 1
                self._count(draft.fact, state, events)
        if not rows:
            return
        live.counters[COMMITS].add(len(rows))
        live.histograms[APPEND_DURATION].record(took_s)
        live.histograms[APPEND_REQUESTS].record(requests)
        for fact, count in facts.items():
            live.counters[FACTS].add(count, {"milepost.fact": fact})
        for named, count in events.items():
            attributes: dict[str, str] = dict(zip(_OF_EVENTS, named, strict=True))
            live.counters[EVENTS].add(count, attributes)

    def _count(self, fact: Fact, state: JobState, events: Tallies[tuple[str, str, str]]) -> None:
        """Count the events of a fact that is durable, and what became of the lease."""
        match fact:
            case ItemsFired(event=event, ordinals=ordinals):
                if ordinals:
                    machine = state.ledger_of(ordinals[0]).machine.name
                    events[machine, event, state.lifecycle.name] += len(ordinals)
            case JobFired(event=event):
                events[state.machine.name, event, state.lifecycle.name] += 1
            case LeaseTaken(reason=reason):
                self.lease("taken_over" if reason else "taken")
            case LeaseReleased():
                self.lease("released")

    def began_job(self, origin: Origin, lifecycle: str) -> None:
        """A job of that lifecycle was created, forked from another, or imported."""
        if self.began() is not None and self._live is not None:
            named = {"milepost.origin": origin, "milepost.lifecycle": lifecycle}
            self._live.counters[JOBS].add(1, named)

    def lease(self, event: LeaseEvent) -> None:
        """Something became of a lease."""
        if self._live is not None:
            self._live.counters[LEASE_EVENTS].add(1, {"milepost.lease.event": event})

    def checkpoint(self, began_s: float | None, size_bytes: int) -> None:
        """A checkpoint of that size was asked for at `began_s` and is durable now."""
        if began_s is not None and self._live is not None:
            self._live.histograms[CHECKPOINT_DURATION].record(self._seconds() - began_s)
            self._live.histograms[CHECKPOINT_SIZE].record(size_bytes)

    def folded(self, began_s: float | None, passed_over: int) -> None:
        """A state was worked out, from `began_s` on, for which checkpoints were passed over."""
        if began_s is not None and self._live is not None:
            self._live.histograms[FOLD_DURATION].record(self._seconds() - began_s)
            if passed_over:
                self._live.counters[CHECKPOINTS_PASSED_OVER].add(passed_over)

    def recovered(self, *, rewound: bool) -> None:
        """A recovery plan was carried out."""
        if self._live is not None:
            self._live.counters[RECOVERIES].add(1, {"milepost.rewound": rewound})

    def _refused(self, live: _Live, error: MilepostError) -> None:
        name = CONFLICTS if error.code in _CONFLICTS else REFUSALS
        live.counters[name].add(1, {"error.type": error.code})

    def _found(self) -> bool:
        """Look for the provider of an SDK, and make the instruments once there is one."""
        look = getattr(sys.modules.get(_API), "get_meter_provider", None)
        if look is None or self._given_up:
            return False
        try:
            provider = look()
            if type(provider).__module__.startswith(_API):
                return False  # the API's own stand-in: nobody has set one up yet
            self._live = _made(provider)
        except Exception as error:  # noqa: BLE001 what measures must never keep a write from happening
            self._given_up = True
            _log.warning(
                "nothing is measured, OpenTelemetry could not be used: %s", printable(str(error))
            )
            return False
        return True


def _made(provider: MeterProvider) -> _Live:
    meter = provider.get_meter(METER)
    return _Live(
        counters={
            one.name: meter.create_counter(one.name, one.unit, one.meaning)
            for one in INSTRUMENTS
            if not one.bounds
        },
        histograms={
            one.name: meter.create_histogram(
                one.name, one.unit, one.meaning, explicit_bucket_boundaries_advisory=one.bounds
            )
            for one in INSTRUMENTS
            if one.bounds
        },
    )
