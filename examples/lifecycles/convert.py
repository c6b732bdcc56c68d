"""Tables of other projects' schedulers as Milepost lifecycles.

    python convert.py --out DIR FILE...

FILE is JSON: a table (`states`, `initial` and `arcs`, as in `tables/`), the same with `transitions`
in the place of `arcs`, or a history (`versions`, each of them a table). A table becomes
`DIR/NAME.yaml` and `DIR/tables/NAME.json`, a history `DIR/history/NAME/NN.yaml`. README.md says by
which rules. Needs nothing but the standard library.
"""

from __future__ import annotations

import argparse
import json
import keyword
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

LONGEST = 39
WIDTH = 100
LICENCE = "Apache-2.0"  # of what has a history; histories do not say
SYMBOLS = {"*": "any"}
PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_ /.()-]*[A-Za-z0-9_)]")
IGNORED = re.compile(r"(\w+)->(\w+)")


class Arc(NamedTuple):
    """What one state does on one event; more than one target is the source's own choice."""

    source: str
    event: str | None
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What a project's source says, in its own names.

    `event` is None where the source allows moves and names no events. `stable` are states that
    the source calls stable, `ignored` what it accepts without an effect, `unused` the events
    that it declares and never handles.
    """

    name: str
    version: int
    source: Mapping[str, str]
    initial: str
    states: tuple[str, ...]
    arcs: tuple[Arc, ...]
    ignored: tuple[Arc, ...] = ()
    stable: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A table as the converter takes it, with a remark on each thing that it had to settle.

    `pairs` has the targets of each (state, event), `entries` the rows that no source has.
    """

    pairs: Mapping[tuple[str, str], tuple[str, ...]]
    ignored: Mapping[tuple[str, str], tuple[str, ...]]
    entries: Mapping[str, str]
    final: frozenset[str]
    perpetual: frozenset[str]
    remarks: tuple[str, ...]


# From JSON


def tables(data: Mapping[str, Any]) -> list[Table]:
    """The tables of a file: the versions of a history, oldest first, or else the only one."""
    if "versions" not in data:
        return [_table(data, data["source"], data["name"], 1)]
    return [
        _table(one, {"licence": LICENCE, **one, "repo": data["repo"]}, data["name"], number)
        for number, one in enumerate(data["versions"], 1)
    ]


def _table(data: Mapping[str, Any], source: Mapping[str, Any], name: str, version: int) -> Table:
    told = {"commit": source.get("commit") or source.get("last_commit"), **source}
    note = data.get("note", "")
    stable = data.get("stable", ())
    ignored = [Arc(one[0], one[1], tuple(one[2])) for one in data.get("ignored", ())]
    if note.startswith("stable states: "):
        stable, note = note.removeprefix("stable states: ").split(", "), ""
    if note.startswith("ignored "):
        ignored, note = [Arc(old, None, (new,)) for old, new in IGNORED.findall(note)], ""
    arcs = data.get("arcs") or [
        (one["source"], one["event"], one["targets"]) for one in data["transitions"]
    ]
    return Table(
        name=name,
        version=version,
        source={
            key: told[key]
            for key in ("repo", "path", "commit", "date", "licence", "subject")
            if told.get(key)
        },
        initial=data["initial"],
        states=tuple(data["states"]),
        arcs=tuple(Arc(old, event, tuple(new)) for old, event, new in arcs),
        ignored=tuple(ignored),
        stable=tuple(stable),
        unused=tuple(data.get("unused") or data.get("events_declared_but_never_handled") or ()),
        note=note,
    )


def to_json(table: Table) -> str:
    """The table as a file, an arc on each line."""
    parts = {
        "name": table.name,
        "source": table.source,
        "note": table.note,
        "initial": table.initial,
        "states": table.states,
        "stable": table.stable,
        "unused": table.unused,
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}" for key, value in parts.items() if value]
    for key, arcs in (("ignored", table.ignored), ("arcs", table.arcs)):
        if arcs:
            inside = ",\n".join(f"  {json.dumps(arc)}" for arc in arcs)
            lines.append(f' "{key}": [\n{inside}\n ]')
    return "{\n" + ",\n".join(lines) + "\n}\n"


# What the table means


