"""A run in progress: one turn after another, each asking the state what may happen next."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from msgspec.structs import replace
from pyroaring import BitMap

from milepost.errors import MilepostError, RecordConflict, TransitionRefused, ValueInvalid
from milepost.executors.calls import Calls
from milepost.executors.deferring import Deferrals
from milepost.executors.endings import Ended
from milepost.executors.held import HeldJob
from milepost.executors.noting import Noting
from milepost.executors.pacing import Answer, Pace, is_throttled
from milepost.executors.retries import Now, Waiting, longest_wait_s
from milepost.executors.stopping import Stopping
from milepost.executors.turns import Turn, by_words, cannot_end, in_commits, next_turn
from milepost.executors.vocabulary import ItemWords, Left, Vocabulary
from milepost.executors.window import Window
from milepost.executors.work_items import work_items
from milepost.executors.working import PhaseWork
from milepost.items.ledger import bitmap
from milepost.job.state import JobState
from milepost.progress.seen import Seen
from milepost.text.escapes import printable
from milepost.worker.failures import failure_of, was_interrupted
from milepost.worker.items import WorkItem
from milepost.worker.outcomes import Deferred, Fault, Given, NotGiven
from milepost.worker.signals import NOTHING

__all__ = ["Running"]

_log: Final = logging.getLogger("milepost.executors")

_BREAKS: Final = 10
_DEATHS: Final = 3


@dataclass(slots=True, kw_only=True)
class Running:
    """One run of one job, from where `state` is. Its methods are called from one thread."""

    job: HeldJob
    words: Vocabulary
    phases: PhaseWork
    calls: Calls
    stop: Stopping
    window: Window
    pace: Pace
    grace_s: float
    look_every_s: float
    clock: Callable[[], float]
    waiting: Waiting | None
    noting: Noting
    deferrals: Deferrals = field(default_factory=Deferrals)
    cost: float = 0.0
    done_count: int = 0
    failure_count: int = 0
    death_count: int = 0
    halted: str = ""
    _next_due_us: int | None = None
    _last_begun: int = -1
    _stalled_seq: int | None = None
    _looks_on: bool = False
    _recorded_at_s: float = 0.0
    _decided_us: int = 0
    _breaks: int = 0
    _stranded: BitMap = field(default_factory=bitmap)
    _for_good: BitMap = field(default_factory=bitmap)
    _told_of_kept: bool = False
    _deaths: Counter[int] = field(default_factory=Counter[int])

    @property
    def state(self) -> JobState:
        """The newest state of the job that the run knows."""
        return self.job.state

    def go(self) -> None:
        """Go on until the job has ended, waits for somebody else, or the run is to stop."""
        self._take_back()
        self._take_up_waits()
        while not self.stop.requested and self._gone_on():
            pass
        self._hand_back()
        if self.stop.requested and not self.state.finished:
            self.job.checkpoints.take(self.state, "shutdown")

    def _take_back(self) -> None:
        """Hand back what recovery left in the hands of executors that are gone."""
        if self.state.phase in self.words.phases:
            left = [Ended(ordinal, Left.LOST) for ordinal in self.words.held(self.state)]
            if left:
                self._commit(left, begin=False)
                self._stranded = self.words.held(self.state)

    def _take_up_waits(self) -> None:
        """Let items go on waiting that were put off before this run began."""
        state = self.state
        if not any(words.marked(state, words.defer) for words in self.words.items):
            return
        now = self._now()
        for key, stored in self.job.manager.deferred(state.id).items():
            due_us = self.deferrals.resume(state.inputs.ordinal(key), stored, now)
            if stored.everyone:
                self.pace.pause(due_us)

    def _gone_on(self) -> bool:
        """Do what comes next; False if there is nothing to do, and why is noted."""
        phase = self.words.phases.get(self.state.phase)
        if phase is None:
            return self._halt(f"no work is done in {self.state.phase!r}")
        if phase.ends_by in self.state.allowed():
            if phase.call is not None:
                return self._halt(self.phases.call(phase, phase.call))
            if phase.passes:
                return self._halt(self.phases.end(phase, None))
            return self._halt(f"no function was given for phase {phase.state!r}")
        if phase.works and not (self._stalled and self._idle()):
            self._work()
            return True
        return self._halt(cannot_end(self.state, phase, self.words, self._stranded))

    def _halt(self, why: str) -> bool:
        """Note why the run cannot go on, if it cannot; True if it can."""
        if why and not self.state.finished:
            self.halted = why
        return not why

    @property
    def _stalled(self) -> bool:
        """True if it was found that there is nothing to do as the job is now."""
        return self._stalled_seq == self.state.seq

    def _idle(self) -> bool:
        """True if no item is under way or waits for its time, and none can begin."""
        if self.calls.ordinals or self.calls.broken is not None:
            return False
        if self.waiting is not None and self.waiting.next_due_us is not None:
            return False
        if self.words.held(self.state) - self._stranded:
            return False
        return not self.words.ready(self.state)

    def _work(self) -> None:
        """One turn: wait for calls to end, record them, and begin others in the same commit.

        What was just recorded may let an item be tried again, be given up, or begin. So a turn
        waits for a call only where the one before it has found nothing to do. Calls that have ended
        are heard of in each second turn at least, whatever there is to do without them.
        """
        more = bool(self.calls.ordinals) and not self._stalled
        self._looks_on = more and not self._looks_on
        if self._looks_on:
            self._commit_part([], begin=True)
            return
        ended: list[Ended] = []
        if self.calls.ordinals or self._stalled:
            enough = self.window.gather(len(self.calls.ordinals))
            longest_s = 0.0 if more else self._longest_s()
            left_s = self._held_for_s()
            ended = self._wait(longest_s if left_s is None else min(longest_s, left_s), enough)
            if not ended and left_s is not None:
                self._hold_none_ahead()
        began_s = self.clock()
        self._commit(ended, begin=self.calls.unfit is None)
        if ended:
            self.window.turned(self.clock() - began_s)
        if self.calls.unfit is not None:
            self._hand_back()
            raise TypeError(self.calls.unfit.message)
        if self.calls.broken is not None and not self.calls.ordinals:
            self._replace_broken(self.calls.broken)

    def _held_for_s(self) -> float | None:
        """How long items may still be held ahead of the workers, if no call ends; None for ever."""
        patience_s = self.window.patience_s(self.calls.busy)
        if patience_s is None:
            return None
        return max(patience_s - (self.clock() - self._recorded_at_s), 0.0)

    def _hold_none_ahead(self) -> None:
        """Take back what waits for workers whose calls take longer than was foreseen.

        The log tells that it was begun: if the run died, all of it would be suspected of that.
        """
        if self._held_for_s():
            return
        self.window.hold_none_ahead()
        held = by_words(self.state, self.words, list(self.calls.ordinals))
        if all(words.takes_back(self.state, ordinals) for words, ordinals in held):
            self.calls.take_back()

    def _wait(self, longest_s: float, enough: int = 1) -> list[Ended]:
        """The calls that have ended by then, and what they tell whatever becomes of them."""
        ended = [
            self._timed(one, one.outcome) if isinstance(one.outcome, Deferred) else one
            for one in self.calls.wait(longest_s, enough)
        ]
        self.noting.record()
        now_us = self.job.manager.monotonic_us()
        ended = [self._blamed(one) if one.outcome is Left.LOST else one for one in ended]
        self.noting.ended(ended)
        for one in ended:
            self.cost += one.cost
            if self.pace.adapts:
                self.pace.ended(one.ordinal, self._answer(one), now_us)
            if isinstance(one.outcome, Deferred) and one.outcome.everyone:
                self.pace.pause(now_us + int(one.outcome.after_s * 1_000_000))
        took_s = [one.took_s for one in ended if one.took_s is not None]
        if took_s:
            self._breaks = 0
            self.window.learn(took_s, self.clock())
        return ended

    def _timed(self, ended: Ended, later: Deferred) -> Ended:
        """`ended`, with a time to wait for if it has said none."""
        state = self.state
        key = state.inputs.key(ended.ordinal)
        wait_us = self.deferrals.wait_us(state.id, key, ended.ordinal, later.after_s)
        return ended._replace(outcome=replace(later, after_s=wait_us / 1_000_000))

    def _blamed(self, ended: Ended) -> Ended:
        """A lost attempt as it is recorded: as a failure, where it is one too many of the item.

        Here they are counted for lifecycles that do not, as long as this run goes on. Of executors
        that break in a row, with no call that ended on any, the first alone counts.
        """
        self.death_count += 1
        words = self.words.of(self.state, ended.ordinal)
        if not words.counts_no_deaths or (self.calls.broken is not None and self._breaks):
            return ended
        self._deaths[ended.ordinal] += 1
        times = self._deaths[ended.ordinal]
        if times < _DEATHS:
            return ended
        told = f"its executor died {times} times in this run"
        message = f"{told} ({ended.why})" if ended.why else told
        return ended._replace(outcome=NotGiven(fault=Fault.LOST, message=message))

    def _answer(self, ended: Ended) -> Answer:
        """What the end of a call says of the pace.

        Where work begun outside has not ended yet, it says nothing.
        """
        match ended.outcome:
            case Given():
                return "well"
            case NotGiven(kind=kind) if is_throttled(kind):
                return "too soon"
            case Deferred(note=note) if note is NOTHING and not self.noting.has(ended.ordinal):
                return "too soon"
        return "otherwise"

    def _longest_s(self) -> float:
        """How long to wait for calls: until an item may begin again, or it is time to look."""
        now_us = self.job.manager.monotonic_us()
        paced_us = self.pace.next_us(self.calls.busy, self._decided_us)
        due = [paced_us, self.deferrals.next_due_us]
        if self.waiting is not None:
            due.append(self.waiting.next_due_us)
        self._next_due_us = min((each for each in due if each is not None), default=None)
        return longest_wait_s(self.look_every_s, self._next_due_us, now_us)

    def _now(self) -> Now:
        return Now(self.job.manager.now_us(), self.job.manager.monotonic_us())

    def _commit(self, ended: Sequence[Ended], *, begin: bool) -> None:
        """Record what ended, decide about what failed before, begin what there is room for.

        What others did to the job since it was last looked at may refuse a commit: it is made
        again from the newest state. Where there is nothing to do, the job is looked at.
        """
        done = False
        if self.stop.requested:  # a Ctrl-C reaches workers too, and is no fault of the item
            ended = [
                one._replace(outcome=Left.UNHARMED) if was_interrupted(one.outcome) else one
                for one in ended
            ]
        for batch in in_commits(ended, self.job.manager.limits.commit_max_bytes // 2):
            done = self._commit_part(batch, begin=begin) or done
            begin = False  # others have, and do not wait for the rest to be written
        if not done:
            self.job.look()
            self.job.checkpoints.looked(self.state)

    def _commit_part(self, batch: Sequence[Ended], *, begin: bool) -> bool:
        """One commit, if there is anything for it; more if it would be too large."""
        turn = self._next_turn(batch, begin=begin)
        while turn.events:
            try:
                state = self.job.record(turn.events)
            except (TransitionRefused, RecordConflict) as refused:
                if not self.job.moved_on():
                    return self._commit_apart(batch, refused, begin=begin)
                turn = self._next_turn(batch, begin=begin)
                continue
            except ValueInvalid as error:
                return self._commit_apart(batch, error, begin=begin)
            self._recorded(turn, state)
            self.job.moved(state)
            return True
        if begin:
            self._stalled_seq = self.state.seq
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
        outcome = batch[0].outcome if batch else None
        if isinstance(outcome, NotGiven) and outcome.details is not None:
            told = replace(outcome, details=None)  # which may be what there is no room for
            return self._commit_part([batch[0]._replace(outcome=told)], begin=False)
        if not isinstance(outcome, Given):
            raise error  # no room even to say so
        failure = failure_of(error, permanent=True)  # another call would give that again
        return self._commit_part([Ended(batch[0].ordinal, failure)], begin=False)

    def _next_turn(self, ended: Sequence[Ended], *, begin: bool) -> Turn:
        decided = None
        if self.waiting is not None:
            decided = self.waiting.decide(self.state, self._now())
        return next_turn(
            self.state,
            self.words,
            ended,
            room=self._room() if begin else 0,
            after=self._last_begun,
            busy=self.calls.ordinals,
            decided=decided,
            deferred=self.deferrals.waiting(self.job.manager.monotonic_us()),
            for_good=self._for_good,
            now_us=self.job.manager.now_us(),
        )

    def _room(self) -> int:
        """How many calls may begin now."""
        self._decided_us = self.job.manager.monotonic_us()
        if self.stop.requested or self.calls.broken is not None:
            return 0
        busy = self.calls.busy
        paced = self.pace.room(busy, self._decided_us)
        return int(min(self.window.size - busy, paced))

    def _recorded(self, turn: Turn, state: JobState) -> None:
        """Follow up on a commit: count what it recorded, hand out what it began."""
        self._recorded_at_s = self.clock()
        done: list[int] = []
        for ordinal, outcome, *_ in turn.recorded:
            if isinstance(outcome, Given):
                done.append(ordinal)
                if outcome.problem:
                    self._tell_of_kept(ordinal, outcome.problem)
            elif isinstance(outcome, Deferred):
                self._put_off(ordinal, outcome)
            else:
                self.deferrals.ended((ordinal,))
                if isinstance(outcome, NotGiven):
                    self._failed(state, ordinal, outcome)
        self.done_count += len(done)
        self.deferrals.ended(done)
        self.noting.forget(done)
        held = self.calls.busy + len(turn.begun)
        together = self.calls.together and not self.pace.is_limited
        holds_up_s = None if self.calls.tells else self.clock()
        most = self.window.together(held, holds_up_s) if together else 1
        for words, ordinals in by_words(state, self.words, turn.begun):
            assert words.call is not None, "none begins without"
            items = self._items(state, words, ordinals)
            # one by one, where nothing takes back as it was what its worker did not come to
            size = most if most > 1 and words.takes_back(state, ordinals) else 1
            self.calls.begin(words.call, items, typed=words.typed, most=size)
        self._last_begun = next(reversed(turn.begun), self._last_begun)
        self._for_good -= bitmap(turn.begun)
        self.pace.began(turn.begun, self.job.manager.monotonic_us())
        if len(turn.events) == len(done) + len(turn.begun) and self._room() <= 0:
            self._stalled_seq = state.seq  # no item waits to be tried again, and no worker for one

    def _items(
        self, state: JobState, words: ItemWords, ordinals: Sequence[int]
    ) -> dict[int, WorkItem]:
        """Items for attempts that have begun, with their newest notes and the way of the next."""
        way = self.noting.way(words, self.calls.notes)
        marks = words.note is not None and bool(words.note.marks)
        marked = words.marked(state, words.note) if marks else None
        noted = partial(self.noting.of, marked=marked) if self.noting.may_have(marked) else None
        items = dict(work_items(state, words, ordinals, noted, way))
        if way is not None:
            self.noting.began(items)
        return items

    def _tell_of_kept(self, ordinal: int, problem: str) -> None:
        """Say once that a large result stands in the log, since it could not be put beside it."""
        if self._told_of_kept:
            return
        self._told_of_kept = True
        key = self.state.inputs.key(ordinal)
        told = printable(f"job {self.state.id}, item {key!r}: {problem}")
        _log.warning(
            "beside: a result was kept in the log instead: %s; the next are not told of", told
        )

    def _failed(self, state: JobState, ordinal: int, why: NotGiven) -> None:
        self.failure_count += 1
        if why.permanent:
            self._for_good.add(ordinal)
        failing = self.words.of(state, ordinal).failing
        if self.waiting is not None and failing is not None:
            cause = failing.causes[why.fault] if failing.cause else ""
            self.waiting.failed(state, ordinal, cause, why.kind, self._now())

    def _put_off(self, ordinal: int, later: Deferred) -> None:
        """Let the item wait for its time, and all others where that was said."""
        if later.note is not NOTHING:
            self.noting.put(ordinal, later.note)
        until_us = self.job.manager.monotonic_us() + int(later.after_s * 1_000_000)
        self.deferrals.put_off(ordinal, until_us)
        if later.everyone:
            self.pace.pause(until_us)

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
        self._stalled_seq = None  # the fresh one has room
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
                self._commit(self._wait(0), begin=False)  # what has ended is not made again
                break
            self._commit(self._wait(min(left_s, self.look_every_s)), begin=False)
        if self.calls.ordinals:
            self._commit(self.calls.give_up(), begin=False)

    def seen(self) -> Seen:
        """What there is to see of the run now; any thread may ask, and nothing is changed."""
        due_us = self._next_due_us
        left_us = 0 if due_us is None else due_us - self.job.manager.monotonic_us()
        waiting_count = self.deferrals.waiting_count
        waiting_count += 0 if self.waiting is None else self.waiting.count
        return Seen(
            state=self.state,
            done_count=self.done_count,
            failure_count=self.failure_count,
            waiting_count=waiting_count,
            next_due_s=left_us / 1_000_000 if left_us > 0 else None,
            cost=self.cost,
            halted=self.halted,
            stopping=self.stop.reason,
        )
