"""An executor as a process of its own: the real manager, told what to do step by step."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from threading import Thread
from typing import Final

from milepost import ItemEvent, JobState, Lease, LeaseLost, RecoveryPlan, Write
from milepost.errors import CommitUnknown, MilepostError, PlanStale
from milepost.state.writing.lease import renew
from tests.protocol.machine import Answer, KilledError, Machine
from tests.protocol.model import Act

JOB: Final = "job"
TTL_S: Final = 10.0


class DifferenceError(AssertionError):
    """The real store is not where the model is."""


class Executor:
    """A process that works on the job, or is about to.

    `done` is how many results it knows of: it works on the item that comes next.
    """

    def __init__(self, machine: Machine, number: int) -> None:
        self.name = f"E{number}"
        self.process = machine.table.begin()
        self.store = machine.store()
        self.manager = machine.manager(self.store, self.process)
        self.lease: Lease | None = None
        self.plan: RecoveryPlan | None = None
        self.done = 0
        self._holding: AbstractContextManager[Lease] | None = None
        self._asking: Thread | None = None
        self._answer: JobState | BaseException | None = None
        self._does: dict[Act, Callable[[], JobState | None]] = {
            Act.TAKE: self.take,
            Act.RENEW: lambda: self._renew(lost=False),
            Act.RENEW_REFUSED: lambda: self._renew(lost=True),
            Act.LOOK: self._look,
            Act.TAKE_UP: self._take_up,
            Act.TAKE_UP_NOTHING: self._take_up,
            Act.TAKE_UP_REFUSED: lambda: self._refused(self._take_up),
            Act.PLAN_STALE: lambda: raises(PlanStale, self._take_up),
            Act.BEGIN: lambda: self._unheard(self._record("start")),
            Act.BEGIN_REFUSED: lambda: self._refused(lambda: self._record("start")),
            Act.FINISH: self._finish,
            Act.FINISH_AND_BEGIN: self._finish_and_begin,
            Act.FINISH_REFUSED: lambda: self._refused(self._finish),
            Act.UNANSWERED_THERE: lambda: self._begin_unanswered("there"),
            Act.UNANSWERED_ABSENT: lambda: self._begin_unanswered("absent"),
            Act.SETTLE_THERE: self._settle_there,
            Act.SETTLE_ABSENT: self._settle_absent,
            Act.CHECKPOINT: self._checkpoint,
            Act.CHECKPOINT_REFUSED: lambda: self._refused(self._checkpoint),
            Act.RELEASE: self._stop,
            Act.RELEASE_NOTHING: self._stop,
        }

    def do(self, act: Act) -> JobState | None:
        """Do it; the state that a result was acknowledged with, if one was.

        Raises DifferenceError where the real thing lets pass what is to be refused, or knows of no
        such step, and the errors of the manager where it refuses what is to pass.
        """
        if act not in self._does:
            raise DifferenceError(f"the protocol has no such step: {act}")
        return self._does[act]()

    def take(self) -> None:
        """Take the job. Raises LeaseHeld."""
        self._holding = self.manager.lease(JOB, self.name, TTL_S, renewed=False)
        self.lease = self._holding.__enter__()

    def die(self) -> None:
        """The process is killed: nothing of its is closed or given back."""
        self.process.end()
        if self._asking is not None:
            self.store.killed = True
            answer = self._answered()
            assert isinstance(answer, KilledError), answer

    def bury(self) -> None:
        """Long after: end what Python keeps of a process that died."""
        if self._asking is not None:
            self.die()
        if self._holding is not None:
            with suppress(MilepostError):
                self._stop()

    def _stop(self) -> None:
        """It ends its work in order: it gives the job back, if it is its own still."""
        holding, self._holding, self.lease, self.plan = self._holding, None, None, None
        assert holding is not None, "it took the job"
        holding.__exit__(None, None, None)

    def _refused(self, call: Callable[[], object]) -> None:
        """It is told that another holds the job, and stops."""
        done = self.done
        raises(LeaseLost, call)
        self.done = done
        self._stop()

    def _renew(self, *, lost: bool) -> None:
        assert self.lease is not None, "it took the job"
        if renew(self.manager._loader, self.lease, self.manager._observer) is lost:
            raise DifferenceError("the lease could be renewed" if lost else "it was not renewed")
        if lost:
            self._stop()

    def _look(self) -> None:
        self.plan = self.manager.recover_from_checkpoint(JOB)

    def _take_up(self) -> None:
        assert self.plan is not None, "it has looked at the job"
        self.done = self.manager.apply(self.plan).progress.done

    def _record(self, event: str) -> JobState:
        return self.manager.record(JOB, [self._event(event)])

    def _event(self, event: str) -> ItemEvent:
        payload = {"result": result_of(self.done)} if event == "succeed" else {}
        return ItemEvent(self.done, event, payload)

    def _unheard(self, _: JobState) -> None:
        """No result is acknowledged by that."""

    def _finish(self) -> JobState:
        state = self._record("succeed")
        self.done += 1
        return state

    def _finish_and_begin(self) -> JobState:
        """Two callers' requests, in one commit."""
        finishes = Write(JOB, [self._event("succeed")])
        self.done += 1
        begins = Write(JOB, [self._event("start")])
        finished, begun = self.manager.write_each([finishes, begins])
        for answer in (finished, begun):
            if isinstance(answer, Exception):
                raise answer
        assert isinstance(finished, JobState), finished
        return finished

    def _begin_unanswered(self, is_there: Answer) -> None:
        """Record the result; the call is under way when this returns, its commit is over."""

        def ask() -> None:
            try:
                self._answer = self._record("succeed")
            except (MilepostError, KilledError) as error:
                self._answer = error

        self.store.hide = is_there
        self._asking = Thread(target=ask, daemon=True)
        self._asking.start()
        assert self.store.waits.wait(60), "it asks what became of its commit"
        self.store.waits.clear()

    def _answered(self) -> JobState | BaseException | None:
        """What the call that is under way ends in."""
        assert self._asking is not None, "a call is under way"
        self.store.answer.set()
        self._asking.join()
        self.store.answer.clear()
        self._asking = None
        return self._answer

    def _settle_there(self) -> JobState:
        answer = self._answered()
        if not isinstance(answer, JobState):
            raise DifferenceError(f"it is there, and the caller was told {answer!r}")
        self.done += 1
        return answer

    def _settle_absent(self) -> None:
        answer = self._answered()
        if not isinstance(answer, CommitUnknown):
            raise DifferenceError(f"it is not there, and the caller was told {answer!r}")

    def _checkpoint(self) -> None:
        self.manager.create_checkpoint(JOB)


def result_of(item: int) -> str:
    """The result of an item, whoever worked on it."""
    return f"result of {item}"


def raises(kind: type[MilepostError], call: Callable[[], object]) -> None:
    """Raise DifferenceError unless the call is refused with an error of that kind."""
    try:
        call()
    except kind:
        return
    raise DifferenceError(f"it was to be refused with {kind.__name__}, and was not")
