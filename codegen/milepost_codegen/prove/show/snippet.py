"""A run as a Python program: it takes the run on the generated module, and shows its fault."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milepost.text.escapes import printable
from milepost_codegen.expressions import to_python
from milepost_codegen.expressions.tree import Truth
from milepost_codegen.layout import Bracketed, Code, Prefixed, lay_out, literal
from milepost_codegen.model import machine_named
from milepost_codegen.prove.counting import ABSENT, rows_of
from milepost_codegen.prove.show.words import event_of, fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from milepost_codegen.model import Lifecycle, Machine
    from milepost_codegen.prove.report import Asked, Report, Result
    from milepost_codegen.prove.system import Configuration, Run, Value, Values

__all__ = ["snippet"]

_MEMBER: Final = re.compile(r"(?P<name>(?P<collection>\w+)\[\d+\])\.state")
_OPAQUE: Final[Mapping[str, Code]] = {"str": '""', "bytes": 'b""', "timestamp": "0"}

_TAKE: Final = '''\
def created(kind, parameters):
    """The context of a new machine, whatever its invariants say."""
    return dict(getattr(kind, "fresh", kind.context)(**parameters))


def take(kind, state, event, context, payload):
    """The row that the code picks, and the context after it, whatever invariants say."""
    row = kind.select(state, event, context, payload)
    return row, dict(row.assign(context, payload) if row.assign else context)


def refusal(kind, state, event, context, payload):
    """Why the code refuses the event, or None."""
    try:
        kind.select(state, event, context, payload)
    except TransitionRefused as refused:
        return refused
    return None
'''

_ALONE: Final = """\
state, context = machine.initial, created(machine, PARAMETERS)
configurations = [context]
print("created:", state, context)
for text, event, payload, row_id, target in STEPS:
    row, context = take(machine, state, event, context, payload)
    state = row.target
    configurations.append(context)
    print(text, "->", state, context)
    assert (row.id, state) == (row_id, target)
