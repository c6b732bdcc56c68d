"""A run in progress: one turn after another, each asking the state what may happen next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from milepost.errors import (
    JobReplaced,
    LeaseLost,
    MilepostError,
    RecordConflict,
    TransitionRefused,
    ValueInvalid,
)
from milepost.executors.attempts import Given, NotGiven, failure_of, outcome_of
from milepost.executors.calls import Calls, Ended
from milepost.executors.retries import Now, Waiting, longest_wait_s
from milepost.executors.steps import ReduceFn, SetupFn, Steps, call_reduce, call_setup
from milepost.executors.stopping import Stopping
from milepost.executors.turns import Turn, in_commits, next_turn
from milepost.executors.window import Window
from milepost.items.inputs import Item
from milepost.job.state import JobState
from milepost.lifecycles.mapreduce import (
    ItemEventName,
    ItemFail,
    JobEventName,
    JobFail,
    JobFinishReduce,
    JobSetVariables,
    JobStartMap,
)
from milepost.log.codec import encode_value
from milepost.machine import Payload
from milepost.state.checkpoint import CheckpointPolicy
from milepost.state.manager import StateManager
from milepost.state.writing.lease import Lease
from milepost.text.escapes import printable

__all__ = ["Running"]

_log: Final = logging.getLogger("milepost.executors")


_BREAKS: Final = 10


class _Halt(BaseException):
    """Leaves `reduce_fn` at its next result; no `except Exception` in it takes it for its own."""


@dataclass(slots=True, kw_only=True)
class Running:
    """One run of one job, from where `state` is. Its methods are called from one thread."""

    manager: StateManager
    lease: Lease
    calls: Calls
    stop: Stopping
    window: Window
    policy: CheckpointPolicy
    on_progress: Callable[[JobState], None]
    grace_s: float
    look_every_s: float
    clock: Callable[[], float]
    state: JobState
    waiting: Waiting | None
    done_count: int = 0
    failure_count: int = 0
    _last_begun: int = -1
    _stalled: bool = False
    _breaks: int = 0
    _checkpoint_phase: str = field(init=False)
    _checkpoint_settled: int = field(init=False)
    _checkpoint_seq: int = field(init=False)
    _checkpoint_at_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._begin_interval()

    def go(self, setup_fn: SetupFn | None, reduce_fn: ReduceFn | None) -> None:
        """Go on until the job has ended, waits for somebody else, or the run is to stop."""
        while not self.stop.requested:
            allowed = self.state.allowed()
            if JobEventName.START_MAP in allowed:
                self._set_up(setup_fn)
            elif JobEventName.FINISH_MAP in allowed:
                self._fire(JobEventName.FINISH_MAP)
            elif ItemEventName.START in self.state.accepted:
                self._work()
            elif JobEventName.FINISH_REDUCE in allowed and reduce_fn is not None:
                self._reduce(reduce_fn)
            else:
                break
        self._hand_back()
        if self.stop.requested and not self.state.finished:
            self._take_checkpoint("shutdown")

    def _set_up(self, setup_fn: SetupFn | None) -> None:
        wanted = setup_fn or _nothing
        steps = Steps("setup", self._perform)
        with self._unless_halted():
            given = self._user(lambda: call_setup(wanted, self.state, steps), "the variables")
            if isinstance(given, Given):
                self._give(JobEventName.START_MAP, JobStartMap(variables=given.value))
            else:
                self._fail(given)

    def _reduce(self, reduce_fn: ReduceFn) -> None:
        steps = Steps("reduce", self._perform)
        what = "the result of reduce"
        with self._unless_halted():
            with closing(self._results()) as results:
                given = self._user(lambda: call_reduce(reduce_fn, results, steps), what)
            if isinstance(given, Given):
                self._give(JobEventName.FINISH_REDUCE, JobFinishReduce(result=given.value))
            else:
                self._fail(given)

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
        payload = JobSetVariables(variables={name: output})
        try:
            self._moved(self.manager.fire(self.state.id, payload.event, payload, lease=self.lease))
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

    def _user(self, call: Callable[[], object], what: str) -> Given | NotGiven:
        """What the user's code gives here, in the main thread: a second signal ends it."""
        self.stop.interruptible = True
        try:
            return outcome_of(call, what, self.manager.limits)
        finally:
            self.stop.interruptible = False

    def _results(self) -> Generator[tuple[str, Any], None, None]:
        """The job's results, as long as the job is to be reduced; then _Halt."""
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
        except MilepostError as error:  # not the fault of reduce_fn
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
        self._stalled = not self._commit(ended, begin=True)
        if self.calls.broken is not None and not self.calls.ordinals:
            self._replace_broken(self.calls.broken)

    def _longest_s(self) -> float:
        """How long to wait for calls: until an item is due again, or it is time to look."""
        if self.waiting is None:
            return self.look_every_s
        return longest_wait_s(
            self.look_every_s, self.waiting.next_due_us, self.manager.monotonic_us()
        )

    def _now(self) -> Now:
        return Now(self.manager.now_us(), self.manager.monotonic_us())

    def _commit(self, ended: Sequence[Ended], *, begin: bool) -> bool:
        """Record what ended, decide about what failed before, begin what there is room for.

        What others did to the job since it was last looked at may refuse a commit: it is made
        again from the newest state. False if there was nothing to do.
        """
        done = False
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
                self._reload(refused)
                turn = self._next_turn(batch, begin=begin)
                continue
            except ValueInvalid as error:
                return self._commit_apart(batch, error, begin=begin)
            self._recorded(turn, state)
            self._moved(state)
            return True
        return False

    def _commit_apart(self, batch: Sequence[Ended], error: ValueInvalid, *, begin: bool) -> bool:
        """A commit for each of what is too large together; what is too large alone has failed."""
        if begin and batch:
            done = self._commit_part(batch, begin=False)
            return self._commit_part([], begin=True) or done
        if len(batch) > 1:
            parts = [self._commit_part([one], begin=False) for one in batch]
            return any(parts)
        if not batch or batch[0].event != ItemEventName.SUCCEED:
            raise error  # no room even to say so
        why = failure_of(error)
        failure = ItemFail(cause=why.cause, message=why.message)
        return self._commit_part([Ended(batch[0].ordinal, failure.event, failure)], begin=False)

    def _next_turn(self, ended: Sequence[Ended], *, begin: bool) -> Turn:
        decided = None
        if self.waiting is not None:
            decided = self.waiting.decide(self.state, self._now())
        begins = begin and not self.stop.requested and self.calls.broken is None
        return next_turn(
            self.state,
            ended,
            room=self.window.size - self.calls.busy if begins else 0,
            after=self._last_begun,
            busy=self.calls.ordinals,
            decided=decided,
        )

    def _recorded(self, turn: Turn, state: JobState) -> None:
        """Follow up on a commit: count what it recorded, hand out what it began."""
        for ended in turn.recorded:
            self.done_count += ended.event == ItemEventName.SUCCEED
            if isinstance(ended.payload, ItemFail):
                self.failure_count += 1
                if self.waiting is not None:
                    cause = ended.payload.cause.value
                    self.waiting.failed(state, ended.ordinal, cause, self._now())
        inputs = self.state.inputs
        for ordinal in turn.begun:
            self.calls.begin(ordinal, Item(key=inputs.key(ordinal), value=inputs.value(ordinal)))
            self._last_begun = ordinal

    def _replace_broken(self, error: RuntimeError) -> None:
        """Go on with a fresh executor, unless it is the caller's own or no executor works.

        Where as many broke in a row, without a call that ended, as it takes for all that the
        first one had to be found guilty, it is not the items.
        """
        self._breaks += 1
        most = max(_BREAKS, 1 + self.window.workers * self.state.items.params["max_crashes"])
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
        while self.calls.ordinals and ItemEventName.SUCCEED in self.state.accepted:
            left_s = end_at_s - self.clock()
            if self.stop.hurried or left_s <= 0:
                break
            self._commit(self.calls.wait(min(left_s, self.look_every_s)), begin=False)
        if self.calls.ordinals:
            self._commit(self.calls.give_up(), begin=False)

    def _fire(self, event: JobEventName, payload: Payload | None = None) -> None:
        try:
            state = self.manager.fire(self.state.id, event, payload, lease=self.lease)
        except TransitionRefused as refused:
            self._reload(refused)
        else:
            self._moved(state)

    def _give(self, event: JobEventName, payload: Payload) -> None:
        """Record what the user's code gave; if it is too large, the job has failed."""
        try:
            self._fire(event, payload)
        except ValueInvalid as error:
            self._fail(failure_of(error))

    def _fail(self, why: NotGiven) -> None:
        self._fire(JobEventName.FAIL, JobFail(cause=why.cause, message=why.message))

    def _reload(self, refused: MilepostError) -> None:
        """The newest state, in which what was refused can be decided anew."""
        seq = self.state.seq
        self._look()
        if self.state.seq == seq:
            raise refused

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

    def _moved(self, state: JobState) -> None:
        """Take `state` for the job's, tell of it, and put it aside if that is due."""
        self.state = state
        self.on_progress(state)
        if state.phase != self._checkpoint_phase:
            self._take_checkpoint(f"phase {state.phase}")
        elif self.policy.due(
            settled_items=state.progress.settled - self._checkpoint_settled,
            commits=state.seq - self._checkpoint_seq,
            elapsed_s=self.clock() - self._checkpoint_at_s,
        ):
            self._take_checkpoint("policy")

    def _take_checkpoint(self, reason: str) -> None:
        try:
            self.manager.create_checkpoint(self.state.id, reason=reason, keep=self.policy.keep)
        except ValueInvalid as error:  # the log has everything that it would have
            _log.warning("job %s: no checkpoint: %s", self.state.id, error)
        self._begin_interval()

    def _begin_interval(self) -> None:
        self._checkpoint_phase = self.state.phase
        self._checkpoint_settled = self.state.progress.settled
        self._checkpoint_seq = self.state.seq
        self._checkpoint_at_s = self.clock()


def _nothing(state: JobState) -> None:
    """The setup of a job that needs none."""
    del state
