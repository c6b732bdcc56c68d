"""The built-in lifecycle under other names, for code that speaks of it by its own.

Each name is spelt with other letters, as many as before and in a way that leads back when it is
done twice, so that what is said of such a job can be compared with what is said of the original.
"""

from __future__ import annotations

import re
from codecs import encode
from collections.abc import Iterable
from functools import cache
from typing import Any, Self

from milepost import ItemEvent, JobEvent, JobState, StateManager
from milepost.machine import Lifecycle, Machine

from .compiling import BUILT_IN, BUILT_IN_1, lifecycle_of, module_of
from .names import Name, names_of, renamed

__all__ = ["RENAMED", "RENAMED_1", "Spelt", "back", "renamed_lifecycle", "respelt", "spell"]


def spell(word: str) -> str:
    """`word` with each letter thirteen places further; twice gives it back."""
    return encode(word, "rot13")


def _named(name: Name) -> str:
    return spell(name.name)


RENAMED = renamed(BUILT_IN, _named, earlier=_named)
RENAMED_1 = renamed(BUILT_IN_1, _named, earlier=_named)


@cache
def renamed_lifecycle() -> Lifecycle:
    """The tables of the renamed definition, which know the renamed version 1."""
    return lifecycle_of(RENAMED, RENAMED_1)


@cache
def _words() -> re.Pattern[str]:
    spelt = sorted({spell(name.name) for name in names_of(BUILT_IN)}, key=len, reverse=True)
    return re.compile(rf"(?<![A-Za-z0-9])(?:{'|'.join(spelt)})(?![A-Za-z0-9_])")


def back(text: str) -> str:
    """`text` with every name as the original spells it."""
    return _words().sub(lambda match: spell(match[0]), text)


class Spelt:
    """A manager of the renamed lifecycle that is spoken to in the words of the original."""

    def __init__(self, manager: StateManager) -> None:
        self._manager = manager

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def __enter__(self) -> Self:
        self._manager.__enter__()
        return self

    def __exit__(self, *raised: object) -> None:
        self._manager.__exit__(*raised)  # type: ignore[arg-type]

    def create_job(self, items: Any = None, **given: Any) -> JobState:
        """As the manager's, with `config` by the original names."""
        if given.get("config"):
            given["config"] = {spell(name): value for name, value in given["config"].items()}
        return self._manager.create_job(items, **given)

    def fire(self, job_id: str, event: str, payload: Any = None, **given: Any) -> JobState:
        """As the manager's, with the event and its payload by the original names."""
        request = _of(self._root(), event, payload)
        return self._manager.fire(job_id, *request, **given)

    def record(self, job_id: str, requests: Iterable[Any], **given: Any) -> JobState:
        """As the manager's, with events and payloads by the original names."""
        return self._manager.record(job_id, [self.spelt(one) for one in requests], **given)

    def spelt(self, request: Any) -> Any:
        """One JobEvent or ItemEvent by the original names, as the renamed lifecycle has it."""
        if isinstance(request, JobEvent):
            return JobEvent(*_of(self._root(), request.event, request.payload))
        (collection,) = self._lifecycle().collections.values()
        member = self._lifecycle().machines[collection.machine]
        return ItemEvent(request.item, *_of(member, request.event, request.payload))

    def _lifecycle(self) -> Lifecycle:
        return self._manager.lifecycles[0]

    def _root(self) -> Machine:
        return self._lifecycle().machines[self._lifecycle().root]


def _of(machine: Machine, event: str, payload: Any) -> tuple[str, Any]:
    """An event and its payload in the machine's own names; members of enums are names too."""
    if payload is None:
        return spell(event), None
    enums = {one.name for one in machine.event_specs[spell(event)].fields if one.members}
    return spell(event), {
        spell(name): spell(value) if spell(name) in enums else value
        for name, value in payload.items()
    }


_OPTIONS = ("--phase", "--state", "--machine", "--cause", "--of")


def respelt(arguments: list[str]) -> list[str]:
    """Arguments of the command line that name states, machines and causes, by the new names."""
    found = []
    for place, one in enumerate(arguments):
        named = place > 0 and arguments[place - 1] in _OPTIONS
        found.append(",".join(spell(word) for word in one.split(",")) if named else one)
    return found


def environment() -> dict[str, str]:
    """What lets the command line find the renamed lifecycle."""
    return {"MILEPOST_LIFECYCLES": str(module_of(RENAMED, RENAMED_1))}