"""

_OWNER: Final = '''\
def join(new):
    """Members come, each with the parameters of its kind."""
    for name, (kind, parameters) in new.items():
        kind = LIFECYCLE.machines[kind]
        members[name] = kind, kind.initial, created(kind, parameters)


def count(counts):
    """The numbers of members: of those one by one as they are, of others as the run says."""
    context.update(counts)
    for name in ONE_BY_ONE:
        kind = LIFECYCLE.machines[machine.collections[name].machine]
        own = [at for one, (_, at, _) in members.items() if one.startswith(f"{name}[")]
        context.update({f"{name}.{at}": own.count(at) for at in kind.states})
        context[f"{name}.total"] = len(own)


def sent_to(row):
    """The members that take an event with their owner, and the event."""
    return [
        (one, sent.event)
        for sent in row.members
        for one, (_, at, _) in members.items()
        if one.startswith(f"{sent.collection}[") and at == sent.state
    ]


state, context, members = machine.initial, created(machine, PARAMETERS), {}
join(MEMBERS)
count(COUNTS)
configurations = [dict(context)]
print("created:", state, context)
for text, who, event, payload, row_id, target, new, counts in STEPS:
    if not who:
        row, context = take(machine, state, event, context, payload)
        state = row.target
        assert row.id == row_id
        for name, given in sent_to(row):
            kind, at, own = members[name]
            row, own = take(kind, at, given, own, kind.payload(given))
            members[name] = kind, row.target, own
    elif who in members:
        kind, at, own = members[who]
        assert event in machine.collections[who.partition("[")[0]].accepts[state]
        row, own = take(kind, at, event, own, payload)
        members[who] = kind, row.target, own
        assert row.id == row_id
    join(new)
    count(counts)
    configurations.append(dict(context))
    print(text, "->", state, context)
    assert state == target
'''


def snippet(report: Report, result: Result) -> str:
    """The program of a result with a run; it needs the generated module and `milepost`.

    It prints each step, and its last assertion holds as long as the fault is there.
    """
    run = result.run
    assert run is not None
    machine = machine_named(report.lifecycle, result.obligation.machine)
    parts = [*_beginning(report, result), ""]
    owner = bool(machine.collections)
    parts += _data_of_owner(report.lifecycle, machine, run) if owner else _data(machine, run)
    parts += ["", "", _TAKE, "", _OWNER if owner else _ALONE, *_end(machine, result, run)]
    return "\n".join(parts) + "\n"


def _beginning(report: Report, result: Result) -> Iterator[str]:
    about, name = result.obligation, report.lifecycle.name
    title = f"{about.key} of {name}, version {report.lifecycle.version}: {result.verdict}"
    for line in (title, about.claim, fault(report, result)):
        if line:
            yield f"# {_plain(line)}"
    yield f"# Run it where the generated module {name}.py can be imported."
    yield ""
    yield f"from {name} import LIFECYCLE"
    yield ""
    yield "from milepost.machine import TransitionRefused"
    yield ""
    yield f"machine = LIFECYCLE.machines[{literal(about.machine)}]"


def _data(machine: Machine, run: Run) -> Iterator[str]:
    """The run of a machine without members, as constants."""
    yield _constant("PARAMETERS", _mapping(_parameters(machine, run.start.values, "")))
    rows = [
        _tuple(
            literal(f"{number}. {_plain(event_of(step))}"),
            literal(step.move.event),
            _payload(machine, step.move.event, step.payload),
            literal(step.move.transition.id if step.move.transition else ""),
            literal(step.after.mode),
        )
        for number, step in enumerate(run.steps, start=1)
    ]
    yield _constant("STEPS", Bracketed(opening="[", items=tuple(rows), closing="]"))


def _data_of_owner(lifecycle: Lifecycle, machine: Machine, run: Run) -> Iterator[str]:
    """The run of an owner, with its members one by one or counted, as constants."""
    single = [one for one in machine.collections if f"{one.name}.total" not in run.start.values]
    kinds = {one.name: machine_named(lifecycle, one.machine) for one in machine.collections}
    yield _constant("PARAMETERS", _mapping(_parameters(machine, run.start.values, "")))
    names = tuple(literal(one.name) for one in single)
    yield _constant("ONE_BY_ONE", Bracketed(opening="[", items=names, closing="]"))
    yield _constant("COUNTS", _mapping(_counts(machine, run.start)))
    yield _constant("MEMBERS", _joining(kinds, None, run.start))
    rows: list[Code] = []
    before = run.start
    for number, step in enumerate(run.steps, start=1):
        subject = step.move.subject
        of = kinds.get(subject.partition("[")[0], machine)
        row = step.move.transition
        rows.append(
            _tuple(
                literal(f"{number}. {_plain(event_of(step))}"),
                literal(subject),
                literal(step.move.event),
                "{}" if row is None else _payload(of, step.move.event, step.payload),
                literal("" if row is None else row.id),
                literal(step.after.mode),
                _joining(kinds, before, step.after),
                _mapping(_counts(machine, step.after)),
            )
        )
        before = step.after
    yield _constant("STEPS", Bracketed(opening="[", items=tuple(rows), closing="]"))


def _end(machine: Machine, result: Result, run: Run) -> Iterator[str]:
    """What shows the fault; of what is proved, nothing is left to show."""
    if result.verdict != "refuted":
        return
    yield ""
    asked = result.asked
    if asked is not None:
        yield _constant("payload", _payload(machine, asked.event, asked.payload))
    match result.obligation.kind:
        case "invariant":
            name = literal(result.obligation.subject)
            yield f"holds = machine.invariants[{name}]"
            yield 'assert not holds(state, context), "it holds"'
        case "deterministic" if asked is not None:
            yield from _overlap(machine, run, asked)
        case "gap" if asked is not None:
            yield f"why = refusal(machine, state, {literal(asked.event)}, context, payload)"
            yield "print(why)"
            yield 'assert why is not None, "some row takes it"'
        case "members" if asked is not None:
            yield from _refusing(asked)
        case "deadlock":
            yield "able = machine.enabled(state, context)"
            yield "able = [event for event in able if not machine.uses_payload(state, event)]"
            yield "able = [event for event in able if not machine.of_pair(state, event)[0].ignored]"
            yield 'assert state not in machine.final and not able, f"it takes {able}"'
        case "bounded":
            yield from _measures(machine, "now", "configurations[-1]")
            yield "print(now)"
            number = int(result.obligation.subject) - 1
            yield f'assert now[{number}] < 0, "it is not below zero"'
        case "progress":
            yield from _measures(machine, "before", f"configurations[{result.cycle}]")
            yield from _measures(machine, "after", "configurations[-1]")
            yield 'print("the measures:", before, "->", after)'
            yield 'assert after >= before, "they fall"'
        case _:
            return


def _overlap(machine: Machine, run: Run, asked: Asked) -> Iterator[str]:
    """The guards of the pair beside the row that the code takes."""
    rows = rows_of(machine, run.end.mode, asked.event)
    guards: dict[str, Code] = {
        row.id: to_python(row.guard if row.guard is not None else Truth(value=True)) for row in rows
    }
    yield _constant("holds", _mapping(guards))
    yield f"row, _ = take(machine, state, {literal(asked.event)}, context, payload)"
    yield 'print("the code takes", row.id, "of", [name for name in holds if holds[name]])'
    yield 'assert sum(holds.values()) > 1, "only one may be taken"'


def _refusing(asked: Asked) -> Iterator[str]:
    """The owner's row is enabled, and a member refuses what it is sent."""
    yield f"row, _ = take(machine, state, {literal(asked.event)}, context, payload)"
    yield "whys = []"
    yield "for name, given in sent_to(row):"
    yield "    kind, at, own = members[name]"
    yield "    whys.append(refusal(kind, at, given, own, kind.payload(given)))"
    yield "print(*filter(None, whys))"
    yield 'assert any(whys), "every member takes it"'


