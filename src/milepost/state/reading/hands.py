"""Who is in an executor's hands, followed through a log: so it is known whom a death has met."""

from __future__ import annotations

from pyroaring import BitMap

from milepost.items.ledger import bitmap
from milepost.log.facts import ItemsFired, JobFired
from milepost.roles import Roles
from milepost.state.reading.meaning import ends_by, fails_by

__all__ = ["Hands"]


class Hands:
    """The items that were begun and have not ended, as of the facts that it was given, in order."""

    def __init__(self) -> None:
        self._held = bitmap()

    def items(self, fact: ItemsFired, roles: Roles) -> BitMap:
        """Take in a fact of items. Returns those whose executor died by it, held or not."""
        if fact.event == roles.begin:
            self._held |= bitmap(fact.ordinals)
        elif ends_by(roles, fact.event):
            ended = bitmap(fact.ordinals)
            self._held -= ended
            if fact.event == roles.lost:
                return ended
        return bitmap()

    def skip(self, begun: BitMap, ended: BitMap) -> None:
        """Take in facts of items all at once: those that were begun last, and that ended last."""
        self._held = (self._held - ended) | begun

    def job(self, fact: JobFired, roles: Roles) -> BitMap:
        """Take in a fact of the job. Returns the items whose executor died by it."""
        lost = bitmap()
        recover = roles.recover
        if recover is not None and fact.event == recover.event:
            if fact.payload.get(recover.lost, True):
                lost = self._held
            self._held = bitmap()
        elif fact.event == roles.cancel or fails_by(roles, fact.event):
            self._held = bitmap()
        return lost
