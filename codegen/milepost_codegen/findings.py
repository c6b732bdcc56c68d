"""What the compiler has to say about a definition: findings with codes, places and hints."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from milepost.text.escapes import columns, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["CODES", "DefinitionError", "Finding", "Findings", "Place", "nearest", "render"]

CODES: Final[Mapping[str, str]] = {
    "E001": "unreadable text",
    "E002": "too large or too deep",
    "E003": "broken YAML",
    "E004": "YAML feature that is not read",
    "E005": "duplicate key",
    "E101": "unknown key",
    "E102": "missing key",
    "E103": "wrong kind of value",
    "E104": "bad name",
    "E201": "unknown machine",
    "E202": "unknown event",
    "E203": "unknown state",
    "E204": "unknown group",
    "E205": "unknown name in an expression",
    "E206": "unknown type",
    "E207": "unknown collection",
    "E208": "unknown payload field",
    "E209": "ambiguous name",
    "E210": "names that clash",
    "E211": "names that clash in generated code",
    "E301": "broken expression",
    "E302": "outside of the expression language",
    "E303": "wrong type",
    "E304": "expression too large or too deep",
    "E305": "unreadable here",
    "E306": "assignment to a parameter",
    "E307": "guard defined by itself",
    "E308": "misdeclared variable",
    "E309": "parameters that nothing satisfies",
    "E401": "unreachable state",
    "E402": "no way to a final state",
    "E403": "row out of a final state",
    "E404": "duplicate row",
    "E405": "overlapping rows",
    "E406": "misplaced otherwise",
    "E407": "row that can never fire",
    "E408": "guard that is always true",
    "E409": "history without a default",
    "E410": "duplicate id",
    "E411": "ignored pair with rows",
    "E412": "group without a meaning",
    "E413": "machine that owns itself",
    "E414": "member event that cannot be taken",
    "E415": "state that cannot grow",
    "E501": "unused event",
    "E502": "unused context variable",
    "E503": "unused guard",
    "E504": "unused enum",
    "E505": "unused group",
    "E601": "migration from no older version",
    "E602": "version with two migrations",
    "E603": "earlier name that cannot be",
    "E701": "role that means nothing here",
    "E702": "role of another type",
    "E703": "contradictory roles",
    "E704": "states that the rows contradict",
    "E705": "attempt that nothing can end",
    "E706": "role whose event cannot be taken",
    "E707": "role whose event leads elsewhere",
    "E708": "phases out of order",
    "E709": "outcome that cannot be",
    "E710": "several fields that fit",
    "E711": "payload that nobody gives",
    "E712": "counter that never changes",
    "W401": "gap between guards",
    "W402": "otherwise on its own",
    "E901": "generated file edited by hand",
    "E902": "generated file out of date",
    "E903": "orphaned generated file",
    "E905": "generated code that says something else",
    "W901": "certificate of something else",
}
"""Every code with its one-line title, in order of the stage that reports it."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Place:
    """A position in a definition file; lines and columns count from 1."""

    file: str
    line: int
    column: int

    def shifted(self, columns: int) -> Place:
        """The place `columns` to the right on the same line."""
        return Place(file=self.file, line=self.line, column=self.column + columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth a warning, and how to mend it."""

    code: str
    place: Place
    message: str
    hint: str = ""

    @property
    def severity(self) -> Literal["error", "warning"]:
        """`warning` for W codes, which do not stop a compilation; `error` for the others."""
        return "warning" if self.code.startswith("W") else "error"


@dataclass(slots=True)
class Findings:
    """The findings of one compilation, collected in any order."""

    found: dict[Finding, None] = field(default_factory=dict)

    def report(self, code: str, place: Place, message: str, hint: str = "") -> None:
        """Add a finding, unless the same one is already there."""
        self.found[Finding(code=code, place=place, message=message, hint=hint)] = None

    def sorted(self) -> tuple[Finding, ...]:
        """All findings by place, then code, then message."""
        return tuple(sorted(self.found, key=lambda one: (one.place, one.code, one.message)))

    @property
    def fatal(self) -> bool:
        """True if any finding is an error."""
        return any(finding.severity == "error" for finding in self.found)


class DefinitionError(Exception):
    """A definition that cannot be compiled; `findings` says why, sorted by place."""

    def __init__(self, findings: tuple[Finding, ...], lines: Sequence[str]) -> None:
        self.findings = findings
        self.lines = lines
        super().__init__(findings, lines)

    def __str__(self) -> str:
        return render(self.findings, self.lines)


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, or `""` if none is near."""
    matches = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.6)
    return matches[0] if matches else ""


def render(findings: Iterable[Finding], lines: Sequence[str]) -> str:
    """The findings as a compiler prints them: place, code and message, line, caret, hint.

    `lines` are those of the definition file; every line of the result ends with a newline. All of
    it is safe to show, and the caret is below its place, however wide what stands before is.
    """
    return "".join(_render_one(finding, lines) for finding in findings)


def _render_one(finding: Finding, lines: Sequence[str]) -> str:
    place = finding.place
    at = f"{place.file}:{place.line}:{place.column}"
    text = f"{printable(f'{at}: {finding.code} {finding.message}')}\n"
    if 1 <= place.line <= len(lines):
        line = lines[place.line - 1].replace("\t", " ").rstrip()
        before = columns(printable(line[: place.column - 1]))
        past_the_end = max(0, place.column - 1 - len(line))
        text += f"  {printable(line)}\n  {' ' * (before + past_the_end)}^\n"
    if finding.hint:
        text += f"{printable(f'hint: {finding.hint}')}\n"
    return text
