"""The notes of a run's items: recorded for workers that wait, and given back at later attempts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pyroaring import BitMap

from milepost.errors import RecordConflict, TransitionRefused, ValueInvalid
from milepost.executors.endings import Ended
from milepost.executors.held import HeldJob
from milepost.executors.notes import Asked, Notes
from milepost.executors.vocabulary import ItemWords, Vocabulary
from milepost.state.transitions import ItemEvent
from milepost.worker.items import NoteWay, WorkItem

__all__ = ["Noting"]


class Noting:
    """What a run knows of notes, and how it records them. Used from the run's thread.

    `stored` gives the newest notes in the log by key. It is called once, and only where an item
    has a note that this run has not seen being made.
    """

    def __init__(
        self,
        job: HeldJob,
        words: Vocabulary,
        notes: Notes,
        stored: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._job = job
        self._words = words
        self._notes = notes
        self._stored = stored
        self._read = False
        self._newest: dict[int, Any] = {}  # Any: JSON

    def has(self, ordinal: int) -> bool:
        """True if the item has a note that this run knows of."""
        return ordinal in self._newest

    def of(self, ordinal: int, marked: BitMap | None) -> Any:  # Any: JSON
        """The newest note of the item, None if it has none.

        `marked` are all items that have one, None where the lifecycle marks none. A note that
        somebody took away, with a requeue for one, is forgotten.
        """
        if marked is not None and ordinal not in marked:
            self._newest.pop(ordinal, None)
            return None
        if ordinal in self._newest or self._read:
            return self._newest.get(ordinal)
        if marked is not None:
            ordinal_of = self._job.state.inputs.ordinal
            stored = {ordinal_of(key): note for key, note in self._stored().items()}
            self._newest = {**stored, **self._newest}
            self._read = True
        return self._newest.get(ordinal)

    def put(self, ordinal: int, note: Any) -> None:  # Any: JSON
        """Take note of a note that is recorded."""
        self._newest[ordinal] = note

    def forget(self, ordinals: Iterable[int]) -> None:
        """Keep no notes of items that are done."""
        if self._newest:
            for ordinal in ordinals:
                self._newest.pop(ordinal, None)

    def may_have(self, marked: BitMap | None) -> bool:
        """True if some item may have a note, where `marked` are those that have one, as in `of`."""
        return bool(self._newest) or bool(marked)

    def way(self, words: ItemWords, where: str) -> NoteWay | None:
        """The way by which workers there note; None where there is none, or no role for notes."""
        return None if words.note is None else self._notes.way(where)

    def began(self, items: Mapping[int, WorkItem]) -> None:
        """Take notes of the attempts that these are, by ordinal."""
        self._notes.began(items)

    def ended(self, ended: Iterable[Ended]) -> None:
        """Take no more notes of the attempts that have ended."""
        self._notes.ended([one.ordinal for one in ended])

    def record(self) -> None:
        """Make the notes durable that workers wait for, in as few commits as can be; tell them.

        One that is refused is answered why. Whatever is raised, no worker is left waiting.
        """
        asked = self._notes.take()
        if not asked:
            return
        try:
            self._record(asked)
        finally:
            for one in asked:
                if not one.told.is_set():
                    one.answer("the run could not record it")

    def _record(self, asked: list[Asked]) -> None:
        taken = [one for one in asked if self._taken(one)]
        for one in asked:
            if one not in taken:
                one.answer("the item is not under way any more")
        if not taken:
            return
        try:
            state = self._job.record([self._event(one) for one in taken])
        except (TransitionRefused, RecordConflict, ValueInvalid) as error:
            self._apart(taken, error)
            return
        self._job.moved(state)
        for one in taken:
            self.put(one.ordinal, one.note)
            one.answer()

    def _apart(self, asked: list[Asked], error: Exception) -> None:
        """A commit for each, of which some are refused; each that is refused alone is told why."""
        if isinstance(error, ValueInvalid) or not self._job.moved_on():
            if len(asked) == 1:
                asked[0].answer(str(error))
                return
            parts: Iterable[list[Asked]] = ([one] for one in asked)
        else:
            parts = [asked]
        for part in parts:
            self._record(part)

    def _taken(self, asked: Asked) -> bool:
        words = self._words.of(self._job.state, asked.ordinal)
        event = "" if words.note is None else words.note.event
        return asked.ordinal in words.takers(self._job.state, event)

    def _event(self, asked: Asked) -> ItemEvent:
        note = self._words.of(self._job.state, asked.ordinal).note
        assert note is not None, "it was just looked at"
        return ItemEvent(asked.ordinal, note.event, {note.note: asked.note})
