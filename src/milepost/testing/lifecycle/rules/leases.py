"""Random leases: who takes a job, gives it back, loses it, and writes too late."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from milepost.errors import LeaseHeld, LeaseLost
from milepost.state.writing.lease import Lease
from milepost.testing.lifecycle.doing import JOB, requests
from milepost.testing.lifecycle.rules.asking import SEED, WHO, Asking, chance_of, says
from milepost.testing.lifecycle.telling import asked_told

__all__ = ["Leases"]

_TTL_S: Final = 10.0


class Leases(Asking):
    """Who holds the job, and until when."""

    @rule(who=WHO, takeover=st.booleans())
    def take_lease(self, who: int, *, takeover: bool) -> None:
        """One of them takes the job; a takeover asks nobody."""
        owner = f"holder-{who}"
        held = self.managers[who].lease(
            JOB, owner, _TTL_S, takeover="it hangs" if takeover else "", renewed=False
        )
        now_us = self.place.clock.monotonic_us()
        if self.owner is not None and self.expires_at_us > now_us and not takeover:
            error = self.raises((LeaseHeld,), held.__enter__)
            assert isinstance(error, LeaseHeld)
            assert error.owner == self.owner
            return
        self.forget_leases()
        lease = held.__enter__()
        self.fence += 1
        self.owner, self.expires_at_us = owner, now_us + int(_TTL_S * 1e6)
        self.leases[who] = (lease, held)
        assert lease.fence == self.fence

    @precondition(lambda self: any(self.leases))
    @rule(who=WHO)
    def give_back(self, who: int) -> None:
        """The holder gives the job back."""
        entry = self.leases[who]
        if entry is not None:
            entry[1].__exit__(None, None, None)
            self.leases[who] = self.owner = None

    @rule(seconds=st.sampled_from([1.0, _TTL_S]))
    def wait(self, seconds: float) -> None:
        """Time passes: a lease may run out."""
        self.place.clock.advance(seconds)

    @rule(seconds=st.sampled_from([-86_400.0, -_TTL_S, 5.0, 3_600.0]))
    def set_the_wall_clock(self, seconds: float) -> None:
        """Nobody's lease runs out by it, or runs longer; what is dated never runs backwards."""
        self.place.clock.step(seconds)

    @precondition(lambda self: self._late() and self.job.members)
    @rule(who=WHO, seed=SEED)
    def write_late(self, who: int, seed: int) -> None:
        """A stale holder's write is refused, and leaves nothing but its trace."""
        chance = chance_of(seed)
        lease, manager = chance.choice(self._late()), self.managers[who]
        asked = self.any_of_a_member(chance)
        says(who, f"asks under the lost lease of {lease.owner}: {asked_told([asked])}")
        wanted = requests([asked])
        error = self.raises(
            (LeaseLost,),
            lambda: manager.record(JOB, wanted, lease=lease),  # type: ignore[arg-type]
        )
        assert isinstance(error, LeaseLost)
        assert error.current_fence == self.fence
        self.rejected += 1

    def _late(self) -> list[Lease]:
        return [one for one in self.stale if one.fence < self.fence or self.owner is None]
