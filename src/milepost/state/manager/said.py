"""The manager's part about what attempts said without ending an item: notes, and waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost import arguments
from milepost.errors import RoleAbsent
from milepost.state.manager import work
from milepost.state.manager.core import Core

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from milepost.state.reading.said import Deferred

__all__ = ["Said"]


class Said(Core):
    """What is on record of work that was begun outside, and of items that were put off."""

    def notes(self, job_id: str, items: Iterable[str | int] | None = None) -> dict[str, Any]:
        """The newest note of each item that has one, by key, in item order.

        A note says what work was begun outside for an item: the id of a provider's batch, say. It
        outlives the attempt, and the process, that left it. An item that was requeued, or is done
        again, has none.

        Args:
            job_id: The job.
            items: Only these items: their keys, or their ordinals.

        Returns:
            JSON values.

        Raises:
            JobAbsent: The store has no such job.
            RoleAbsent: The lifecycle takes no notes.
            ItemAbsent: The job has no such item.
            CodecAbsent: The notes need another payload codec.

        Cost:
            One pass over the heads, and each body with such a note, decoded once. Nothing where no
                item has one.
        """
        named = None
        if items is not None:
            named = [work.named_item(item) for item in arguments.iterable("items", items)]
        with self._job_log(job_id) as log:
            state = self._newest(log)
            machines = [ledger.machine for ledger in state.ledgers.values()]
            if not any(machine.roles.note for machine in machines):
                machine = machines[0] if machines else None
                raise RoleAbsent.at(state.lifecycle, machine, "note", "notes()")
            wanted = None
            if named is not None:
                wanted = work.bitmap(work.item_ordinal(state, item) for item in named)
            url, codec = self._store.url, self._loader.payloads
            found = work.said.notes(log.reader, log.entry, state, url, codec, wanted)
        return {state.inputs.key(ordinal): note for ordinal, note in found.items()}

    def deferred(self, job_id: str) -> dict[str, Deferred]:
        """Until when those items wait that were put off, by key, in item order.

        They failed at nothing: their function said that it is to be called later, because a
        provider is busy, or what they wait for is not done.

        Args:
            job_id: The job.

        Returns:
            None of a lifecycle that has no event for it.

        Raises:
            JobAbsent: The store has no such job.

        Cost:
            One pass over the heads; nothing where no item waits so.
        """
        with self._job_log(job_id) as log:
            state = self._newest(log)
            found = work.said.deferred(log.reader, log.entry, state, self._store.url)
        return {state.inputs.key(ordinal): each for ordinal, each in found.items()}
