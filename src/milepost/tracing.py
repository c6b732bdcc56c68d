"""Spans of what runs do: the run of a job, its phases, its attempts; nothing without an SDK.

OpenTelemetry is never imported here unless the application has imported it before; a run looks
once whether a provider of an SDK is set up, which costs a look-up in a dictionary. All spans are
made where the run is, so that an attempt whose worker was killed has one too. The context of an
attempt goes with its item to the worker, and milepost.worker.traces goes on with it there.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, TypeVar

from milepost.arguments import MAX_TEXT
from milepost.text.escapes import printable
from milepost.worker.outcomes import Deferred, Given, NotGiven

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span, Tracer

    from milepost.job.state import JobState

__all__ = ["ATTEMPT", "PHASE", "RUN", "TRACER", "RunTrace", "run_trace"]

TRACER: Final = "milepost"
"""The name of the tracer, which is the instrumentation scope of every span."""

RUN: Final = "milepost.run"
PHASE: Final = "milepost.phase"
ATTEMPT: Final = "milepost.attempt"

_API: Final = "opentelemetry.trace"
_PARENT: Final = "traceparent"
_SIGN: Final = " trace "
_MESSAGE_CHARS: Final = 500

_T = TypeVar("_T")

_log: Final = logging.getLogger("milepost.tracing")


def run_trace(job_id: str, lifecycle: str) -> RunTrace | None:
    """The spans of a run that begins now; None while nobody has set up a provider of an SDK."""
    look = getattr(sys.modules.get(_API), "get_tracer_provider", None)
    if look is None:
        return None
    try:
        provider = look()
        if type(provider).__module__.startswith(_API):
            return None  # the API's own stand-in
        return RunTrace(provider.get_tracer(TRACER), job_id, lifecycle)
    except Exception as error:  # noqa: BLE001 what watches must never keep a run from happening
        _warn(error)
        return None


class RunTrace:
    """The spans of one run. Its methods are called from the run's thread, and never raise."""

    def __init__(self, tracer: Tracer, job_id: str, lifecycle: str) -> None:
        from opentelemetry import context, propagate, trace  # noqa: PLC0415 the application has

        self._context, self._propagate, self._api = context, propagate, trace
        self._tracer = tracer
        self._job: dict[str, Any] = {"milepost.job.id": job_id, "milepost.lifecycle": lifecycle}
        self._run = tracer.start_span(RUN, attributes=self._job)
        self._above = trace.set_span_in_context(self._run)
        self._phase: Span | None = None
        self._in_phase: Context = self._above
        self._phase_name = ""
        self._token: Any = context.attach(self._above)  # Any: the API's own
        self._attempts: dict[int, Span] = {}
        self._given_up = False

    def owner(self, name: str) -> str:
        """The name of a holder, with where its trace is: how a later run finds this one."""
        parent = (self._try(lambda: self._carrier(self._above)) or {}).get(_PARENT, "")
        named = f"{name}{_SIGN}{parent}"
        return named if parent and len(named) <= MAX_TEXT else name

    def follows(self, owner: Callable[[], str | None]) -> None:
        """Link the run to the earlier one of the same job, which `owner` held it for."""
        self._try(lambda: self._link((owner() or "").rpartition(_SIGN)))

    def began(self, state: JobState, *, fence: int) -> None:
        """The run has the job, under this fence, and goes on from this state."""
        told = {"milepost.job.fence": fence, "milepost.job.items": state.progress.total}
        self._try(lambda: self._run.set_attributes(told))
        self.moved(state)

    def moved(self, state: JobState) -> None:
        """The job is in this state now: another phase is another span."""
        if state.phase != self._phase_name:
            self._phase_name = state.phase
            self._try(lambda: self._enter(state))

    def attempt_began(self, ordinal: int, key: str, attempt: int) -> dict[str, str] | None:
        """What goes with an attempt that is handed to a worker: its context, as W3C has it."""
        return self._try(lambda: self._begin(ordinal, key, attempt))

    def attempt_ended(self, ordinal: int, outcome: object, took_s: float | None) -> None:
        """The attempt has ended so, after that time on its worker if that is known."""
        span = self._attempts.pop(ordinal, None)
        if span is not None:
            self._try(lambda: self._end(span, outcome, took_s))

    def ended(self, told: Mapping[str, Any], error: BaseException | None, failure: str) -> None:
        """The run is over: `failure` says that the job has failed, `error` what the run raises."""
        for span in self._attempts.values():
            self._try(span.end)
        self._attempts.clear()
        self._try(lambda: self._leave(told, error, failure))

    def _enter(self, state: JobState) -> None:
        if self._phase is not None:
            self._phase.end()
            self._phase = None
        self._context.detach(self._token)
        self._in_phase = self._above
        if any(phase.state == state.phase for phase in state.roles.phases):
            named = {**self._job, "milepost.phase": state.phase}
            self._phase = self._tracer.start_span(PHASE, context=self._above, attributes=named)
            self._in_phase = self._api.set_span_in_context(self._phase, self._above)
        self._token = self._context.attach(self._in_phase)

    def _begin(self, ordinal: int, key: str, attempt: int) -> dict[str, str]:
        named = {**self._job, "milepost.item.key": key, "milepost.item.attempt": attempt}
        span = self._tracer.start_span(ATTEMPT, context=self._in_phase, attributes=named)
        self._attempts[ordinal] = span
        return self._carrier(self._api.set_span_in_context(span, self._in_phase))

    def _end(self, span: Span, outcome: object, took_s: float | None) -> None:
        try:
            if took_s is not None:
                span.set_attribute("milepost.attempt.took_s", took_s)
            span.set_attribute("milepost.attempt.outcome", _word(outcome))
            if isinstance(outcome, NotGiven):
                self._failed(span, outcome)
        finally:
            span.end()

    def _failed(self, span: Span, failure: NotGiven) -> None:
        kind = failure.kind or failure.fault.name.lower()
        span.set_attributes(
            {
                "error.type": kind,
                "milepost.failure.cause": failure.fault.name.lower(),
                "milepost.failure.permanent": failure.permanent,
            }
        )
        details = failure.details or {}
        event = {
            "exception.type": str(details.get("type") or kind),
            "exception.message": failure.message,
            "exception.stacktrace": str(details.get("traceback") or ""),
        }
        span.add_event("exception", {name: text for name, text in event.items() if text})
        span.set_status(self._api.StatusCode.ERROR, failure.message[:_MESSAGE_CHARS])

    def _leave(self, told: Mapping[str, Any], error: BaseException | None, failure: str) -> None:
        error_code = self._api.StatusCode.ERROR
        with suppress(ValueError):  # of another context: a callback has left with it
            self._context.detach(self._token)
        if self._phase is not None:
            if error is not None:
                self._phase.set_status(error_code, type(error).__name__)
            self._phase.end()
        self._run.set_attributes(told)
        if error is not None:
            self._run.record_exception(error)
            self._run.set_status(error_code, str(error)[:_MESSAGE_CHARS])
        elif failure:
            self._run.set_status(error_code, failure)
        self._run.end()

    def _carrier(self, context: Context) -> dict[str, str]:
        carrier: dict[str, str] = {}
        self._propagate.inject(carrier, context)
        return carrier

    def _link(self, owner: tuple[str, str, str]) -> None:
        _, sign, parent = owner
        there = self._propagate.extract({_PARENT: parent}) if sign else self._context.Context()
        span = self._api.get_current_span(there).get_span_context()
        if span.is_valid:
            self._run.add_link(span, {"milepost.link": "earlier run"})

    def _try(self, call: Callable[[], _T]) -> _T | None:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 what watches must never end a run
            if not self._given_up:
                _warn(error)
            self._given_up = True
            return None


def _word(outcome: object) -> str:
    """How an attempt ended, in a word."""
    match outcome:
        case Given():
            return "done"
        case NotGiven():
            return "failed"
        case Deferred():
            return "deferred"
        case _:  # what its executor says of one of which nothing came back
            return str(getattr(outcome, "name", outcome)).lower()


def _warn(error: Exception) -> None:
    _log.warning("spans are missing, OpenTelemetry failed: %s", printable(repr(error)))
