"""What the caller of a run says of exceptions: for good, later, a timeout, another name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from milepost import arguments
from milepost.text.wording import short_repr, shown
from milepost.worker.signals import Later

__all__ = ["ErrorRules", "Errors", "Ruling", "Verdict", "error_rules"]

_WANTED: Final = '"permanent", "timeout", a Verdict or a Later'


@short_repr
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Verdict:
    """The meaning of an exception: a failure, of what kind, for good, or since it took too long.

    An empty `kind` leaves the one that it has by itself: its class, and the status of HTTP.
    """

    kind: str = ""
    permanent: bool = False
    timeout: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", arguments.text("kind", self.kind, most=200))
        arguments.flag("permanent", self.permanent)
        arguments.flag("timeout", self.timeout)


Ruling: TypeAlias = Verdict | Later | Literal["permanent", "timeout"]
"""What is said of an exception: a Verdict, or that of one word, or that the item is to wait."""

Errors: TypeAlias = (
    Mapping[type[BaseException] | str, Ruling] | Callable[[BaseException], Ruling | None]
)
"""Rulings by class, by the name of a class or by kind; or a function that gives one, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorRules:
    """The rules of one run, as they are sent to workers. Make them by `error_rules`."""

    by_name: Mapping[type[BaseException] | str, Verdict | Later]
    ask: Callable[[BaseException], Ruling | None] | None = None

    def ruling(self, error: BaseException, status: str) -> Verdict | Later | None:
        """What the rules say of `error`; None if nothing. `status` is that of HTTP, if it has one.

        Of several that are of its class, the one of the most derived class; with the status first.
        Raises what the caller's function raises, and TypeError for what is no ruling.
        """
        if self.ask is not None:
            return _of_words(self.ask(error))
        if not self.by_name:
            return None
        is_group = isinstance(error, BaseExceptionGroup)
        for kind in type(error).__mro__:
            if is_group and not issubclass(kind, BaseExceptionGroup):
                return None  # its members are asked about
            for name in _names(kind, status):
                if name in self.by_name:
                    return self.by_name[name]
            for name, ruling in self.by_name.items():
                if isinstance(name, str) and _named(name) is kind:
                    return ruling
        return None


def error_rules(errors: object) -> ErrorRules:
    """The rules that `errors` are; None is none. Raises ArgumentInvalid."""
    if errors is None:
        return ErrorRules(by_name={})
    if isinstance(errors, Mapping):
        return ErrorRules(by_name={_key(key): _checked(said) for key, said in errors.items()})
    wanted = f"a mapping of exceptions to {_WANTED}, or a function that gives one of these,"
    arguments.calls("errors", errors, wanted)
    ask: Any = errors  # Any: what it gives is looked at when it gives it
    return ErrorRules(by_name={}, ask=ask)


def _key(key: object) -> type[BaseException] | str:
    if isinstance(key, type) and issubclass(key, BaseException):
        return key
    if not isinstance(key, str) or not key:
        arguments.refuse("errors", key, "a class of exceptions, or the name of one, as each key")
    return str.__str__(key)


def _checked(said: object) -> Verdict | Later:
    try:
        ruling = _of_words(said)
    except TypeError:
        ruling = None
    if ruling is None:
        arguments.refuse("errors", said, f"{_WANTED} as each value")
    return ruling


def _of_words(said: object) -> Verdict | Later | None:
    """The ruling that was said. Raises TypeError if it is none."""
    if said is None or isinstance(said, Verdict | Later):
        return said
    if said == "permanent":
        return Verdict(permanent=True)
    if said == "timeout":
        return Verdict(timeout=True)
    raise TypeError(f"errors gave {shown(said)}: {_WANTED} is wanted, or None")


def _names(kind: type, status: str) -> Iterator[Any]:
    """By what a class may be named in rules, most telling first. Any: a class or a text."""
    name, dotted = kind.__name__, f"{kind.__module__}.{kind.__qualname__}"
    if status:
        yield f"{dotted} {status}"
        yield f"{name} {status}"
    yield kind
    yield dotted
    yield name


def _named(dotted: str) -> object:
    """What a dotted name stands for in modules that are loaded; None if nothing."""
    module, _, name = dotted.rpartition(".")
    return getattr(sys.modules.get(module), name, None) if module else None
