"""One story before its judge: the first image that is wrong is shrunk, kept, and ends it."""

from __future__ import annotations

from pathlib import Path

from milepost.testing.power.cutting import Cut
from milepost.testing.power.failure import NotAsPromised
from milepost.testing.power.images import Choice, files_of
from milepost.testing.power.judging import Complaint, Judge, Judging, write
from milepost.testing.power.medium import Mark, Medium
from milepost.testing.power.playing import Played
from milepost.testing.power.repeating import text_of
from milepost.testing.power.shrinking import shrink
from milepost.testing.power.wording import kept_by, lossy_in, missing_from, promised_by, told_of

__all__ = ["Trial"]


class Trial:
    """One story before its judge; the first thing that is wrong ends it."""

    def __init__(self, kept: Path, judge: Judge, *, promises: bool) -> None:
        self.judging = Judging(judge, promises=promises)
        self._kept = kept
        self._played: Played | None = None

    def begin(self, played: Played) -> None:
        """Go on to another playing."""
        self._played = played
        self.judging.begin(played.folder, played.promises)

    def hold_undisturbed(self, played: Played) -> None:
        """Raise NotAsPromised if something is wrong where nothing was cut and nothing failed.

        Raises:
            TypeError: The judge looks at no promise, so that it would miss none.
        """
        __tracebackhide__ = True
        self.begin(played)
        medium = Medium(played.before)
        for operation in played.operations:
            medium.do(operation)
        found = self.judging.complaint(medium.files())
        if found is not None and found.unlooked:
            raise TypeError(found.text)
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

    def is_wrong(self, here: Cut, choice: Choice) -> bool:
        """True if this image is."""
        return self._complaint(here, choice) is not None

    def hold_fault(
        self, here: Cut, choice: Choice, what: str, again: str, *, needed: bool = True
    ) -> None:
        """Raise NotAsPromised if this image is wrong, after what failed.

        If that was not `needed`, nothing has failed here: by what it was met first.
        """
        __tracebackhide__ = True
        if not self.is_wrong(here, choice):
            return
        least = shrink(here.medium, choice, lambda tried: bool(self._complaint(here, tried)))
        then = f"{what}; and"
        if not needed:
            lossy = lossy_in(here.medium, least.choice)
            enough = "a power cut" if lossy else "the end of the process"
            then = f"no call need fail: {enough} is enough. Met first by {what}; without it,"
        then += f" behind {told_of(here.operation)}, position {here.position}:"
        self._raise(here, least.choice, then, again, is_least=least.is_least)

    def _complaint(self, here: Cut, choice: Choice) -> Complaint | None:
        return self.judging.complaint(files_of(here.medium, choice), here.mark)

    def _raise(self, here: Cut, choice: Choice, what: str, again: str, *, is_least: bool) -> None:
        __tracebackhide__ = True
        found = self._complaint(here, choice)
        assert found is not None, "it was wrong before"
        assert self._played is not None, "it was begun"
        write(files_of(here.medium, choice), self._kept)
        none_smaller = "no less will do" if is_least else "none of it can be left out"
        raise NotAsPromised(
            what,
            complaint=found.text if here.mark or not found.misses else self._early(found.text),
            missing=missing_from(here.medium, choice),
            kept=kept_by(here.medium, choice),
            promised=promised_by(
                self._played.operations,
                here.position,
                self._played.promises,
                lossy_in(here.medium, choice),
            ),
            files=self._kept,
            again=again,
            how=f"of what was not durable then ({none_smaller}):",
        ) from found.error

    def _early(self, complaint: str) -> str:
        """The complaint of a judge that misses a file or a table before anything was promised."""
        assert self._played is not None, "it was begun"
        marks = [
            at
            for at, one in enumerate(self._played.operations)
            if isinstance(one, Mark) and one.number > 0
        ]
        first = f"the first promise is at position {marks[0]}" if marks else "nor is anything later"
        return (
            f"{complaint}\nnothing had been promised by then ({first}), so the disk may have none"
            " of it: a judge must allow that there is no file and no table yet, or `prepare=` makes"
            " them"
        )
