"""Runs and faults in words: what every form of a report says alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from milepost_codegen.expressions import evaluate, to_text
from milepost_codegen.model import machine_named, reads_in
from milepost_codegen.prove.counting import ABSENT, measures_at, rows_of, seen

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from milepost_codegen.expressions import Expression
    from milepost_codegen.model import Machine, Transition
    from milepost_codegen.prove.report import Kind, Lemma, Report, Result, Verdict
    from milepost_codegen.prove.system import Configuration, Run, RunStep, Value, Values

__all__ = [
    "ADVICE",
    "TITLES",
    "called",
    "changes",
    "counted",
    "event_of",
    "fault",
    "free_entries",
    "lemma_lines",
    "shown_start",
    "tally",
    "value",
    "values",
]

TITLES: Final[Mapping[Kind, str]] = {
    "parameters": "parameters that nothing satisfies",
    "invariant": "invariant that a run breaks",
    "deterministic": "rows that overlap",
    "row": "row that no run takes",
    "guard": "guard that is always true",
    "gap": "gap between guards",
    "deadlock": "state in which nothing can happen",
    "members": "member that refuses its owner's step",
    "bounded": "measure that falls below zero",
    "progress": "cycle without progress",
}
"""What a refuted obligation of each kind is called."""

ADVICE: Final[Mapping[Kind, str]] = {
    "parameters": "loosen one of the conditions, so that something can be created",
    "invariant": "guard the last row of the run or mend what it assigns, or weaken the invariant; "
    "until then such a step is refused when a job takes it",
    "deterministic": "give the rows guards that exclude each other, or one `when: otherwise`",
    "row": "mend the guard, or remove the row",
    "guard": "drop the guard, or mend it if it was meant to say no",
    "gap": "add a row for the case that is left open, or say `partial: true` if it is meant",
    "deadlock": "add a row that leads on, or mark the state with `final: true`",
    "members": "give the member a row for the case, or guard the owner's row",
    "bounded": "add what keeps it from below zero as a guard, or measure something else",
    "progress": "let a row of the cycle bring a measure down, or list its event under `except`",
}
"""What to do about a refuted obligation of each kind."""

_VERDICTS: Final[tuple[Verdict, ...]] = ("proved", "refuted", "undetermined")


def counted(number: int, thing: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def tally(results: Iterable[Result]) -> str:
    """How many obligations there are of each verdict."""
    found = [one.verdict for one in results]
    listed = [f"{found.count(one)} {one}" for one in _VERDICTS if one in found]
    return ", ".join([counted(len(found), "obligation"), *listed])


def value(given: Value) -> str:
    """A value as the definition writes it."""
    if isinstance(given, bool):
        return "true" if given else "false"
    return str(given)


def values(given: Values, names: Iterable[str] | None = None) -> str:
    """`a=1, b=true`: the entries of `names` that are there, else all."""
    chosen = given if names is None else [name for name in names if name in given]
    return ", ".join(f"{name}={value(given[name])}" for name in chosen)


def event_of(step: RunStep) -> str:
    """The event of a step with its payload, and whose it was, if not the machine's own."""
    move = step.move
    if move.subject and move.transition is None:
        return f"{move.subject}: {value(step.payload.get(move.event, 1))} added"
    said = called(move.event, step.payload)
    return f"{move.subject}: {said}" if move.subject else said


def called(event: str, payload: Values) -> str:
    """An event with its payload as a call, without one by its name."""
    return f"{event}({values(payload)})" if payload else event


def changes(before: Configuration, after: Configuration) -> str:
    """`a 1 -> 2, b false -> true`: the entries that changed, in their order."""
    return ", ".join(
        f"{name} {value(before.values[name])} -> {value(now)}"
        for name, now in after.values.items()
        if before.values[name] != now
    )


def free_entries(result: Result) -> frozenset[str]:
    """The entries that the start of a result's run leaves open, such as parameters."""
    entries = result.system.entries if result.system else ()
    return frozenset(entry.name for entry in entries if entry.initial is None)


