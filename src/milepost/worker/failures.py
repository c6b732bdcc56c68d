"""What an exception means for the item: a failure and why, in data, or that it is to wait.

What was raised last counts first: if it is a `Permanent` or a `Later`, else by the caller's rules.
Where these say nothing, a `Permanent` or `Later` that it was raised *from* does; one that was only
being handled does not. A group has failed for good if one of its members has, is to wait if all of
them are, and has timed out if all of them have; a rule for all exceptions is about its members. A
value that is no JSON, in a note for one, is none at the next attempt either.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from milepost.arguments import number
from milepost.errors import ValueInvalid
from milepost.worker.outcomes import Deferred, Fault, NotGiven
from milepost.worker.rules import ErrorRules, Verdict
from milepost.worker.signals import NOTHING, Later, Permanent
from milepost.worker.telling import (
    behind,
    encodable,
    leaves,
    message_of,
    raised,
    traceback_of,
    type_of,
)

__all__ = ["failure_of", "judged", "kind_of", "was_interrupted"]

_KIND_CHARS: Final = 120
_MEMBERS: Final = 10
_STATUS: Final = range(100, 600)
_TIMEOUT: Final = re.compile(r"(?:Timed?_?[oO]ut|DeadlineExceeded)(?:Error|Exception|Expired)?$")
_CLASS_NAME: Final = type.__dict__["__name__"].__get__  # whatever a metaclass makes of it
_NO_RULES: Final = ErrorRules(by_name={})


class _Judged(NamedTuple):
    """What one exception was found to be."""

    kind: str
    permanent: bool = False
    timeout: bool = False
    later: Later | None = None


def judged(
    error: BaseException,
    rules: ErrorRules = _NO_RULES,
    *,
    attempt: int = 0,
    took_s: float | None = None,
) -> NotGiven | Deferred:
    """What `error`, which the function for items raised, means by `rules`. Raises nothing."""
    try:
        return _told_by(error, rules, attempt, took_s)
    except BaseException as broken:  # noqa: BLE001 whatever the code of a stranger's exception does
        return _untold(error, broken, attempt, took_s)


def _told_by(
    error: BaseException, rules: ErrorRules, attempt: int, took_s: float | None
) -> NotGiven | Deferred:
    message = message_of(error)
    try:
        found = _judge(error, rules)
    except Exception as broken:  # noqa: BLE001 whatever the caller's function raises
        found = _Judged(kind_of(error), timeout=_is_timeout(error))
        message = _bounded(f"{message}; and errors= raised {message_of(broken)}")
    if found.later is not None:
        later = found.later  # of a class of its own, and its fields may have been set since
        return Deferred(
            after_s=number("after_s", later.after_s),
            everyone=bool(later.everyone),
            message=_bounded(encodable(str(later.message))),
            note=later.note,
        )
    return NotGiven(
        fault=Fault.TIMEOUT if found.timeout else Fault.ERROR,
        message=message,
        kind=found.kind,
        permanent=found.permanent,
        details=_details(error, attempt, took_s),
    )


def failure_of(
    error: BaseException,
    *,
    permanent: bool = False,
    attempt: int = 0,
    took_s: float | None = None,
) -> NotGiven:
    """`error` as a failure, by its class alone; `permanent` if another call would give the same.

    Raises nothing.
    """
    try:
        return NotGiven(
            fault=Fault.TIMEOUT if _is_timeout(error) else Fault.ERROR,
            message=message_of(error),
            kind=kind_of(error),
            permanent=permanent,
            details=_details(error, attempt, took_s),
        )
    except BaseException as broken:  # noqa: BLE001 as in `judged`
        return _untold(error, broken, attempt, took_s, permanent=permanent)


def _untold(
    error: BaseException,
    broken: BaseException,
    attempt: int,
    took_s: float | None,
    *,
    permanent: bool = False,
) -> NotGiven:
    """The failure by an exception that does not let itself be told: its class, and what it raised.

    Nothing of either's own is called.
    """
    name, raised_name = (encodable(_CLASS_NAME(type(each))) for each in (error, broken))
    return NotGiven(
        fault=Fault.ERROR,
        message=_bounded(f"{name}: it cannot be told, since its own code raised {raised_name}"),
        kind=name[:_KIND_CHARS],
        permanent=permanent or isinstance(error, Permanent),
        details={
            "type": name,
            "chain": [],
            "members": [],
            "traceback": "",
            "worker": _worker(),
            "attempt": attempt or None,
            "took_s": took_s,
        },
    )


def was_interrupted(outcome: object) -> bool:
    """True for the failure of a call that ended by KeyboardInterrupt."""
    details = outcome.details if isinstance(outcome, NotGiven) else None
    return details is not None and details["type"] == KeyboardInterrupt.__name__


def kind_of(error: BaseException) -> str:
    """What the error is in a word or two: its class, and the status of HTTP where it has one.

    Of a group, what all its members are, if they are one; of a Permanent, what it was raised from.
    """
    kinds = {_kind_of_one(each) for each in leaves(error)}
    return kinds.pop() if len(kinds) == 1 else _kind_of_one(error)


def _kind_of_one(error: BaseException) -> str:
    if isinstance(error, Permanent) and error.__cause__ is not None:
        error = error.__cause__
    name, status = encodable(type(error).__name__), _status(error)
    return (f"{name} {status}" if status else name)[:_KIND_CHARS]


def _judge(error: BaseException, rules: ErrorRules) -> _Judged:
    """What `error` is found to be. Raises what the caller's rules raise."""
    kind = kind_of(error)
    if isinstance(error, Later):
        return _Judged(kind, later=error)
    if isinstance(error, Permanent):
        return _Judged(kind, permanent=True, timeout=_is_timeout(error.__cause__))
    ruling = rules.ruling(error, _status(error))
    if isinstance(ruling, Verdict):
        return _Judged(ruling.kind or kind, ruling.permanent, ruling.timeout or _is_timeout(error))
    if isinstance(ruling, Later):
        return _Judged(kind, later=ruling)
    if isinstance(error, BaseExceptionGroup):
        return _together(kind, [_judge(each, rules) for each in leaves(error) if each is not error])
    signal = next((each for each in _causes(error) if isinstance(each, Permanent | Later)), None)
    return _Judged(
        kind,
        permanent=isinstance(signal, Permanent) or isinstance(error, ValueInvalid),
        timeout=_is_timeout(error),
        later=signal if isinstance(signal, Later) else None,
    )