def _measures(machine: Machine, name: str, context: str) -> Iterator[str]:
    measures = machine.progress.decreases if machine.progress else ()
    items = tuple(to_python(measure) for measure in measures)
    yield f"context = {context}"
    yield _constant(name, Bracketed(opening="(", items=items, closing=")", comma=True))


def _parameters(machine: Machine, values: Values, prefix: str) -> dict[str, Code]:
    return {one.name: _value(values[prefix + one.name]) for one in machine.variables if one.param}


def _counts(machine: Machine, at: Configuration) -> dict[str, Code]:
    """The counts of the members that are not one by one."""
    names = [entry for one in machine.collections for entry in one.entries]
    return {name: _value(at.values[name]) for name in names if name in at.values}


def _joining(
    kinds: Mapping[str, Machine], before: Configuration | None, after: Configuration
) -> Code:
    """The members that are there and were not before, with the parameters of their kinds."""
    new: dict[str, Code] = {}
    for name, value in after.values.items():
        match = _MEMBER.fullmatch(name)
        was = ABSENT if before is None else before.values[name]
        if match and was == ABSENT and value != ABSENT:
            kind = kinds[match["collection"]]
            given = _parameters(kind, after.values, f"{match['collection']}.")
            new[match["name"]] = _tuple(literal(kind.name), _mapping(given))
    return _mapping(new)


def _payload(machine: Machine, event: str, payload: Values) -> Code:
    """A payload with something in the required fields that no guard reads."""
    spec = next(one for one in machine.events if one.name == event)
    found: dict[str, Code] = {}
    for field in spec.fields:
        if field.name in payload:
            found[field.name] = _value(payload[field.name])
        elif field.required:
            found[field.name] = _OPAQUE.get(field.type.name, "None")
        else:
            found[field.name] = _json(field.default)
    return _mapping(found)


def _json(value: object) -> Code:
    if isinstance(value, str):
        return literal(value)
    if isinstance(value, dict):
        return _mapping({str(key): _json(one) for key, one in value.items()})
    if isinstance(value, list):
        return Bracketed(opening="[", items=tuple(map(_json, value)), closing="]")
    return repr(value)


def _value(value: Value) -> Code:
    return literal(value) if isinstance(value, str) else repr(value)


def _mapping(entries: Mapping[str, Code]) -> Code:
    items = tuple(
        Prefixed(prefix=f"{literal(name)}: ", inner=code) for name, code in entries.items()
    )
    return Bracketed(opening="{", items=items, closing="}")


def _tuple(*items: Code) -> Code:
    return Bracketed(opening="(", items=items, closing=")", comma=True)


def _constant(name: str, code: Code) -> str:
    return lay_out(code, before=f"{name} = ")


def _plain(text: str) -> str:
    """`text` on one line of a comment."""
    return printable(" ".join(text.split()))
