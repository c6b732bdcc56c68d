"""Rows of one state and event: duplicates, overlaps, `otherwise`, constant guards, gaps.

That a row never fires or a guard always holds follows from the guard and from what holds in its
state. That rows overlap or leave a case open is reported only where a run that comes to it was
found; what is neither found nor excluded is for a proof.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from milepost_codegen.checks.assumptions import Assumptions
from milepost_codegen.checks.questions import Questions
from milepost_codegen.checks.runs import Target, search
from milepost_codegen.expressions import BOOL, INT, to_text
from milepost_codegen.expressions.substitute import FALSE, TRUE, both, either
from milepost_codegen.expressions.tree import negation, reads
from milepost_codegen.logic import Undecided
from milepost_codegen.logic.smaller import holds
from milepost_codegen.model import reads_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from milepost_codegen.checks.assumptions import Assumption
    from milepost_codegen.expressions import Expression, Type
    from milepost_codegen.findings import Findings
    from milepost_codegen.model import Lifecycle, Machine, Transition
    from milepost_codegen.resolve import Doubts

__all__ = ["check_determinism"]

_Said: TypeAlias = tuple[object, ...]


def check_determinism(
    lifecycle: Lifecycle, machine: Machine, doubts: Doubts, findings: Findings
) -> int:
    """Report what is certain about the rows of each pair; the number of steps that it took."""
    pairs = _Pairs(lifecycle, machine, doubts, findings)
    sound: list[list[Transition]] = []
    for rows in machine.pairs.values():
        decided = [one for one in rows if not one.ignored]
        pairs.ignored(rows, decided)
        if decided and not any(one.row in doubts.unsound for one in decided):
            pairs.otherwise(decided)
            sound.append(decided)
    pairs.constant([one for decided in sound for one in decided])
    for decided in sound:
        pairs.overlaps(decided)
        pairs.gap(decided)
    pairs.reached()
    return pairs.questions.spent


@dataclass(slots=True)
class _Suspect:
    """Something that is a fault if a run meets the target.

    `structural` ones are faults by how they are written, unless no run comes there.
    """

    code: str
    target: Target
    rows: Sequence[Transition]
    structural: bool = False


class _Pairs:
    """Reports on rows as written, once each, however many states they were expanded to."""

    def __init__(
        self, lifecycle: Lifecycle, machine: Machine, doubts: Doubts, findings: Findings
    ) -> None:
        self.lifecycle = lifecycle
        self.machine = machine
        self.doubts = doubts
        self.findings = findings
        self.questions = Questions()
        self.assumptions = Assumptions(machine)
        self.seen: set[tuple[str, int | None, int | None]] = set()
        self.suspects: list[_Suspect] = []

    def once(self, code: str, first: int | None, second: int | None = None) -> bool:
        """True the first time that `code` is asked about for these rows."""
        key = code, first, second
        if key in self.seen:
            return False
        self.seen.add(key)
        return True

    # ---- what the rows say by how they are written

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

    # ---- what follows from the guards and from what holds in their states

    def never(self, tree: Expression, state: str) -> tuple[str, ...] | None:
        """The reasons beside `tree` itself for which it never holds in `state`; None if it may."""
        if self.questions.never([tree]):
            return ()
        told = self.assumptions.about(tree, state)
        if not told or not self.questions.never([tree, *(one.holds for one in told)]):
            return None
        if self.questions.never(one.holds for one in told):
            return None  # then nothing holds there, and the fault is elsewhere
        return tuple(dict.fromkeys(one.because for one in self.fewest(tree, told)))

    def fewest(self, tree: Expression, told: Sequence[Assumption]) -> Sequence[Assumption]:
        """Assumptions of which none can be left out."""
        needed = list(told)
        for one in told:
            rest = [other for other in needed if other is not one]
            if self.questions.never([tree, *(other.holds for other in rest)]):
                needed = rest
        return needed

    def constant(self, transitions: Sequence[Transition]) -> None:
        """Report rows that fire in none of their states, and guards that hold in all of them."""
        by_row: dict[int | None, list[Transition]] = {}
        for one in transitions:
            if one.written is not None:
                by_row.setdefault(one.row, []).append(one)
        whole = Counter(one.row for one in self.machine.transitions)
        for row, parts in by_row.items():
            if whole[row] != len(parts):  # some of its pairs could not be read
                continue
            one = parts[0]
            dead = self.in_all(parts, negate=False)
            if dead is not None:
                text = "otherwise" if one.otherwise else to_text(_written(one))
                hint = "the other guards leave it no case" if one.otherwise else ""
                self.say("E407", one, f"the row can never fire: '{text}' never holds", hint, dead)
            elif not one.otherwise:
                always = self.in_all(parts, negate=True)
                if always is not None:
                    text = to_text(_written(one))
                    self.say("E408", one, f"the guard '{text}' always holds", "drop it", always)

    def in_all(self, parts: Sequence[Transition], *, negate: bool) -> tuple[str, ...] | None:
        """The reasons for which no guard of the parts ever holds, or fails; None if one may."""
        reasons: dict[str, None] = {}
        known: dict[tuple[Expression, str], tuple[str, ...] | None] = {}
        for one in parts:
            tree = negation(_written(one)) if negate else _written(one)
            key = tree, one.source
            if key not in known:
                known[key] = self.never(tree, one.source)
            found = known[key]
            if found is None:
                return None
            reasons.update(dict.fromkeys(found))
        return tuple(reasons)

    def say(
        self, code: str, one: Transition, message: str, hint: str, reasons: Sequence[str]
    ) -> None:
        because = f"because of {' and '.join(reasons)}" if reasons else ""
        self.findings.report(
            code, one.guard_place, message, "; ".join(part for part in (hint, because) if part)
        )

    # ---- what is a fault if a run comes to it

    def overlaps(self, rows: Sequence[Transition]) -> None:
        """Suspect each row that may be enabled together with one before it."""
        by_row: dict[int | None, Transition] = {}
        for one in rows:
            if not one.otherwise:
                by_row.setdefault(one.row, one)
        written = list(by_row.values())
        if len(written) < 2:
            return
        state = written[0].source
        guards = [_written(one) for one in written]
        if self.apart(guards, state):
            return
        said: dict[int | None, set[_Said]] = {}
        for one in rows:
            said.setdefault(one.row, set()).add(_said(one))
        for index in range(1, len(written)):
            self.overlap(written[: index + 1], guards[: index + 1], said)

    def apart(self, guards: Sequence[Expression], state: str) -> bool:
        """True if certainly no two of the guards hold together in the state: one question."""
        tree = _two(guards)[1]
        told = self.assumptions.about(tree, state)
        return self.questions.never([tree, *(one.holds for one in told)])

    def overlap(
        self,
        written: Sequence[Transition],
        guards: Sequence[Expression],
        said: Mapping[int | None, set[_Said]],
    ) -> None:
        """Suspect the last row, if it may be enabled together with one before it."""
        *before, last = written
        same = next((one for one in before if said[one.row] & said[last.row]), None)
        if same is not None:
            if self.once("E404", same.row, last.row):
                pair = f"'{last.event}' in '{last.source}'"
                hint = f"the other row is in line {same.place.line}"
                self.findings.report("E404", last.place, f"a second row for {pair}", hint)
            return
        twin = next((one for one in before if one.written == last.written), None)
        some = either(guards[:-1]) if twin is None else _written(twin)
        joint = both((some, guards[-1]))
        told = self.assumptions.about(joint, last.source)
        try:
            if self.questions.model((joint, *(one.holds for one in told))) is None:
                return
        except Undecided:
            return
        target = Target(state=last.source, event=last.event, tree=joint)
        tried = [twin, last] if twin is not None else list(written)
        self.suspects.append(_Suspect("E405", target, tried, structural=twin is not None))

    def gap(self, rows: Sequence[Transition]) -> None:
        """Suspect the guards of a pair, if they may leave a case open."""
        if not rows or any(one.otherwise or one.partial or one.guard is None for one in rows):
            return
        rest = negation(either(one.guard for one in rows if one.guard is not None))
        if self.never(rest, rows[0].source) is None:
            target = Target(state=rows[0].source, event=rows[0].event, tree=rest)
            self.suspects.append(_Suspect("W401", target, rows))

    def reached(self) -> None:
        """Report the suspects that some run meets."""
        if not self.suspects:
            return
        targets = [one.target for one in self.suspects]
        found = search(self.lifecycle, self.machine, self.doubts, targets, self.questions)
        for suspect in self.suspects:
            values = found.values.get(suspect.target)
            if suspect.code == "W401":
                if values is not None:
                    self.report_gap(suspect, values)
            elif values is not None or (suspect.structural and not found.exhausted):
                self.report_overlap(suspect, values)

    def report_overlap(
        self, suspect: _Suspect, values: Mapping[str, int | bool | str] | None
    ) -> None:
        *before, last = suspect.rows
        first = next(one for one in before if values is None or _met(_written(one), values))
        if not self.once("E405", first.row, last.row):
            return
        if first.written is None or last.written is None:
            why = "both have no guard" if first.written == last.written else "one has no guard"
        elif first.written == last.written:
            why = "their guards are the same"
        else:
            case = _case(both((first.written, last.written)), values or {})
            why = f"both hold when {case}" if case else "both hold"
        self.findings.report(
            "E405",
            last.place,
            f"rows for '{last.event}' in '{last.source}' overlap: {why}",
            f"the other row is in line {first.place.line}; exactly one may be enabled",
        )

    def report_gap(self, suspect: _Suspect, values: Mapping[str, int | bool | str]) -> None:
        last = suspect.rows[-1]
        if not self.once("W401", last.row):
            return
        case = _case(suspect.target.tree, values)
        when = f", as when {case}" if case else ""
        self.findings.report(
            "W401",
            last.guard_place,
            f"the guards for '{last.event}' in '{last.source}' leave a case open{when}",
            "add a row with 'when: otherwise', or say 'partial: true'",
        )


def _written(one: Transition) -> Expression:
    return TRUE if one.written is None else one.written


def _two(guards: Sequence[Expression]) -> tuple[Expression, Expression]:
    """That one of the guards holds, and that two of them do; hardly larger than the guards."""
    if len(guards) == 1:
        return guards[0], FALSE
    half = len(guards) // 2
    left, left_two = _two(guards[:half])
    right, right_two = _two(guards[half:])
    return either((left, right)), either((left_two, right_two, both((left, right))))


def _said(one: Transition) -> _Said:
    """What a row says of the pair: rows of which this is equal say the same."""
    return one.target, one.history, one.guard, one.assignments, one.members


def _met(guard: Expression, values: Mapping[str, int | bool | str]) -> bool:
    """True if a guard holds there; what has no value may have any, so it has a small one."""
    every = {one.key: _smallest(one.type) for one in reads(guard)}
    return holds(guard, {**every, **values})


def _smallest(kind: Type) -> int | bool | str:
    if kind == BOOL:
        return False
    return 0 if kind == INT else kind.members[0]


def _case(tree: Expression, values: Mapping[str, int | bool | str]) -> str:
    """The values of what `tree` reads, as `name = value` with commas."""
    shown = (f"{name} = {_shown(values[name])}" for name in reads_in(tree) if name in values)
    return ", ".join(shown)


def _shown(value: bool | int | str) -> str:  # noqa: FBT001  # a value of the language
    return str(value).lower() if isinstance(value, bool) else str(value)