def _together(kind: str, members: list[_Judged]) -> _Judged:
    """What a group is of whose members that was found."""
    waits = [each.later for each in members if each.later is not None]
    if waits and len(waits) == len(members):
        longest = max(waits, key=lambda later: later.after_s)
        noted = next((later.note for later in waits if later.note is not NOTHING), NOTHING)
        everyone = any(later.everyone for later in waits)
        together = Later(longest.message, after_s=longest.after_s, note=noted, everyone=everyone)
        return _Judged(kind, later=together)
    told = {each.kind for each in members}
    return _Judged(
        told.pop() if len(told) == 1 else kind,
        permanent=any(each.permanent for each in members),
        timeout=bool(members) and all(each.timeout for each in members),
    )


def _causes(error: BaseException) -> list[BaseException]:
    """What `error` was explicitly raised from, nearest first."""
    found: list[BaseException] = []
    for each in behind(error):
        if each.word != "from":
            break
        found.append(each.error)
    return found


def _status(error: BaseException) -> str:
    """The status of HTTP that the exception carries, where libraries have it; empty if none."""
    places: tuple[tuple[str, ...], ...] = (
        ("status_code",),
        ("response", "status_code"),
        ("response", "status"),
        ("response", "ResponseMetadata", "HTTPStatusCode"),
        ("status",),
        ("code",),
    )
    if isinstance(error, SystemExit):  # its code is that of a process
        return ""
    for place in places:
        found = _found(error, place)
        if isinstance(found, int) and not isinstance(found, bool) and int(found) in _STATUS:
            return str(int(found))
    return ""


def _found(thing: Any, place: Sequence[str]) -> object:
    """What stands there in attributes and mappings, None if nothing. Any: it is a stranger's."""
    for name in place:
        try:
            thing = thing.get(name) if isinstance(thing, dict) else getattr(thing, name, None)
        except Exception:  # noqa: BLE001 whatever its properties raise
            return None
    return thing


def _is_timeout(error: BaseException | None) -> bool:
    """True for a TimeoutError, and what libraries call so or say so; nothing is imported for it."""
    if error is None:
        return False
    if isinstance(error, BaseExceptionGroup):
        return all(_is_timeout(each) for each in leaves(error) if each is not error)
    if isinstance(error, TimeoutError):
        return True
    if any(_TIMEOUT.search(kind.__name__) for kind in type(error).__mro__):
        return True
    code = _found(error, ("code",))  # of grpc, a method
    try:
        said = code() if callable(code) else code
        return bool(getattr(said, "name", "") == "DEADLINE_EXCEEDED")
    except Exception:  # noqa: BLE001 as in `_found`
        return False


def _details(error: BaseException, attempt: int, took_s: float | None) -> dict[str, Any]:
    """What is kept of a failure beside its message, as JSON: see docs/reference."""
    members = leaves(error) if isinstance(error, BaseExceptionGroup) else []
    return {
        "type": type_of(error),
        "chain": [raised(each.error) for each in behind(error)],
        "members": [raised(each) for each in members[:_MEMBERS]],
        "traceback": traceback_of(error),
        "worker": _worker(),
        "attempt": attempt or None,
        "took_s": took_s,
    }


def _worker() -> str:
    return f"{os.uname().nodename} {os.getpid()} {threading.current_thread().name}"[:200]


def _bounded(text: str) -> str:
    return text if len(text) <= 2_000 else f"{text[:1_999]}…"
