"""Items: as they are given to a job, and as the function for them gets them."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any, Final, Protocol

import msgspec

from milepost.arguments import number
from milepost.errors import NotesAbsent
from milepost.text.wording import short_repr
from milepost.worker.values import Encode, plain_value

__all__ = ["Item", "NoteWay", "WorkItem"]

_KEY_BYTES: Final = 16


@short_repr
class Item(msgspec.Struct, frozen=True, kw_only=True):
    """An item with a key of the user's own: `key` is 1 to 512 characters, `value` any JSON."""

    key: str
    value: Any = None  # Any: JSON


class NoteWay(Protocol):
    """The way by which a worker has a note recorded, while its call goes on. It may be pickled."""

    def note(self, item: WorkItem, note: Any) -> None:  # Any: JSON
        """Return once the note is durable. Safe in any thread of the worker.

        Args:
            item: The item whose attempt it is.
            note: Plain JSON.
        """
        ...


class WorkItem(Item, frozen=True, kw_only=True):
    """An item as the function for it gets it, at one attempt.

    Attributes:
        key: The item's key.
        value: Its value: JSON.
        job_id: The job that it is of.
        attempt: Which attempt this is, counted from 1. 0 where the job's lifecycle counts none.
        noted: The newest note of work begun outside: JSON, None where there is none.
        identity: What tells the item from any other, of any job: the same at every attempt.
        begun: What tells the attempt from any other of the item.
        trace: The context of the attempt's span, as W3C Trace Context has it, if the run is traced.
    """

    job_id: str = ""
    attempt: int = 0
    noted: Any = None  # Any: JSON
    identity: str = ""
    begun: str = ""
    trace: dict[str, str] | None = None
    way: NoteWay | None = None
    costs: list[float] = msgspec.field(default_factory=list)
    encode: Encode | None = None

    @property
    def idempotency_key(self) -> str:
        """32 letters and digits for the item: the same at every attempt, in any process.

        For a service that does the same request once. It is another one once the item is done
        again, and in any other job.
        """
        return blake2b(self.identity.encode(), digest_size=_KEY_BYTES).hexdigest()

    @property
    def token(self) -> str:
        """A text that no other attempt has, of no item of no job."""
        return f"{self.identity} {self.begun}"

    def note(self, value: object) -> None:
        """Record what another attempt needs to know; returns once it is durable.

        The id of a batch that was submitted, say: it is `noted` of every attempt from then on, so
        that work begun outside is waited for, and not begun again. The newest note counts.

        Args:
            value: JSON, as a result is, or what `encode=` of the run makes JSON of.

        Raises:
            NotesAbsent: There is no way back from where the function runs, or the job's lifecycle
                has no role for notes.
            ValueInvalid: It is no JSON.
        """
        plain, _ = plain_value(value, "the note", self.encode)
        if self.way is None:
            raise NotesAbsent(job_id=self.job_id, key=self.key)
        self.way.note(self, plain)

    async def anote(self, value: object) -> None:
        """As `note`, for coroutines: other coroutines go on meanwhile.

        Args:
            value: As of `note`.
        """
        import asyncio  # noqa: PLC0415 30 ms, which workers without coroutines do without

        await asyncio.to_thread(self.note, value)

    def spent(self, cost: float) -> None:
        """Say what this attempt costs, in any unit: it is added to what was said before.

        Args:
            cost: A number, 0 or more. It counts whether the attempt fails or not.
        """
        self.costs.append(number("cost", cost))
