"""Where a generated module and its definition differ, in words: what each says, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from milepost.testing.definition import Event, Job
from milepost.text.escapes import printable
from milepost.text.wording import bounded

__all__ = ["asked_told", "differing", "place_told"]

_MOST_CHARS: Final = 500
_MEMBERS_SHOWN: Final = 5


def asked_told(asked: Sequence[Event]) -> str:
    """What is asked for: whose event, and its payload."""
    return ", ".join(
        f"{'the job' if one.key is None else one.key} {one.event}"
        + (f" {dict(one.payload)}" if one.payload else "")
        for one in asked
    )


def place_told(job: Job) -> str:
    """Where a job of the definition and its members are, with the values of their contexts."""
    told = [f"the job is in {_at(job.state, job.context)}"]
    members = list(job.members.items())
    told += [f"{key} in {_at(one.state, one.context)}" for key, one in members[:_MEMBERS_SHOWN]]
    if len(members) > _MEMBERS_SHOWN:
        told.append(f"and {len(members) - _MEMBERS_SHOWN} members more")
    return _line(", ".join(told))


def differing(what: str, module: str, definition: str, job: Job) -> str:
    """The message: what it is of, what the generated module says and the definition, and where."""
    return "\n".join(
        [
            _line(what),
            f"  by the generated module: {_line(module)}",
            f"  by the definition:       {_line(definition)}",
            f"  where, by the definition, {place_told(job)}",
        ]
    )


def _at(state: str, context: Mapping[str, Any]) -> str:
    values = ", ".join(f"{name}={value!r}" for name, value in context.items())
    return f"{state!r} with {values}" if values else repr(state)


def _line(text: str) -> str:
    return printable(bounded(text, _MOST_CHARS))
