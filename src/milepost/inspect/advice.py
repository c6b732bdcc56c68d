"""What to do next about a job whose items failed: commands, and what each of them does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct
from pyroaring import BitMap

from milepost.job.state import JobState
from milepost.roles import Outcome
from milepost.text.commands import command

__all__ = ["NextStep", "next_steps"]


class NextStep(Struct, frozen=True, kw_only=True):
    """A command that may come next, `""` where it is no command of ours, and what it does."""

    command: str
    does: str


def next_steps(state: JobState, dead_allowed: int | None) -> Iterator[NextStep]:
    """What may come next for the dead letters of a job, and for a job that failed.

    Nothing, where nothing is dead and the job did not fail. `dead_allowed` is how many dead letters
    the job may complete with, None for any number.
    """
    job, dead = state.id, state.progress.dead
    failed = state.roles.outcomes.get(state.phase) is Outcome.FAILED
    resumes = failed and bool(state.roles.resume.get(state.phase))
    too_many = dead_allowed is not None and dead > dead_allowed
    if dead:
        yield NextStep(command=command("dead", job, "--details"), does="what they died of, where")
    if dead and _any(state.takers_of("requeue")):
        then = "; a run then takes the job up again" if resumes else ""
        does = f"gives them all their attempts again{then}"
        yield NextStep(command=command("requeue", job, "--apply"), does=does)
    if too_many and _allows_more(state):
        more = dead - (dead_allowed or 0)
        then = "; a run then takes the job up again" if resumes else ""
        does = f"lets it complete with {more} more dead than before{then}"
        yield NextStep(command=command("allow-dead", job, more, "--apply"), does=does)
    if failed and _any(state.takers_of("redo")):
        does = "shows what is done; with --item KEY --apply, what has a wrong result is done again"
        yield NextStep(command=command("redo", job), does=does)
    if resumes and not too_many:
        yield NextStep(command="", does="run it again: it goes on in the phase that failed")


def _allows_more(state: JobState) -> bool:
    """True if the job can be allowed more dead letters, as it stands."""
    role = state.roles.allow_dead
    return role is not None and role.event in state.machine.allowed(state.phase)


def _any(takers: Iterable[tuple[str, BitMap]]) -> bool:
    """True if some item would take an event, of what JobState.takers_of gives."""
    return any(bool(found) for _, found in takers)
