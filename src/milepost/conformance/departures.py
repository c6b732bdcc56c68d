"""What is found where a log and a definition part: the first departure of a job, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from milepost.definition import NONE_ALLOWED, Allowed
from milepost.text.wording import short_repr

__all__ = ["Departs", "Departure", "GuardSaid", "Kind", "Remark", "StepSaid", "ValueSaid"]

Kind: TypeAlias = Literal[
    "refused",
    "invariant",
    "payload",
    "members",
    "creation",
    "lease",
    "order",
    "rewind",
    "migration",
    "tally",
    "checkpoint",
    "state",
    "tables",
]
"""What a departure is about.

`refused`: the definition does not allow the step. `invariant`: the step breaks one. `payload`: the
event carries what it cannot. `members`: the fact names items that are not there, or not of one
collection. `creation`: the job cannot begin so. `lease`: fences and holders. `order`: a fact where
none of its kind may stand. `rewind`, `migration`: they lead elsewhere. `tally`, `checkpoint`,
`state`: what the log states, a checkpoint holds or is kept along the log, is something else.
`tables`: the generated code takes it otherwise.
"""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class GuardSaid:
    """A row that was not taken: its id, its guard as text, and the values that the guard read."""

    row: str
    guard: str
    values: Mapping[str, Any] = field(default_factory=dict)  # Any: int, bool, name of a member


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ValueSaid:
    """A value that differs: by the definition, and as it was found; and the step that set it last.

    `seq` is the commit of that step, 0 where none did; `row` its id, `text` what it assigns.
    """

    name: str
    defined: Any  # Any: int, bool, name of a member or state
    found: Any
    seq: int = 0
    row: str = ""
    text: str = ""


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class StepSaid:
    """A step by the definition: the event, the row that takes it, and from where to where."""

    event: str
    row: str
    source: str
    target: str


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Departure:
    """The first departure of a job from its definition.

    `seq` is the commit, `at_us` its time in microseconds since 1970, `fence` and `owner` the lease
    that it was written under, `owner` empty where nobody held the job. `fact` is the fact in words
    and `index` its place in the commit, -1 where the departure is of the commit as a whole.
    `subject` is who departs, and `state` where that was by the definition; `allowed` are the events
    that guards let come there. `problem` says what is wrong in one sentence. `steps` are those that
    led to what a row of the log states otherwise.
    """

    kind: Kind
    seq: int
    at_us: int
    fence: int
    owner: str
    index: int
    fact: str
    subject: str
    state: str
    problem: str
    allowed: Allowed = NONE_ALLOWED
    guards: tuple[GuardSaid, ...] = ()
    values: tuple[ValueSaid, ...] = ()
    steps: tuple[StepSaid, ...] = ()


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Remark:
    """What is no departure and worth a look, at commit `seq`."""

    seq: int
    text: str


class Departs(Exception):
    """Raised where a fact departs, before it is known which commit that is in.

    `ordinals` are the items that it is about, none where it is about the job.
    """

    def __init__(
        self,
        kind: Kind,
        problem: str,
        *,
        state: str = "",
        ordinals: tuple[int, ...] = (),
        allowed: Allowed = NONE_ALLOWED,
        guards: tuple[GuardSaid, ...] = (),
        values: tuple[ValueSaid, ...] = (),
    ) -> None:
        self.kind: Kind = kind
        self.problem = problem
        self.state = state
        self.ordinals = ordinals
        self.allowed = allowed
        self.guards = guards
        self.values = values
        super().__init__(problem)
