"""Reaping: jobs whose holder has ended or gone quiet are found, and freed for another executor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from milepost.clock import instant
from milepost.errors import LifecycleChanged, StateError
from milepost.job.fold import apply
from milepost.job.state import JobState
from milepost.job.suspects import let_go
from milepost.log.facts import Draft, LeaseReleased, LeaseTaken
from milepost.log.rows import Row, StoredLease
from milepost.state.reading.loading import JobLog, Loader
from milepost.state.reading.naming import Names
from milepost.state.writing.decision import Decision, Moment
from milepost.state.writing.lease import give_back, take
from milepost.state.writing.liveness import Standing, Verdict
from milepost.state.writing.observing import Observer
from milepost.stores.protocol import Reader
from milepost.stores.unreadable import OnError, ignore
from milepost.text.wording import short_repr

__all__ = ["StuckJob", "reap", "stuck"]

_TTL_S: Final = 30.0


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StuckJob:
    """A job that was never given back, and whose holder has ended or does not renew its lease.

    `running` items are in the hands of `owner`, the holder of `fence`, as far as the log knows.
    `why` says how that is known, as of its lease. It is not `sure` where the holder has no time
    in common with this process: it then has to be watched for `left_s` before it may be replaced.
    `expired_at` is by wall clocks, and not later than now.
    """

    id: str
    phase: str
    seq: int
    owner: str
    fence: int
    expired_at: datetime
    updated_at: datetime
    running: int
    sure: bool = True
    why: str = ""
    left_s: float = 0.0


def stuck(
    loader: Loader,
    reader: Reader,
    observer: Observer,
    known: Callable[[str], JobState | None],
    on_error: OnError,
    on_unknown: OnError = ignore,
) -> Iterator[StuckJob]:
    """The jobs that were not given back, and whose holder may be replaced, in order of creation.

    Those whose holder is only likely to be dead are among them, and are not sure.

    `known` may have a state of a job, of any age. Jobs that cannot go on under the lifecycles at
    hand are left out, and `on_unknown` is told of them; `on_error` of those that have a lease and
    cannot be read. Cost: one row of each job whose lease was not given back.
    """
    names = Names(loader, reader)
    for tip in reader.leased(on_error):
        try:
            log = JobLog(loader, reader, tip.job)
            found = _left(log, tip.row, observer, names)
            if found is None:
                continue
            lease, verdict = found
            state = log.load(known(log.job_id)).state
        except LifecycleChanged as error:
            on_unknown(error)
            continue
        except StateError as error:
            on_error(error)
            continue
        if state.owner is not None and state.fence == lease.fence:
            yield StuckJob(
                id=state.id,
                phase=state.phase,
                seq=state.seq,
                owner=state.owner,
                fence=state.fence,
                expired_at=instant(min(lease.expires_at_us, observer.now_us())),
                updated_at=state.updated_at,
                running=state.progress.running,
                sure=verdict.replaceable,
                why=verdict.why,
                left_s=verdict.left_us / 1_000_000,
            )


def _left(
    log: JobLog, tip: Row, observer: Observer, names: Names
) -> tuple[StoredLease, Verdict] | None:
    """The newest lease of a job that may be stuck, and what is known of its holder.

    None for a job that has ended, as far as tables or descriptions say. One look-up.
    """
    means = names.meaning(log.entry.lifecycle)
    if means is not None and log.tally(tip).phase in means.owner.final:
        return None
    lease = log.reader.lease(log.number)
    if lease is None or lease.fence != tip.fence:
        return None
    verdict = observer.judge(log.number, lease)
    if verdict.replaceable:
        return lease, verdict
    watched = verdict.standing == Standing.WATCHED and observer.seems_silent(lease)
    return (lease, verdict) if watched else None


def reap(owner: str, reason: str) -> Decision:
    """The decision that frees a job whose holder may be replaced, in one commit.

    `owner` takes the job over, what was in flight is interrupted (no attempt counts), and the
    job is given back, so that any executor may take it. Nothing happens to a job that nobody
    holds. Raises LeaseHeld if the holder turned out to be alive.
    """

    def decision(moment: Moment) -> Iterator[Draft]:
        state = moment.state
        if state.owner is None:
            return
        (taken,) = take(owner, _TTL_S, "")(moment)
        yield taken
        assert isinstance(taken.fact, LeaseTaken)
        recover = state.roles.recover
        if recover is None or recover.event in state.allowed():
            why = reason or taken.fact.reason
            state = apply(state, taken.fact)
            yield from let_go(state, state.held, why, lost=state.executor_lost)
        give_back(moment, taken.fact.fence)
        yield Draft(fact=LeaseReleased(owner=owner))

    return decision