def read(table: Table) -> Reading:
    """Settle what the language wants to know and the table does not say."""
    remarks = [table.note] if table.note else []
    pairs: dict[tuple[str, str], tuple[str, ...]] = {}
    for arc in table.arcs:
        for event, targets in _events(arc):
            before = pairs.get((arc.source, event), ())
            if before:
                remarks.append(f"({arc.source}, {event}) is listed twice; the rows are merged.")
            pairs[arc.source, event] = tuple(dict.fromkeys((*before, *targets)))
    if any(arc.event is None for arc in table.arcs):
        remarks.append("The source names no events, only moves: each move is its own event.")
    if table.unused:
        remarks.append(f"Declared in the source and never handled: {', '.join(table.unused)}.")
    after: dict[str, set[str]] = {state: set() for state in table.states}
    for (state, _), targets in pairs.items():
        after[state] |= {*targets} - {state}
    entries = _entries(table, after)
    for state, event in entries.items():
        after[table.initial].add(state)
        remarks.append(
            f"No row of the source leads to {state}: '{name_of(event)}' is assumed, to reach it."
        )
    final = frozenset(state for state in table.states if not after[state])
    perpetual = _perpetual(table, after, final)
    if perpetual:
        why = "The source calls stable" if table.stable else "The source has no end"
        remarks.append(f"{why}, hence perpetual: {', '.join(_in_order(perpetual, table.states))}.")
    ignored = {
        (arc.source, event): targets for arc in table.ignored for event, targets in _events(arc)
    }
    for pair in [pair for pair in pairs if pair[0] in final]:
        ignored[pair] = pairs.pop(pair)
    if any(state in final for state, _ in ignored):
        remarks.append("What final states accept without leaving is listed as ignored.")
    return Reading(
        pairs=pairs,
        ignored=ignored,
        entries=entries,
        final=final,
        perpetual=perpetual,
        remarks=tuple(remarks),
    )


def _events(arc: Arc) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The arc's event with its targets; without an event, one for each target."""
    if arc.event is not None:
        yield arc.event, arc.targets
    else:
        yield from ((f"-> {target}", (target,)) for target in arc.targets)


def _entries(table: Table, after: Mapping[str, set[str]]) -> dict[str, str]:
    """An event for each state that must be entered by an assumed row, by state."""
    entries: dict[str, str] = {}
    reached = _closure({table.initial}, after)
    for state in table.states:
        if state not in reached:
            entries[state] = f"=> assumed {state}"
            reached |= _closure({state}, after)
    return entries


def _perpetual(
    table: Table, after: Mapping[str, set[str]], final: frozenset[str]
) -> frozenset[str]:
    """Where a run may stay for ever: the stable states, or else those that it cannot leave."""
    reach = {state: _closure({state}, after) for state in table.states}
    endless = {state for state in table.states if not reach[state] & final}
    if table.stable:
        return frozenset(endless & {*table.stable})
    return frozenset(
        state for state in endless if all(state in reach[other] for other in reach[state])
    )


def _closure(start: set[str], after: Mapping[str, set[str]]) -> set[str]:
    reached, pending = set(start), list(start)
    while pending:
        new = after[pending.pop()] - reached
        reached |= new
        pending += new
    return reached


def _in_order(chosen: Iterable[str], states: Sequence[str]) -> list[str]:
    return sorted(chosen, key=states.index)


# To YAML


def name_of(text: str, taken: Iterable[str] = ()) -> str:
    """The language's name for a name of the source, none of `taken`.

    Words are parted at what is no letter or digit and where a capital begins one; Python's
    keywords get an underscore, names that are taken a number.
    """
    text = SYMBOLS.get(text, text.removeprefix("=> ").replace("->", "to"))
    text = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    words = re.findall(r"[A-Za-z0-9]+", text) or ["unnamed"]
    name = "_".join(words).lower()[:LONGEST].rstrip("_")
    if not name[0].isalpha():
        name = f"n_{name}"[:LONGEST]
    if keyword.iskeyword(name):
        name += "_"
    used, number, base = set(taken), 1, name
    while name in used:
        number += 1
        name = f"{base[: LONGEST - 1 - len(str(number))]}_{number}"
    return name


def names_of(texts: Iterable[str]) -> dict[str, str]:
    """A name for each of the texts, no two alike."""
    names: dict[str, str] = {}
    for text in texts:
        if text not in names:
            names[text] = name_of(text, names.values())
    return names


def to_yaml(table: Table) -> str:
    """The lifecycle of a table; every `doc` of a state or event is its name in the source."""
    reading = read(table)
    machine = next(word for word in reversed(table.name.split("_")) if word != "state")
    states = names_of(table.states)
    pairs = {**reading.pairs, **reading.ignored}
    events = names_of((*(event for _, event in pairs), *reading.entries.values()))
    choices = _choices(reading, table.states)
    lines = [*_header(table, reading.remarks), f"lifecycle: {table.name}"]
    lines.append(f"version: {table.version}")
    lines.append(f"doc: {table.name} of {table.source['repo']}")
    if choices:
        lines += ["", "enums:"]
    for event, targets in choices.items():
        lines += _flow(f"  {_enum(events[event])}: ", [states[one] for one in targets])
    lines += ["", "machines:", f"  {machine}:", f"    initial: {states[table.initial]}"]
    lines.append("    states:")
    for text, name in states.items():
        marks = {
            "doc": text,
            "final": text in reading.final,
            "perpetual": text in reading.perpetual,
        }
        lines.append(f"      {name}: {_flow_map(marks)}")
    lines.append("    events:")
    for text, name in events.items():
        payload = f"{{outcome: {{type: {_enum(name)}}}}}" if text in choices else ""
        lines.append(f"      {name}: {_flow_map({'doc': text}, payload)}")
    lines.append("    transitions:")
    lines += _rows(table, reading, states, events, choices)
    if reading.ignored:
        lines.append("    ignored:")
    for on, within in _alike(reading.ignored):
        begun = f"      - {{in: [{', '.join(states[one] for one in within)}], on: "
        lines += _flow(begun, [events[one] for one in on], "}")
    return "\n".join(lines) + "\n"


