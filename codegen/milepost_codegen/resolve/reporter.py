"""Looks names and expressions up, and reports what is wrong with them at their place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import (
    KEYWORDS,
    BrokenName,
    ExpressionProblem,
    read_expression,
)
from milepost_codegen.findings import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from milepost_codegen.expressions import Expression, Scope, Type
    from milepost_codegen.findings import Findings, Place
    from milepost_codegen.source import Path, Source

__all__ = ["Doubts", "Reporter"]

_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CODES: Final[Mapping[str, str]] = {
    "machine": "E201",
    "event": "E202",
    "state": "E203",
    "group": "E204",
    "variable": "E205",
    "type": "E206",
    "collection": "E207",
    "payload field": "E208",
    "cause": "E205",
}


@dataclass(slots=True)
class Doubts:
    """What could not be read of one machine, so that checks do not report the consequences.

    `rows_missing` says that a row was left out; `unsound` are the indexes of rows whose guards
    could not be read; `mentions` are the words in all that could not be read. `roles_missing` says
    that a role could not be read.
    """

    rows_missing: bool = False
    roles_missing: bool = False
    unsound: set[int] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporter:
    """The definition file and the findings about it; `doubts` are of the machine at hand."""

    source: Source
    findings: Findings
    doubts: Doubts

    def lookup(self, kind: str, name: str, known: Iterable[str], place: Place) -> str | None:
        """`name` if it is known; else reports it and returns the nearest known name, if any."""
        if name in (names := tuple(known)):
            return name
        near = nearest(name, names)
        hint = f"did you mean '{near}'?" if near else _listed(names)
        self.findings.report(_CODES[kind], place, f"unknown {kind} '{name}'", hint)
        return near or None

    def expression(
        self, text: str, wanted: Type, scope: Scope, *path: str | int
    ) -> Expression | None:
        """The tree of the expression at `path`, or None if it is wrong, which is reported."""
        try:
            return read_expression(text, wanted, scope)
        except ExpressionProblem as problem:
            place = self.source.within(path, problem.column)
            self.findings.report(problem.code, place, problem.message, problem.hint)
        except BrokenName:
            pass
        self._mention(text, scope)
        return None

    def _mention(self, text: str, scope: Scope) -> None:
        """Count what unreadable `text` names, or seems to mean, as used."""
        words = set(_WORD.findall(text))
        known = {*scope.entries, *scope.guards}
        self.doubts.mentions.update(words, (nearest(word, known) for word in words - known))

    def speakable(self, kind: str, name: str, place: Place) -> None:
        """Report a name that expressions cannot use bare."""
        if name in KEYWORDS:
            message = f"bad name '{name}' for a {kind}: it is a word of the expression language"
            self.findings.report("E104", place, message)

    def report(self, code: str, path: Path, message: str, hint: str = "") -> None:
        """Report a finding about the value at `path`."""
        self.findings.report(code, self.source.at(*path), message, hint)

    def report_key(self, code: str, path: Path, message: str, hint: str = "") -> None:
        """Report a finding about the key that `path` ends with."""
        self.findings.report(code, self.source.key_at(*path), message, hint)


def _listed(names: tuple[str, ...]) -> str:
    return f"there are: {', '.join(names)}" if names else "there is none"
