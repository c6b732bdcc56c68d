"""The page of items that go back to wait for an attempt, whatever command sends them."""

from __future__ import annotations

from typing import Protocol

from milepost.inspect.page import Cell, Fields, Note, Page
from milepost.inspect.plan import PlanPart, named
from milepost.inspect.states import StateName

__all__ = ["SentBack", "sent_back_page"]


class SentBack(Protocol):
    """What the views of such commands have in common."""

    @property
    def applied(self) -> bool:
        """Whether the items went back."""
        ...

    @property
    def job(self) -> str:
        """The job."""
        ...

    @property
    def seq(self) -> int:
        """Its newest commit, after that."""
        ...

    @property
    def phase(self) -> StateName:
        """Its phase, after that."""
        ...

    @property
    def scope(self) -> str:
        """Which items were asked for."""
        ...

    @property
    def accepted(self) -> bool:
        """Whether the job takes them back."""
        ...

    @property
    def left(self) -> int:
        """How many stay as they are."""
        ...


def sent_back_page(
    view: SentBack, part: PlanPart, *, command: str, stay: str, refused: str, before: str = ""
) -> Page:
    """Which items go back, and what became of it.

    `stay` labels those that do not, `refused` says what helps where the job takes none back, and
    `before` what else would come of it.
    """
    entries: list[tuple[str, Cell]] = [
        ("job", view.job),
        ("scope", view.scope),
        ("phase", view.phase),
        (command, f"{part.count} ({named(part)})" if part.count else "none"),
        (stay, str(view.left)),
    ]
    if view.applied:
        outcome = f"applied: they wait for an attempt, with all attempts, at seq {view.seq}"
        if not view.phase.meaning.worked:
            outcome += "; recover, or a run, takes the job up again"
    elif not part.count:
        outcome = "nothing to change"
    elif not view.accepted:
        outcome = f"a job in {view.phase} takes no item back: {refused}"
    else:
        outcome = f"{before}nothing was changed: --apply does it"
    return (Fields(entries=tuple(entries)), Note(outcome))