def _header(table: Table, remarks: Sequence[str]) -> Iterator[str]:
    source = table.source
    subject = f", {source['subject']}" if source.get("subject") else ""
    told = (
        f"From https://github.com/{source['repo']}, licence {source['licence']}, file",
        source["path"],
        f"at commit {source['commit'][:12]} of {source['date']}{subject}",
        "Converted by convert.py, which README.md beside it explains; not edited.",
        *remarks,
    )
    for text in told:
        yield from textwrap.wrap(
            text,
            WIDTH,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _choices(reading: Reading, states: Sequence[str]) -> dict[str, list[str]]:
    """All targets among which an event chooses, for the events that do."""
    choices: dict[str, set[str]] = {}
    for (_, event), targets in reading.pairs.items():
        if len(targets) > 1:
            choices.setdefault(event, set()).update(targets)
    return {event: _in_order(targets, states) for event, targets in choices.items()}


def _rows(
    table: Table,
    reading: Reading,
    states: Mapping[str, str],
    events: Mapping[str, str],
    choices: Mapping[str, Sequence[str]],
) -> Iterator[str]:
    """The rows; states that do alike on an event share theirs."""
    alike: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (state, event), targets in reading.pairs.items():
        alike.setdefault((event, targets), []).append(state)
    for (event, targets), sources in alike.items():
        for target in targets:
            condition = f", when: event.outcome == {states[target]}" if len(targets) > 1 else ""
            gap = condition and len(targets) < len(choices[event])
            rest = f", on: {events[event]}, to: {states[target]}{condition}"
            end = f"{rest}{', partial: true' if gap else ''}}}"
            if len(sources) == 1:
                yield f"      - {{from: {states[sources[0]]}{end}"
            else:
                yield from _flow("      - {from: ", [states[one] for one in sources], end)
    for state, event in reading.entries.items():
        initial = states[table.initial]
        yield f"      - {{from: {initial}, on: {events[event]}, to: {states[state]}}}  # assumed"


def _alike(pairs: Iterable[tuple[str, str]]) -> Iterator[tuple[list[str], list[str]]]:
    """The pairs as (events, states): events together that the same states have."""
    states: dict[str, list[str]] = {}
    for state, event in pairs:
        states.setdefault(event, []).append(state)
    events: dict[tuple[str, ...], list[str]] = {}
    for event, within in states.items():
        events.setdefault(tuple(within), []).append(event)
    yield from ((on, list(within)) for within, on in events.items())


def _flow(before: str, names: Sequence[str], after: str = "") -> list[str]:
    """A list in brackets, and what follows it; on as many lines as they need."""
    inside = f"{before}[{', '.join(names)}]"
    if len(inside + after) <= WIDTH:
        return [inside + after]
    indent = " " * (len(before) - len(before.lstrip()) + 3)
    attached, _, rest = after.partition(" ")
    lines = textwrap.wrap(
        inside + attached,
        WIDTH,
        subsequent_indent=indent + " ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [*lines, indent + rest] if rest else lines


def _flow_map(values: Mapping[str, object], payload: str = "") -> str:
    parts = [
        f"{key}: {'true' if value is True else _text(str(value))}"
        for key, value in values.items()
        if value
    ]
    if payload:
        parts.append(f"payload: {payload}")
    return f"{{{', '.join(parts)}}}"


def _enum(event: str) -> str:
    return "".join(word.capitalize() for word in event[: LONGEST - 7].split("_")) + "Outcome"


def _text(value: str) -> str:
    plain = PLAIN.fullmatch(value) and value not in ("true", "false", "null")
    return value if plain else json.dumps(value)


def main() -> None:
    """Convert the files that the command line names."""
    parser = argparse.ArgumentParser(description="Tables of schedulers as Milepost lifecycles.")
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    given = parser.parse_args()
    for file in given.files:
        data = json.loads(file.read_text(encoding="utf-8"))
        for table in tables(data):
            if "versions" in data:
                name = f"history/{table.name}/{table.version:02}"
            else:
                name = table.name
                _write(given.out / "tables" / f"{name}.json", to_json(table))
            _write(given.out / f"{name}.yaml", to_yaml(table))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    print(path)


if __name__ == "__main__":
    main()
