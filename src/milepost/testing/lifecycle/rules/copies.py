"""Random looks at a job as it was, copies of it, and what is kept of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hypothesis.stateful import precondition, rule

from milepost.errors import StoreReadOnly
from milepost.state.keeping.retention import RetentionPolicy
from milepost.testing.definition import Job
from milepost.testing.lifecycle.doing import JOB
from milepost.testing.lifecycle.looking import agree
from milepost.testing.lifecycle.rules.asking import SEED, WHO, Asking, chance_of, says

__all__ = ["Copies"]

_FORKS: Final = ("fork-1", "fork-2", "fork-3")
_KEEPS_NOTHING: Final = RetentionPolicy(
    completed=timedelta(0), failed=timedelta(0), cancelled=timedelta(0), ended=timedelta(0)
)


class Copies(Asking):
    """The job as it was and as others read it."""

    @precondition(lambda self: self.past)
    @rule(who=WHO, seed=SEED)
    def look_back(self, who: int, seed: int) -> None:
        """Every moment can be read again, and a fork stands as the job stood then."""
        seq = chance_of(seed).choice(sorted(self.past))
        forks = f", and forks it as {_FORKS[self.forks]}" if self.forks < len(_FORKS) else ""
        says(who, f"looks at commit {seq}{forks}")
        agree(self.managers[who].state_at(JOB, seq), self.past[seq])
        if self.forks < len(_FORKS):
            fork = _FORKS[self.forks]
            self.forks += 1
            agree(self.managers[who].fork(JOB, seq, fork), self.past[seq])
            assert all(one.sound for one in self.managers[1 - who].verify(fork))
            self._collected(who, fork, self.past[seq])

    def _collected(self, who: int, fork: str, job: Job) -> None:
        """A copy that has ended goes at once, by a policy that keeps nothing; others stay."""
        manager = self.managers[who]
        plan = manager.plan_retention(_KEEPS_NOTHING, job_ids=[fork])
        collected = manager.collect(plan, rest=lambda: None)
        if job.state in self.definition.root.final:
            assert list(collected.deleted) == [fork]
        assert manager.has_job(fork) != (fork in collected.deleted)

    @rule(who=WHO)
    def compact(self, who: int) -> None:
        """Small commits are merged into blocks."""
        self.managers[who].upkeep.compact(JOB, apply=True)

    @rule()
    def read_only(self) -> None:
        """Who only reads sees the same, and writes nothing."""
        manager = self.place.read_only()
        if manager is not None:
            with manager:
                agree(manager.get_state(JOB), self.job)
                self.raises((StoreReadOnly,), lambda: manager.create_checkpoint(JOB))
