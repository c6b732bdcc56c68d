"""Values that can be promised: those that somebody who reads them again can find by `==`."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet

__all__ = ["findable"]


def findable(value: object) -> object:
    """`value` as it is now: lists, tuples, dicts, sets and bytearrays in it are copied.

    Raises:
        TypeError: It is not equal to itself, nor would be what is read again, or something in it is
            not. What lists, tuples, sets and mappings hold is looked at.
    """
    culprit = _unfindable(value)
    if culprit is not None:
        raise TypeError(
            f"{culprit[0]!r:.80} cannot be promised, since it is not plainly equal to itself, so"
            " that no judge could find it: promise what tells it apart, such as a name, its text or"
            " a list of its numbers"
        )
    return _copied(value)


def _copied(value: object) -> object:
    """The same in lists, dicts and the like of its own, as they are now."""
    if type(value) is list:
        return [_copied(each) for each in value]
    if type(value) is tuple:
        return tuple(_copied(each) for each in value)
    if type(value) is dict:
        return {key: _copied(each) for key, each in value.items()}
    return value.copy() if isinstance(value, set | bytearray) else value


def _unfindable(value: object) -> tuple[object] | None:
    """The first part of `value` that `==` does not find, if there is one."""
    if isinstance(value, list | tuple | AbstractSet):
        return next(filter(None, map(_unfindable, value)), None)
    if isinstance(value, Mapping):
        return next(filter(None, map(_unfindable, (*value, *value.values()))), None)
    try:
        same = (value == value) is True  # noqa: PLR0124  NaN is not
    except Exception:  # noqa: BLE001  of whatever type it is
        same = False
    return None if same else (value,)
