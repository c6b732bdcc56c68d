"""The work of one phase by its function: called in the run's thread, and its output recorded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec
from msgspec.structs import replace

from milepost.errors import (
    MilepostError,
    PayloadInvalid,
    TransitionRefused,
    ValueInvalid,
)
from milepost.executors.held import HeldJob
from milepost.executors.phases import call_phase, payload_of
from milepost.executors.steps import Steps
from milepost.executors.stopping import Stopping
from milepost.executors.vocabulary import PhaseFn, PhaseWords, Vocabulary
from milepost.text.wording import bounded
from milepost.worker.attempts import Terms
from milepost.worker.failures import failure_of
from milepost.worker.values import encode_value, plain_value

__all__ = ["PhaseWork"]

_T = TypeVar("_T")
_MOST_TOLD: Final = 1_700


class _Halt(BaseException):
    """Leaves the function of a phase at its next result; no `except Exception` there takes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseWork:
    """How a run has the phases of its job worked by their functions."""

    job: HeldJob
    words: Vocabulary
    terms: Terms
    stop: Stopping
    look_every_s: float
    clock: Callable[[], float]

    def call(self, phase: PhaseWords, function: PhaseFn) -> str:
        """Have the function of the phase called, and end the phase with what it gave.

        Why the run cannot go on after that; empty if it can.
        """
        with self._unless_halted():
            try:
                payload = self._payload(phase, function)
            except Exception as error:  # noqa: BLE001 the edge to the user's code: anything may come
                self._fail(phase, error)
            else:
                return self.end(phase, payload)
        return ""

    def end(self, phase: PhaseWords, payload: dict[str, Any] | None) -> str:
        """End the phase, with what its function gave; if that cannot be kept, the job has failed.

        Not empty if the event leaves the job where it was: it would be asked for again, for ever.
        """
        try:
            fired = self.job.fire(phase.ends_by, payload)
        except (ValueInvalid, PayloadInvalid) as error:
            self._fail(phase, error)
            return ""
        if fired and self.job.state.phase == phase.state:
            return f"{phase.ends_by!r} has left the job in phase {phase.state!r}"
        return ""

    def _payload(self, phase: PhaseWords, function: PhaseFn) -> dict[str, Any] | None:
        """What the function of the phase gives, as the payload of the event that ends it."""
        state = self.job.state
        steps = Steps(phase.state, self._perform)
        if phase.reads_results:
            with closing(self._results()) as results:
                output = self._user(lambda: call_phase(function, results, steps))
        else:
            output = self._user(lambda: call_phase(function, state, steps))
        return payload_of(output, phase, self.job.state, self.words.phases, self.terms)

    @contextmanager
    def _unless_halted(self) -> Iterator[None]:
        """A phase of the user's code, which _Halt leaves; the error that halted it is raised."""
        try:
            yield
        except _Halt as halt:
            if halt.__cause__ is not None:
                raise halt.__cause__ from None

    def _perform(self, name: str, call: Callable[[], object]) -> Any:  # Any: JSON
        """What the step gave, from the log or from a call that is recorded; or _Halt."""
        if name not in self.job.state.variables:
            phase = self.job.state.phase
            if self.stop.requested:
                raise _Halt
            output = call()
            self.stop.interruptible = False  # not while it is written
            try:
                self._record_step(name, output)
            finally:
                self.stop.interruptible = True
            if self.job.state.phase != phase:
                raise _Halt
        return msgspec.json.decode(encode_value(self.job.state.variables[name], name))

    def _record_step(self, name: str, output: object) -> None:
        """Make the output durable; what goes wrong with the run itself leaves the user's code."""
        sets = self.words.set_variables
        assert sets is not None, "no function gets steps without"
        job = self.job
        plain, _ = plain_value(output, name, self.terms.encode)
        payload = {sets.field: {name: plain}}
        try:
            job.moved(job.manager.fire(job.state.id, sets.event, payload, lease=job.lease))
        except ValueInvalid:  # the fault of the step
            raise
        except TransitionRefused as refused:
            raise _Halt from self._trouble_of(refused)
        except Exception as error:
            raise _Halt from error

    def _trouble_of(self, refused: TransitionRefused) -> Exception | None:
        """None if the job was only moved on by others; else why it cannot be gone on with."""
        try:
            self.job.reload(refused)
        except MilepostError as error:
            return error
        return None

    def _user(self, call: Callable[[], _T]) -> _T:
        """What the user's code gives here, in the main thread: a second signal ends it."""
        self.stop.interruptible = True
        try:
            return call()
        finally:
            self.stop.interruptible = False

    def _results(self) -> Generator[tuple[str, Any], None, None]:
        """The job's results, as long as the job is in the phase that it is in now; then _Halt."""
        looked_at_s = self.clock()
        phase = self.job.state.phase
        try:
            for entry in self.job.manager.results(self.job.state.id):
                if self.clock() - looked_at_s >= self.look_every_s:
                    self.job.look()
                    looked_at_s = self.clock()
                if self.stop.requested or self.job.state.phase != phase:
                    raise _Halt
                yield entry
        except MilepostError as error:  # not the fault of who reads them
            raise _Halt from error

    def _fail(self, phase: PhaseWords, error: Exception) -> None:
        """The job has failed, with `error`; which is raised where the lifecycle cannot say so."""
        failing = self.words.failing
        where = f"phase {phase.state}"
        if phase.call is not None:
            where += f", function {_name(phase.call)}"
        if failing is None or failing.event not in self.job.state.allowed():
            error.add_note(f"job {self.job.state.id}: {where}")
            raise error
        why = failure_of(error)
        told = replace(why, message=f"{bounded(why.message, _MOST_TOLD)} ({where})")
        self.job.fire(failing.event, failing.payload(told))


def _name(function: PhaseFn) -> str:
    return str(getattr(function, "__name__", None) or type(function).__name__)[:100]