def shown_start(run: Run, free: Collection[str]) -> str:
    """The entries at the start that were `free`, or that the run changes."""
    start = run.start.values
    moved = {
        name for step in run.steps for name, now in step.after.values.items() if start[name] != now
    }
    shown = [name for name in start if name in free or name in moved]
    return values(start, [name for name in shown if start[name] != ABSENT])


def fault(report: Report, result: Result) -> str:
    """What the end of the run shows, in a sentence; `""` where there is no run."""
    if result.run is None or result.verdict != "refuted":
        return ""
    machine = machine_named(report.lifecycle, result.obligation.machine)
    end = result.run.end
    there = seen(machine, end)
    match result.obligation.kind:
        case "invariant":
            holds = next(o for o in machine.invariants if o.name == result.obligation.subject).holds
            return f"{result.obligation.subject} does not hold then: {_unmet(holds, there)}"
        case "deterministic" if result.asked:
            rows = rows_of(machine, end.mode, result.asked.event)
            both = [row for row in rows if _holds(row.guard, there, result.asked.payload)]
            told = " and ".join(_needs(row) for row in both)
            return f"{called(result.asked.event, result.asked.payload)} is then taken by {told}"
        case "gap" if result.asked:
            rows = rows_of(machine, end.mode, result.asked.event)
            told = "; ".join(_needs(row) for row in rows)
            return f"{called(result.asked.event, result.asked.payload)} is then refused: {told}"
        case "deadlock":
            return f"nothing can happen in {end.mode} then{_closed(machine, end.mode, there)}"
        case "members" if result.asked:
            asked = called(result.asked.event, result.asked.payload)
            return f"{asked} is then refused, because a member does not take what it is sent"
        case "bounded":
            number = int(result.obligation.subject) - 1
            assert machine.progress is not None
            measure = machine.progress.decreases[number]
            now = measures_at(machine, end)[number]
            return f"the measure is then {now}: {_unmet(measure, there)}"
        case "progress" if result.cycle is not None:
            first = ([result.run.start] + [step.after for step in result.run.steps])[result.cycle]
            before, after = measures_at(machine, first), measures_at(machine, end)
            return (
                f"the cycle from {first.mode} in steps {result.cycle + 1} to "
                f"{len(result.run.steps)} leads from {_tuple(before)} to {_tuple(after)}"
            )
        case _:
            return ""


def lemma_lines(lemmas: Iterable[Lemma]) -> tuple[str, ...]:
    """Lemmas as lines to put under `invariants`, machine by machine; equal ones share a line."""
    states: dict[tuple[str, str], list[str]] = {}
    for one in lemmas:
        known = states.setdefault((one.machine, one.text), [])
        if one.state not in known:
            known.append(one.state)
    return tuple(
        f"lemma_{number}: {{in: [{', '.join(where)}], holds: {_scalar(text)}}}"
        for number, ((_, text), where) in enumerate(states.items(), start=1)
    )


def _scalar(text: str) -> str:
    """An expression as a value in a flow mapping."""
    plain = (text[:1].isalnum() or text[:1] == "(") and not set(text) & set("[]{},:#")
    return text if plain else f'"{text}"'


def _holds(guard: Expression | None, at: Values, payload: Values) -> bool:
    return guard is None or bool(evaluate(guard, at, payload))


def _needs(row: Transition) -> str:
    return f"{row.id} ({to_text(row.guard)})" if row.guard is not None else row.id


def _unmet(holds: Expression, at: Values) -> str:
    read = values(at, reads_in(holds))
    return f"{to_text(holds)}, with {read}" if read else to_text(holds)


def _closed(machine: Machine, state: str, there: Values) -> str:
    """The rows of the state, all of which say no there, with what they read."""
    rows = [row for row in machine.transitions if row.source == state and not row.ignored]
    if not rows:
        return ": it has no rows"
    read = values(there, dict.fromkeys(name for row in rows for name in reads_in(row.guard)))
    told = "; ".join(_needs(row) for row in rows)
    return f": {told}, with {read}" if read else f": {told}"


def _tuple(measures: tuple[int, ...]) -> str:
    return f"({', '.join(map(str, measures))})"
