"""What a function for items can raise to say more than that it failed: for good, or not now."""

from __future__ import annotations

import math
from enum import Enum
from typing import Any, Final, Literal

from milepost.arguments import flag, number, refuse
from milepost.text.wording import shown

__all__ = ["NOTHING", "Later", "Nothing", "Permanent"]


class Nothing(Enum):
    """The type of `NOTHING`."""

    NOTHING = "nothing"


NOTHING: Final = Nothing.NOTHING
"""No note, where None would be one. It is the same object after it was sent to a worker."""


class Permanent(Exception):
    """The item has failed for good: another attempt would give the same, and none is made.

    Raised from what went wrong (`raise Permanent("no") from error`), it tells of that too.
    """


class Later(Exception):
    """Not now, and it is no failure: no attempt is used, and the item waits for `after_s` seconds.

    Args:
        message: Why, for people.
        after_s: Seconds from now on. What is below 0, a time that has passed already, is 0.
        note: What the function gets as `item.noted` the next time: JSON, the id of work begun
            outside, say. Without it, the note that there was stays.
        everyone: No other item of the job begins before that time either.

    A subclass need not call this class's `__init__`: the fields have these values then.
    """

    message: str = ""
    after_s: float = 0.0
    note: Any | Literal[Nothing.NOTHING] = NOTHING  # Any: JSON
    everyone: bool = False

    def __init__(
        self,
        message: str = "",
        *,
        after_s: float = 0.0,
        note: Any | Literal[Nothing.NOTHING] = NOTHING,  # Any: JSON
        everyone: bool = False,
    ) -> None:
        text = _text(message)
        super().__init__(text)
        if isinstance(after_s, float | int) and after_s < 0 and math.isfinite(after_s):
            after_s = 0.0
        if isinstance(after_s, float) and not math.isfinite(after_s):
            refuse("after_s", after_s, "a finite number of seconds")
        self.message = text
        self.after_s = number("after_s", after_s)
        self.note = note
        self.everyone = flag("everyone", everyone)

    def __reduce__(self) -> tuple[Any, ...]:
        """As it was made, the notes that were added to it too."""
        return _later, (type(self), self.message, self.__dict__)


def _text(message: object) -> str:
    """The message as text, whatever was given: what is no text may not even give one."""
    try:
        return str(message)
    except Exception:  # noqa: BLE001 the __str__ of a stranger's object, or an integer too long
        return shown(message)


def _later(kind: type[Later], message: str, state: dict[str, Any]) -> Later:
    later = Later.__new__(kind, message)
    later.__dict__.update(state)
    later.args = (message,)
    return later
