"""One story before its judge: the first image that is wrong is shrunk, kept, and ends it."""

from __future__ import annotations

from pathlib import Path

from milepost.testing.power.cutting import Cut
from milepost.testing.power.failure import NotAsPromised
from milepost.testing.power.images import Choice, files_of
from milepost.testing.power.judging import Complaint, Judge, Judging, write
from milepost.testing.power.medium import Medium
from milepost.testing.power.playing import Played
from milepost.testing.power.repeating import text_of
from milepost.testing.power.shrinking import shrink
from milepost.testing.power.wording import kept_by, missing_from, told_of

__all__ = ["Trial"]


class Trial:
    """One story before its judge; the first thing that is wrong ends it."""

    def __init__(self, kept: Path, judge: Judge) -> None:
        self.judging = Judging(judge)
        self._kept = kept

    def hold_undisturbed(self, played: Played) -> None:
        """Raise NotAsPromised if something is wrong where nothing was cut and nothing failed."""
        __tracebackhide__ = True
        self.judging.begin(played.folder, played.promises)
        medium = Medium(played.before)
        for operation in played.operations:
            medium.do(operation)
        found = self.judging.complaint(medium.files())
        if found is not None:
            what = "nothing was cut and nothing failed, and yet"
            raise NotAsPromised(what, complaint=found.text) from found.error

    def hold_cut(self, here: Cut, choice: Choice, turn: int) -> None:
        """Raise NotAsPromised with the smallest image if this one is wrong."""
        __tracebackhide__ = True
        if self._complaint(here, choice) is None:
            return
        least = shrink(here.medium, choice, lambda tried: bool(self._complaint(here, tried)))
        self._raise(
            here,
            least.choice,
            f"a power cut behind {told_of(here.operation)}, position {here.position}:",
            f"{turn}:cut:{here.position}:{text_of(least.choice)}",
            is_least=least.is_least,
        )

    def hold_fault(self, here: Cut, choice: Choice, what: str, again: str) -> None:
        """Raise NotAsPromised if this image is wrong, after what failed."""
        __tracebackhide__ = True
        if self._complaint(here, choice) is None:
            return
        least = shrink(here.medium, choice, lambda tried: bool(self._complaint(here, tried)))
        then = f"{what}; and behind {told_of(here.operation)}"
        self._raise(here, least.choice, then, again, is_least=least.is_least)

    def _complaint(self, here: Cut, choice: Choice) -> Complaint | None:
        return self.judging.complaint(files_of(here.medium, choice), here.mark)

    def _raise(self, here: Cut, choice: Choice, what: str, again: str, *, is_least: bool) -> None:
        __tracebackhide__ = True
        found = self._complaint(here, choice)
        assert found is not None, "it was wrong before"
        write(files_of(here.medium, choice), self._kept)
        none_smaller = "no less will do" if is_least else "none of it can be left out"
        raise NotAsPromised(
            what,
            complaint=found.text,
            missing=missing_from(here.medium, choice),
            kept=kept_by(here.medium, choice),
            files=self._kept,
            again=again,
            how=f"of what was not durable then ({none_smaller}):",
        ) from found.error
