"""Reports made by hand, from definitions and the steps of runs, to show and replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from milepost_codegen.definition import read_definition
from milepost_codegen.digest import digest_of_meaning
from milepost_codegen.expressions.tree import Truth
from milepost_codegen.findings import Findings
from milepost_codegen.model import Lifecycle, Machine
from milepost_codegen.prove.report import Asked, Kind, Obligation, Report, Result, Verdict
from milepost_codegen.prove.system import (
    Configuration,
    Entry,
    Input,
    Move,
    Run,
    RunStep,
    System,
    Value,
    after,
    enabled,
)
from milepost_codegen.resolve import resolve
from milepost_codegen.source import read_source

TRUE = Truth(value=True)

ORDERS = """\
lifecycle: orders
version: 1
doc: Orders that are tried a few times.
machines:
  order:
    initial: packed
    states: {packed: {}, sent: {}, held: {}, lost: {final: true}}
    context:
      tries: {type: int, initial: 0}
      limit: {type: int, param: true, where: "1 <= limit", default: 3}
    events:
      send: {payload: {by: {type: str}, number: {type: int}}}
      lose: {}
      hold: {}
      give_up: {}
      wait: {}
    transitions:
      - from: packed
        on: send
        to: sent
        when: event.number >= 1
        partial: true
        set: {tries: tries + event.number}
      - {from: sent, on: lose, to: packed}
      - {from: sent, on: hold, to: held, when: tries < 5}
      - {from: sent, on: hold, to: lost, when: tries > 3}
      - {from: packed, on: give_up, to: lost, when: tries > 7, partial: true}
      - {from: packed, on: wait, to: packed}
    invariants:
      few: {holds: tries <= limit}
    progress: {decreases: [2 - tries]}
"""


def compiled(text: str) -> Lifecycle:
    """The lifecycle of a definition, without the findings that a compilation has of it."""
    findings = Findings()
    source = read_source(text.encode(), "orders.yaml", findings)
    assert source is not None
    written = read_definition(source, findings)
    assert written is not None
    return resolve(written, source, findings).lifecycle


def system_of(machine: Machine) -> System:
    """A machine without members as a system, put together here and not by the prover."""
    fields = {event.name: event.fields for event in machine.events}
    return System(
        name=machine.name,
        modes=tuple(state.name for state in machine.states),
        initial=machine.initial,
        entries=tuple(
            Entry(name=one.name, type=one.type, initial=None if one.param else one.initial)
            for one in machine.variables
        ),
        start=TRUE,
        facts=TRUE,
        moves=tuple(
            Move(
                name=row.id,
                event=row.event,
                subject="",
                source=row.source,
                target=row.target,
                inputs=tuple(
                    Input(name=field.name, type=field.type)
                    for field in fields[row.event]
                    if field.type.readable
                ),
                guard=row.guard or TRUE,
                sets=row.assignments,
                transition=row,
            )
            for row in machine.transitions
        ),
        invariants={},
        exact=True,
    )


def run_of(
    system: System, free: Mapping[str, Value], taken: Sequence[tuple[str, Mapping[str, Value]]]
) -> Run:
    """The run that begins with `free` and takes these moves, each of which must be enabled."""
    values = {one.name: free.get(one.name, one.initial) for one in system.entries}
    start = Configuration(mode=system.initial, values=values)  # type: ignore[arg-type]
    at, steps = start, []
    for name, payload in taken:
        move = next(one for one in system.moves if one.name == name)
        assert enabled(move, at, payload), name
        at = after(move, at, payload)
        steps.append(RunStep(move=move, payload=payload, after=at))
    return Run(start=start, steps=tuple(steps))


def result_of(
    lifecycle: Lifecycle,
    kind: Kind,
    subject: str,
    run: Run | None,
    *,
    verdict: Verdict = "refuted",
    asked: Asked | None = None,
    cycle: int | None = None,
    root: str = "",
) -> Result:
    """What a check might have found of the only machine, at the place of what it is about."""
    machine = lifecycle.machines[0]
    places = {one.name: one.place for one in (*machine.invariants, *machine.states)}
    rows = {f"{one.source}.{one.event}": one.place for one in machine.transitions}
    return Result(
        obligation=Obligation(
            key=f"{machine.name}.{kind}.{subject}",
            kind=kind,
            machine=machine.name,
            subject=subject,
            claim=f"{kind} {subject} of {machine.name} is as it should be",
            place=places.get(subject) or rows.get(subject) or machine.place,
        ),
        verdict=verdict,
        method="run",
        run=run,
        asked=asked,
        cycle=cycle,
        system=system_of(machine),
        root=root,
    )


def report_of(lifecycle: Lifecycle, *results: Result) -> Report:
    return Report(lifecycle=lifecycle, digest=digest_of_meaning(lifecycle), results=results)


def orders() -> tuple[Lifecycle, dict[Kind, Result]]:
    """A definition with a fault of each kind that a run of one machine can show."""
    lifecycle = compiled(ORDERS)
    system = system_of(lifecycle.machines[0])
    send = ("packed.send", {"number": 1})
    lose = ("sent.lose", {})
    found = {
        "invariant": result_of(
            lifecycle, "invariant", "few", run_of(system, {"limit": 1}, [send, lose, send])
        ),
        "deterministic": result_of(
            lifecycle,
            "deterministic",
            "sent.hold",
            run_of(system, {"limit": 4}, [("packed.send", {"number": 4})]),
            asked=Asked(event="hold", payload={}),
        ),
        "gap": result_of(
            lifecycle,
            "gap",
            "packed.give_up",
            run_of(system, {"limit": 1}, []),
            asked=Asked(event="give_up", payload={}),
        ),
        "deadlock": result_of(
            lifecycle,
            "deadlock",
            "held",
            run_of(system, {"limit": 1}, [send, ("sent.hold.1", {})]),
        ),
        "bounded": result_of(
            lifecycle,
            "bounded",
            "1",
            run_of(system, {"limit": 3}, [("packed.send", {"number": 3})]),
        ),
        "progress": result_of(
            lifecycle,
            "progress",
            "packed",
            run_of(system, {"limit": 1}, [send, lose, ("packed.wait", {})]),
            cycle=2,
        ),
    }
    return lifecycle, found  # type: ignore[return-value]
