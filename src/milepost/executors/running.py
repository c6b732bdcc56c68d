"""A run in progress: one turn after another, each asking the state what may happen next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import msgspec
from pyroaring import BitMap

from milepost.errors import (
    JobReplaced,
    LeaseLost,
    MilepostError,
    PayloadInvalid,
    RecordConflict,
    TransitionRefused,
    ValueInvalid,
)
from milepost.executors.calls import Calls
from milepost.executors.checkpoints import Checkpoints
from milepost.executors.endings import Ended
from milepost.executors.phases import call_phase, payload_of
from milepost.executors.retries import Now, Waiting, longest_wait_s
from milepost.executors.steps import Steps
from milepost.executors.stopping import Stopping
from milepost.executors.turns import Turn, cannot_end, in_calls, in_commits, next_turn
from milepost.executors.vocabulary import Left, PhaseFn, PhaseWords, Vocabulary
from milepost.executors.window import Window
from milepost.executors.work_items import work_item
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.machine import Values
from milepost.progress.seen import Seen
from milepost.state.manager import StateManager
from milepost.state.writing.lease import Lease
from milepost.text.escapes import printable
from milepost.worker.attempts import Terms
from milepost.worker.failures import failure_of, was_interrupted
from milepost.worker.outcomes import Given, NotGiven
from milepost.worker.values import encode_value, plain_value

__all__ = ["Running"]

_log: Final = logging.getLogger("milepost.executors")


_T = TypeVar("_T")
_BREAKS: Final = 10


class _Halt(BaseException):
    """Leaves the function of a phase at its next result; no `except Exception` there takes it."""


@dataclass(slots=True, kw_only=True)
class Running:
    """One run of one job, from where `state` is. Its methods are called from one thread."""

    manager: StateManager
    lease: Lease
    words: Vocabulary
    calls: Calls
    terms: Terms
    stop: Stopping
    window: Window
    checkpoints: Checkpoints
    on_progress: Callable[[JobState], None]
    grace_s: float
    look_every_s: float
    clock: Callable[[], float]
    state: JobState
    waiting: Waiting | None
    done_count: int = 0
    failure_count: int = 0
    halted: str = ""
    _next_due_us: int | None = None
    _last_begun: int = -1
    _stalled: bool = False
    _breaks: int = 0
    _stranded: BitMap = field(default_factory=bitmap)

    def go(self) -> None:
        """Go on until the job has ended, waits for somebody else, or the run is to stop."""
        self._take_back()
        while not self.stop.requested and self._gone_on():
            pass
        self._hand_back()
        if self.stop.requested and not self.state.finished:
            self.checkpoints.take(self.state, "shutdown")

    def _take_back(self) -> None:
        """Hand back what recovery left in the hands of executors that are gone."""
        if self.state.phase in self.words.phases:
            left = [Ended(ordinal, Left.LOST) for ordinal in self.words.held(self.state)]
            if left:
                self._commit(left, begin=False)
                self._stranded = self.words.held(self.state)

    def _gone_on(self) -> bool:
        """Do what comes next; False if there is nothing to do, and why is noted."""
        phase = self.words.phases.get(self.state.phase)
        if phase is None:
            return self._halt(f"no work is done in {self.state.phase!r}")
        if phase.ends_by in self.state.allowed():
            if phase.call is not None:
                return self._call(phase, phase.call)
            if phase.passes:
                return self._end(phase, None)
            return self._halt(f"no function was given for phase {phase.state!r}")
        if phase.works and not (self._stalled and self._idle()):
            self._work()
            return True
        return self._halt(cannot_end(self.state, phase, self.words, self._stranded))

    def _halt(self, why: str) -> bool:
        if not self.state.finished:
            self.halted = why
        return False

    def _idle(self) -> bool:
        """True if no item is under way or waits for its time, and none can begin."""
        if self.calls.ordinals or self.calls.broken is not None:
            return False
        if self.waiting is not None and self.waiting.next_due_us is not None:
            return False
        if self.words.held(self.state) - self._stranded:
            return False
        return not self.words.ready(self.state)

    def _call(self, phase: PhaseWords, function: PhaseFn) -> bool:
        """Have the function of the phase called, and end the phase with what it gave."""
        with self._unless_halted():
            try:
                payload = self._payload(phase, function)
            except Exception as error:  # noqa: BLE001 the edge to the user's code: anything may come
                self._fail(error)
            else:
                return self._end(phase, payload)
        return True

    def _payload(self, phase: PhaseWords, function: PhaseFn) -> dict[str, Any] | None:
        """What the function of the phase gives, as the payload of the event that ends it."""
        steps = Steps(phase.state, self._perform)
        if phase.reads_results:
            with closing(self._results()) as results:
                output = self._user(lambda: call_phase(function, results, steps))
        else:
            output = self._user(lambda: call_phase(function, self.state, steps))
        return payload_of(output, phase, self.state, self.words.phases, self.terms)

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
        if name not in self.state.variables:
            phase = self.state.phase
            if self.stop.requested:
                raise _Halt
            output = call()
            self.stop.interruptible = False  # not while it is written
            try:
                self._record_step(name, output)
            finally:
                self.stop.interruptible = True
            if self.state.phase != phase:
                raise _Halt
        return msgspec.json.decode(encode_value(self.state.variables[name], name))

    def _record_step(self, name: str, output: object) -> None:
        """Make the output durable; what goes wrong with the run itself leaves the user's code."""
        sets = self.words.set_variables
        assert sets is not None, "no function gets steps without"
        plain, _ = plain_value(output, name, self.terms.encode)
        payload = {sets.field: {name: plain}}
        try:
            self._moved(self.manager.fire(self.state.id, sets.event, payload, lease=self.lease))
        except ValueInvalid:  # the fault of the step
            raise
        except TransitionRefused as refused:
            raise _Halt from self._trouble_of(refused)
        except Exception as error:
            raise _Halt from error

    def _trouble_of(self, refused: TransitionRefused) -> Exception | None:
        """None if the job was only moved on by others; else why it cannot be gone on with."""
        try:
            self._reload(refused)
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
        phase = self.state.phase
        try:
            for entry in self.manager.results(self.state.id):
                if self.clock() - looked_at_s >= self.look_every_s:
                    self._look()
                    looked_at_s = self.clock()
                if self.stop.requested or self.state.phase != phase:
                    raise _Halt
                yield entry
        except MilepostError as error:  # not the fault of who reads them
            raise _Halt from error

    def _work(self) -> None:
        """One turn: wait for calls to end, record them, and begin others in the same commit."""
        ended: list[Ended] = []
        if self.calls.ordinals or self._stalled:
            ended = self.calls.wait(self._longest_s())
        for one in ended:
            if one.took_s is not None:
                self._breaks = 0
                self.window.learn(one.took_s)
        self._stalled = not self._commit(ended, begin=self.calls.unfit is None)
        if self.calls.unfit is not None:
            self._hand_back()
            raise TypeError(self.calls.unfit.message)
        if self.calls.broken is not None and not self.calls.ordinals:
            self._replace_broken(self.calls.broken)

    def _longest_s(self) -> float:
        """How long to wait for calls: until an item is due again, or it is time to look."""
        if self.waiting is None:
            return self.look_every_s
        self._next_due_us = self.waiting.next_due_us
        return longest_wait_s(self.look_every_s, self._next_due_us, self.manager.monotonic_us())

    def _now(self) -> Now:
        return Now(self.manager.now_us(), self.manager.monotonic_us())

    def _commit(self, ended: Sequence[Ended], *, begin: bool) -> bool:
        """Record what ended, decide about what failed before, begin what there is room for.

        What others did to the job since it was last looked at may refuse a commit: it is made
        again from the newest state. False if there was nothing to do.
        """
        done = False
        if self.stop.requested:  # a Ctrl-C reaches workers too, and is no fault of the item
            ended = [
                one._replace(outcome=Left.UNHARMED) if was_interrupted(one.outcome) else one
                for one in ended
            ]
        for batch, last in in_commits(ended, self.manager.limits.commit_max_bytes // 2):
            done = self._commit_part(batch, begin=begin and last) or done
        if not done:
            self._look()
        return done

    def _commit_part(self, batch: Sequence[Ended], *, begin: bool) -> bool:
        """One commit, if there is anything for it; more if it would be too large."""
        turn = self._next_turn(batch, begin=begin)
        while turn.events:
            try:
                state = self.manager.record(self.state.id, turn.events, lease=self.lease)
            except (TransitionRefused, RecordConflict) as refused:
                if not self._moved_on():
                    return self._commit_apart(batch, refused, begin=begin)
                turn = self._next_turn(batch, begin=begin)
                continue
            except ValueInvalid as error:
                return self._commit_apart(batch, error, begin=begin)
            self._recorded(turn, state)
            self._moved(state)
            return True
        return False

    def _commit_apart(self, batch: Sequence[Ended], error: MilepostError, *, begin: bool) -> bool:
        """A commit for each of what is refused together; a result that is refused alone has failed.

        One may be too large, or of a value that the lifecycle refuses.
        """
        if begin and batch:
            done = self._commit_part(batch, begin=False)
            return self._commit_part([], begin=True) or done
        if len(batch) > 1:
            parts = [self._commit_part([one], begin=False) for one in batch]
            return any(parts)
        if not batch or not isinstance(batch[0].outcome, Given):
            raise error  # no room even to say so
        failure = failure_of(error, permanent=True)  # another call would give that again
        return self._commit_part([Ended(batch[0].ordinal, failure)], begin=False)

    def _next_turn(self, ended: Sequence[Ended], *, begin: bool) -> Turn:
        decided = None
        if self.waiting is not None:
            decided = self.waiting.decide(self.state, self._now())
        begins = begin and not self.stop.requested and self.calls.broken is None
        return next_turn(
            self.state,
            self.words,
            ended,
            room=self.window.size - self.calls.busy if begins else 0,
            after=self._last_begun,
            busy=self.calls.ordinals,
            decided=decided,
        )

    def _recorded(self, turn: Turn, state: JobState) -> None:
        """Follow up on a commit: count what it recorded, hand out what it began."""
        for ended in turn.recorded:
            if isinstance(ended.outcome, Given):
                self.done_count += 1
                if ended.outcome.problem:
                    self._tell_of_kept(ended.ordinal, ended.outcome.problem)
            elif isinstance(ended.outcome, NotGiven):
                self._failed(state, ended.ordinal, ended.outcome)
        held = self.calls.busy + len(turn.begun)
        most = self.window.together(held) if self.calls.together else 1
        for words, ordinals in in_calls(state, self.words, turn.begun, most):
            assert words.call is not None, "none begins without"
            items = {ordinal: work_item(state, words, ordinal) for ordinal in ordinals}
            self.calls.begin(words.call, items, typed=words.typed)
        self._last_begun = next(reversed(turn.begun), self._last_begun)

    def _tell_of_kept(self, ordinal: int, problem: str) -> None:
        """Say that a large result stands in the log, since it could not be put beside it."""
        key = self.state.inputs.key(ordinal)
        told = printable(f"job {self.lease.job_id}, item {key!r}: {problem}")
        _log.warning("beside: a result was kept in the log instead: %s", told)

    def _failed(self, state: JobState, ordinal: int, why: NotGiven) -> None:
        self.failure_count += 1
        failing = self.words.of(state, ordinal).failing
        if self.waiting is not None and failing is not None:
            cause = failing.causes[why.fault] if failing.cause else ""
            self.waiting.failed(state, ordinal, cause, self._now())

    def _replace_broken(self, error: BaseException) -> None:
        """Go on with a fresh executor, unless it is the caller's own or no executor works.

        Where as many broke in a row, without a call that ended, as it takes for all that the
        first one had to be found guilty, it is not the items.
        """
        self._breaks += 1
        most = max(_BREAKS, 1 + self.window.workers * self.words.most_crashes(self.state))
        if self._breaks > most:
            error.add_note(
                f"job {self.state.id}: {self._breaks} executors broke in a row, and no call ended"
                " on any of them: see what they begin with"
            )
            raise error
        if not self.calls.replace_broken():
            error.add_note(
                f"job {self.state.id}: the items that were running have used no attempt; run the"
                " job again with another executor, or give a function that makes one"
            )
            raise error
        _log.warning(
            "job %s: a fresh executor goes on, after %s", self.state.id, printable(str(error))
        )

    def _hand_back(self) -> None:
        """Leave no item in anybody's hands: record the calls that end in time, release the rest."""
        self.calls.cancel_waiting()
        end_at_s = self.clock() + self.grace_s
        while self.calls.ordinals and self.words.records_in(self.state.phase):
            left_s = end_at_s - self.clock()
            if self.stop.hurried or left_s <= 0:
                break
            self._commit(self.calls.wait(min(left_s, self.look_every_s)), begin=False)
        if self.calls.ordinals:
            self._commit(self.calls.give_up(), begin=False)

    def _fire(self, event: str, payload: Values | None) -> bool:
        """The job takes the event; False if somebody else moved it on before."""
        try:
            state = self.manager.fire(self.state.id, event, payload, lease=self.lease)
        except TransitionRefused as refused:
            self._reload(refused)
            return False
        self._moved(state)
        return True

    def _end(self, phase: PhaseWords, payload: dict[str, Any] | None) -> bool:
        """End the phase, with what its function gave; if that cannot be kept, the job has failed.

        False if the event leaves the job where it was: it would be asked for again, for ever.
        """
        try:
            fired = self._fire(phase.ends_by, payload)
        except (ValueInvalid, PayloadInvalid) as error:
            self._fail(error)
            return True
        if fired and self.state.phase == phase.state:
            return self._halt(f"{phase.ends_by!r} has left the job in phase {phase.state!r}")
        return True

    def _fail(self, error: Exception) -> None:
        """The job has failed, with `error`; which is raised where the lifecycle cannot say so."""
        failing = self.words.failing
        if failing is None or failing.event not in self.state.allowed():
            raise error
        self._fire(failing.event, failing.payload(failure_of(error)))

    def _reload(self, refused: MilepostError) -> None:
        """The newest state, in which what was refused can be decided anew."""
        if not self._moved_on():
            raise refused

    def _moved_on(self) -> bool:
        """True if others changed what decides, since the job was last looked at.

        A checkpoint is a commit too, and changes nothing: what is refused is refused again.
        """
        before = self.state
        self._look()
        now = self.state
        return now.seq != before.seq and (
            (now.phase, now.context, now.variables, now.items)
            != (before.phase, before.context, before.variables, before.items)
        )

    def _look(self) -> None:
        """See what others did to the job. Raises LeaseLost if another holds it, JobAbsent."""
        self.state = self.manager.get_state(self.state.id)
        if self.state.number != self.lease.number:
            raise JobReplaced(job_id=self.state.id, url=self.manager.url, what=repr(self.lease))
        if self.state.fence != self.lease.fence:
            raise LeaseLost(
                job_id=self.state.id,
                owner=self.lease.owner,
                fence=self.lease.fence,
                current_owner=self.state.owner,
                current_fence=self.state.fence,
            )

    def seen(self) -> Seen:
        """What there is to see of the run now; any thread may ask, and nothing is changed."""
        due_us = self._next_due_us
        left_us = 0 if due_us is None else due_us - self.manager.monotonic_us()
        return Seen(
            state=self.state,
            done_count=self.done_count,
            failure_count=self.failure_count,
            waiting_count=0 if self.waiting is None else self.waiting.count,
            next_due_s=left_us / 1_000_000 if left_us > 0 else None,
            halted=self.halted,
            stopping=self.stop.reason,
        )

    def _moved(self, state: JobState) -> None:
        """Take `state` for the job's, tell of it, and put it aside if that is due."""
        self.state = state
        self.on_progress(state)
        self.checkpoints.moved(state)
