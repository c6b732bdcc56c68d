"""Rows of one state and event: duplicates, overlaps, `otherwise`, constant guards, gaps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from milepost_codegen.checks.logic import never, proposition, witness
from milepost_codegen.expressions import to_text
from milepost_codegen.expressions.tree import Expression, Logic, Not

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_codegen.findings import Findings
    from milepost_codegen.model import Machine, Transition
    from milepost_codegen.resolve import Doubts

__all__ = ["check_determinism"]


def check_determinism(machine: Machine, doubts: Doubts, findings: Findings) -> None:
    """Report what is certain about the rows of each pair; the rest is for a proof."""
    reporter = _Pairs(findings)
    for rows in machine.pairs.values():
        decided = [one for one in rows if not one.ignored]
        reporter.ignored(rows, decided)
        if any(one.row in doubts.unsound for one in decided):
            continue
        reporter.otherwise(decided)
        for one in decided:
            reporter.constant(one)
        for first, second in itertools.combinations(decided, 2):
            reporter.overlap(first, second)
        reporter.gap(decided)


class _Pairs:
    """Reports on rows as written, once each, however many states they were expanded to."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.seen: set[tuple[str, int | None, int | None]] = set()

    def once(self, code: str, first: int | None, second: int | None = None) -> bool:
        """True the first time that `code` is asked about for these rows."""
        key = code, first, second
        if key in self.seen:
            return False
        self.seen.add(key)
        return True

    def ignored(self, rows: Sequence[Transition], decided: Sequence[Transition]) -> None:
        ignored = [one for one in rows if one.ignored]
        if not ignored:
            return
        pair = f"'{ignored[0].event}' in '{ignored[0].source}'"
        if decided:
            self.findings.report(
                "E411",
                ignored[0].place,
                f"{pair} is ignored but has a row",
                f"the row is in line {decided[0].place.line}",
            )
        for again in ignored[1:]:
            self.findings.report("E404", again.place, f"{pair} is ignored twice")

    def otherwise(self, rows: Sequence[Transition]) -> None:
        others = [one for one in rows if not one.otherwise]
        numbers = list(dict.fromkeys(one.row for one in rows if one.otherwise))
        by_row = {one.row: one for one in rows}
        for row in numbers[1:]:
            if self.once("E406", row, numbers[0]):
                one = by_row[row]
                self.findings.report(
                    "E406",
                    one.guard_place,
                    f"a second 'otherwise' for '{one.event}' in '{one.source}'",
                    f"the first is in line {by_row[numbers[0]].place.line}",
                )
        if not numbers or any(one.written is not None for one in others):
            return
        one = by_row[numbers[0]]
        pair = f"'{one.event}' in '{one.source}'"
        if others and self.once("E406", one.row):
            self.findings.report(
                "E406",
                one.guard_place,
                f"'otherwise' beside a row for {pair} that has no guard",
                f"give the row in line {others[0].place.line} a guard, or drop this one",
            )
        if not others and self.once("W402", one.row):
            self.findings.report(
                "W402",
                one.guard_place,
                f"'otherwise' says nothing: there is no other row for {pair}",
                "drop it, or say when the row may be taken",
            )

    def constant(self, one: Transition) -> None:
        if one.written is None:
            return
        text = "otherwise" if one.otherwise else to_text(one.written)
        if never(proposition(one.written).tree):
            if self.once("E407", one.row):
                self.findings.report(
                    "E407", one.guard_place, f"the row can never fire: '{text}' never holds"
                )
            return
        always = not one.otherwise and never(proposition(Not(operand=one.written)).tree)
        if always and self.once("E408", one.row):
            self.findings.report(
                "E408", one.guard_place, f"the guard '{text}' always holds", "drop it"
            )

    def overlap(self, first: Transition, second: Transition) -> None:
        if first.row == second.row or first.otherwise or second.otherwise:
            return
        why = _overlap(first, second)
        if why is None:
            return
        pair = f"'{second.event}' in '{second.source}'"
        hint = f"the other row is in line {first.place.line}"
        if _same(first, second):
            if self.once("E404", first.row, second.row):
                self.findings.report("E404", second.place, f"a second row for {pair}", hint)
        elif self.once("E405", first.row, second.row):
            self.findings.report(
                "E405",
                second.place,
                f"rows for {pair} overlap: {why}",
                f"{hint}; exactly one may be enabled",
            )

    def gap(self, rows: Sequence[Transition]) -> None:
        if not rows or any(one.otherwise or one.partial or one.guard is None for one in rows):
            return
        guards = tuple(one.guard for one in rows if one.guard is not None)
        some = guards[0] if len(guards) == 1 else Logic(operator="or", operands=guards)
        rest = proposition(Not(operand=some))
        if never(rest.tree):
            return
        last = rows[-1]
        if self.once("W401", last.row):
            case = witness(rest.tree)
            when = f", as when {case}" if case and rest.exact else ""
            self.findings.report(
                "W401",
                last.guard_place,
                f"the guards for '{last.event}' in '{last.source}' may leave a case open{when}",
                "add a row with 'when: otherwise', or say 'partial: true'",
            )


def _same(first: Transition, second: Transition) -> bool:
    """True if both rows say the same."""
    return (first.target, first.history, first.guard, first.assignments, first.members) == (
        second.target,
        second.history,
        second.guard,
        second.assignments,
        second.members,
    )


def _overlap(first: Transition, second: Transition) -> str | None:
    """Why both rows can be enabled at once, or None if that is not certain."""
    if first.guard is None or second.guard is None:
        return "both have no guard" if first.guard == second.guard else "one has no guard"
    if first.guard == second.guard:
        return "their guards are the same"
    both: Expression = Logic(operator="and", operands=(first.guard, second.guard))
    joint = proposition(both)
    case = witness(joint.tree) if joint.exact else None
    return f"both hold when {case}" if case else None
