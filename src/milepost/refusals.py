"""Refusals: the root of all errors and those that a machine raises: all that it takes to raise one.

Whoever catches errors needs no tables: this module stands below the types of lifecycles.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ClassVar, NamedTuple, TypeAlias

from milepost.text.escapes import printable
from milepost.text.wording import bounded, record_shown, short_repr

__all__ = [
    "ContextInvalid",
    "GuardRefusal",
    "InvariantBroken",
    "MilepostError",
    "PayloadInvalid",
    "TransitionRefused",
    "Values",
]

# Any: the values are typed by the lifecycle (int, bool, enum, JSON, ...), which Python's
# checkers cannot follow through a mapping; they are checked where they enter.
Values: TypeAlias = Mapping[str, Any]


@short_repr
class GuardRefusal(NamedTuple):
    """A row that would have answered the event, had its guard allowed it."""

    transition: str
    guard: str
    values: Values


class MilepostError(Exception):
    """The root of every error that Milepost raises on purpose: each is built from named data.

    Whatever is in that data, `str` and `repr` give less than 2,000 characters and never raise:
    each class below is given that with its `__str__`, so that none can forget it.
    """

    code: ClassVar[str] = "milepost"

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__str__" in cls.__dict__:
            cls.__str__ = _bounded(cls.__str__)  # type: ignore[method-assign]
        if "__repr__" not in cls.__dict__:  # or a dataclass makes one of whole values
            cls.__repr__ = MilepostError.__repr__  # type: ignore[method-assign]

    def __str__(self) -> str:
        return bounded(super().__str__())

    def __repr__(self) -> str:
        return record_shown(type(self).__name__, self.__dict__.items())

    def __reduce__(self) -> tuple[object, ...]:
        """Survive a trip between processes, notes included."""
        return (_rebuild, (type(self), dict(self.__dict__)))


def _bounded(told: Callable[[Any], str]) -> Callable[[Any], str]:
    """`told`, which words an error, made to give less than 2,000 characters and never to raise."""

    @wraps(told)
    def words(error: Any) -> str:
        try:
            return bounded(told(error))
        except Exception:  # noqa: BLE001 of a value: what it raises must not hide the error
            return bounded(f"{error.code}: {MilepostError.__repr__(error)}")

    return words


def _rebuild(kind: type[MilepostError], details: dict[str, object]) -> MilepostError:
    error = kind.__new__(kind)
    error.__dict__.update(details)
    return error


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class TransitionRefused(MilepostError):
    """An event that is not legal now; nothing has changed.

    `allowed` lists the events that the state has rows for, in definition order, and `guards`
    the rows whose guards said no, with the values that they read. `subject` says whose event it
    was where the caller knows (a job, an item of a job).
    """

    code: ClassVar[str] = "transition-refused"
    machine: str
    state: str
    event: str
    allowed: tuple[str, ...]
    guards: tuple[GuardRefusal, ...] = ()
    reason: str = ""
    subject: str = ""

    def __str__(self) -> str:
        allowed = ", ".join(self.allowed) or "nothing"
        why = f": {self.reason}" if self.reason else ""
        for refusal in self.guards:
            read = ", ".join(f"{name}={value}" for name, value in refusal.values.items())
            why += f"; {refusal.transition} needs {refusal.guard}"
            why += f" (now {read})" if read else ""
        return printable(
            f"{self.subject or self.machine}: '{self.event}' is not allowed in '{self.state}'{why}"
            f" ({'in this state there are rows for' if self.guards else 'allowed'}: {allowed})"
        )


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class InvariantBroken(TransitionRefused):
    """An event that would break a declared invariant, or a context that does; nothing has changed.

    The event would lead by `transition` from `state` to `target`, in which the `invariant`, whose
    source is `holds`, would not hold with those `values`. Of a context that was given there is no
    `event` and no `transition`, and `target` is its `state`. Where members take the event, or are
    added, and their owner's invariant would break, `machine` and `state` are the owner's.
    """

    code: ClassVar[str] = "invariant-broken"
    invariant: str
    holds: str = ""
    values: Values = field(default_factory=dict)
    transition: str = ""
    target: str = ""

    def __str__(self) -> str:
        read = ", ".join(f"{name}={value}" for name, value in self.values.items())
        holds = f": {self.holds}" if self.holds else ""
        whose, target = self.subject or self.machine, self.target or self.state
        what = f"'{self.event}'" if self.event else self.reason
        if not what:
            told = f"the invariant '{self.invariant}' does not hold in '{target}'{holds}"
            return printable(f"{whose}: {told}" + (f" (with {read})" if read else ""))
        way = f" ({self.transition})" if self.transition else ""
        told = f"{what}{way} would break the invariant '{self.invariant}' in '{target}'"
        return printable(f"{whose}: {told}{holds}" + (f" (then {read})" if read else ""))


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class PayloadInvalid(MilepostError, ValueError):
    """A payload that does not have the fields that its event declares; nothing has changed."""

    code: ClassVar[str] = "payload-invalid"
    machine: str
    event: str
    problem: str

    def __str__(self) -> str:
        return printable(f"{self.machine}: payload of '{self.event}': {self.problem}")


@dataclass(eq=False, kw_only=True, repr=False, match_args=False)
class ContextInvalid(MilepostError, ValueError):
    """Parameters that a machine cannot be created with."""

    code: ClassVar[str] = "context-invalid"
    machine: str
    name: str
    problem: str

    def __str__(self) -> str:
        return printable(f"{self.machine}: parameter '{self.name}': {self.problem}")
