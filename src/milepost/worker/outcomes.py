"""How a call of the user's code ended, as data that is sent between processes."""

from __future__ import annotations

from enum import Enum, auto
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from milepost.text.wording import short_repr
from milepost.worker.beside import Stored
from milepost.worker.signals import NOTHING, Nothing

__all__ = ["Deferred", "Fault", "Given", "NotGiven", "Outcome", "Timed", "Unfit"]


class Fault(Enum):
    """Why a call gave nothing; the role `failure` names the lifecycle's own causes for these."""

    ERROR = auto()
    TIMEOUT = auto()
    LOST = auto()


@short_repr
class Given(msgspec.Struct, frozen=True, kw_only=True):
    """The call gave `value`, which takes `size_bytes` as JSON in the log.

    It is `Encoded` where it may be any JSON, and plain where it has to be of one type. Of a result
    that was written beside the log, `stored` says where, and `value` is None; `problem` says why
    one that is large was not.
    """

    value: Any  # Any: Encoded, or what the lifecycle wants
    size_bytes: int
    stored: Stored | None = None
    problem: str = ""


@short_repr
class NotGiven(msgspec.Struct, frozen=True, kw_only=True):
    """The call gave nothing that can be kept.

    `message` is at most 2,000 characters long. `kind` is what it was in a word or two, with the
    status of HTTP where there was one; `permanent` says that another call would give the same, and
    `details` are JSON, as docs/reference tells: None where nothing more is known.
    """

    fault: Fault
    message: str
    kind: str = ""
    permanent: bool = False
    details: dict[str, Any] | None = None  # Any: JSON


@short_repr
class Deferred(msgspec.Struct, frozen=True, kw_only=True):
    """The call was put off for `after_s` seconds, with a `note` for the next one if it left one.

    `everyone` says that no other call begins before that either.
    """

    after_s: float
    everyone: bool = False
    message: str = ""
    note: Any | Literal[Nothing.NOTHING] = NOTHING  # Any: JSON


@short_repr
class Unfit(msgspec.Struct, frozen=True, kw_only=True):
    """The function is none that this executor can call, whatever the item: why, and what to do."""

    message: str


Outcome: TypeAlias = Given | NotGiven | Deferred
"""How a call ended."""


class Timed(NamedTuple):
    """How a call ended, how long it took on its worker, and what it said that it has cost."""

    outcome: Outcome | Unfit
    took_s: float
    cost: float = 0.0
