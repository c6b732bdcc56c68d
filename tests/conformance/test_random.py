"""Random definitions: the plain reader takes the steps that their tables take, and no others."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import pytest

from milepost.definition import Definition, Unreadable, definition_of
from milepost.machine import Lifecycle
from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError
from tests.conformance.beside import compare
from tests.conformance.test_refused import need_not_be_seen
from tests.contract.lifecycles.compiling import executed
from tests.prove import random_definitions
from tests.prove.reading import resolved

COUNT: Final = 25 * int(os.environ.get("MILEPOST_SOAK", "1"))
EACH: Final = 4


def written(chance: random.Random) -> str:
    """A definition with groups, histories, named guards and ids beside what the random one has.

    Of any context one row of a pair is enabled, also where no run comes to.
    """
    found = random_definitions.definition_of(chance)
    for machine in found["machines"].values():
        _part(machine)
        if chance.random() < 0.6:
            _name_guards(machine, chance)
        if chance.random() < 0.6:
            _sweep(machine, chance)
        if chance.random() < 0.4:
            _remember(machine, chance)
    return random_definitions.text_of(found)


def _part(machine: dict[str, Any]) -> None:
    """The second and third condition of a pair hold only where none before does."""
    before: dict[tuple[str, str], str] = {}
    for row in machine["transitions"]:
        when, pair = row.get("when", "otherwise"), (row["from"], row["on"])
        if when != "otherwise":
            row["when"] = f"({when}) and not ({before[pair]})" if pair in before else when
            before[pair] = f"{before[pair]} or ({when})" if pair in before else f"({when})"


def _name_guards(machine: dict[str, Any], chance: random.Random) -> None:
    """Some conditions get names, one stands for another, and some are joined with more."""
    named: dict[str, str] = {}
    for row in machine["transitions"]:
        when = row.get("when", "otherwise")
        if when == "otherwise" or "event." in when or chance.random() < 0.5:
            continue
        name = f"g{len(named)}"
        named[name] = when if not named or chance.random() < 0.7 else f"({when}) and not g0"
        row["when"] = name if named[name] == when else f"({when}) and ({name} or g0)"
    if named:
        machine["guards"] = named


def _sweep(machine: dict[str, Any], chance: random.Random) -> None:
    """One row from a group, from a group that holds it, and from a state, with an id of its own."""
    states = [name for name in machine["states"] if name != "z"]
    groups = machine.setdefault("groups", {})
    groups["some"] = chance.sample(states, chance.randint(1, len(states)))
    groups["more"] = ["some", chance.choice(states)]
    machine["events"]["sweep"] = {"payload": {"hard": {"type": "bool", "default": True}}}
    row: dict[str, Any] = {"from": ["more", chance.choice(states)], "on": "sweep", "to": "z"}
    if chance.random() < 0.5:
        row["id"] = "swept"
    if chance.random() < 0.5:
        machine["transitions"].append(row | {"to": "s0", "when": "otherwise"} | _own(row, "kept"))
        row["when"] = "event.hard"
    machine["transitions"].insert(chance.randint(0, len(machine["transitions"])), row)
    machine.setdefault("ignored", []).append({"in": "z", "on": ["sweep"]})


def _own(row: dict[str, Any], name: str) -> dict[str, Any]:
    return {"id": name} if "id" in row else {}


def _remember(machine: dict[str, Any], chance: random.Random) -> None:
    """A group to whose last member a row from outside leads back."""
    states = [name for name in machine["states"] if name != "z"]
    if len(states) < 2:
        return
    inside = chance.sample(states, len(states) - 1)
    (outside,) = set(states) - set(inside)
    machine.setdefault("groups", {})["kept"] = inside
    machine["events"]["go_back"] = {}
    machine["transitions"].append(
        {"from": outside, "on": "go_back", "to": {"history": "kept", "default": inside[-1]}}
    )


@cache
def made() -> tuple[tuple[str, Definition, Lifecycle], ...]:
    """Definitions, each as text reads it and as tables have it.

    The compiler has nothing against them but what it proves, that a guard always holds say.
    """
    return tuple(_made())


def _made() -> Iterator[tuple[str, Definition, Lifecycle]]:
    number = found = 0
    while found < COUNT:
        number += 1
        text = written(random.Random(f"conform.{number}"))  # noqa: S311 no secret
        if codes_of(text):  # a variable that nothing uses, a row twice
            continue
        found += 1
        lifecycle = executed(resolved(text)[0])
        yield text, definition_of(text, "random.yaml"), lifecycle


def test_random_definitions_take_the_steps_of_their_tables(
    record_property: Callable[[str, object], None],
) -> None:
    """Rows, ids, guards, histories, members and invariants, of any context."""
    steps = allowed = 0
    for text, plain, lifecycle in made():
        chance = random.Random(7)  # noqa: S311 no secret
        took, let = compare(plain, lifecycle, chance, EACH, told=text)
        steps, allowed = steps + took, allowed + let
    assert allowed > steps // 20
    record_property("counted", ("random definitions beside their tables", {"steps": steps}))


CHANGES: Final = {
    "a factor": (r"2 \* ", "3 * "),
    "an assignment": (r' \+ 1"', ' + 2"'),
    "an otherwise": ("when: otherwise", 'when: "1 < 0"'),
    "who is in a group": (r"more: \[some, s\d\]", "more: [some]"),
    "an id": ("id: swept", "id: swept_out"),
    "where a history begins": (
        r"(?s)kept, default: s\d(.*? kept: \[)(\w+)",
        r"kept, default: \2\1\2",
    ),
}


@pytest.mark.control("random definitions beside their tables")
@pytest.mark.parametrize("change", CHANGES)
def test_what_is_changed_in_a_text_is_noticed(change: str) -> None:
    """Control: of those in which it can be changed, some differ from the tables of before."""
    changed = noticed = 0
    for text, _, lifecycle in made():
        other = re.sub(*CHANGES[change], text)
        try:
            plain = definition_of(other, "changed.yaml")
        except Unreadable:
            continue
        changed += other != text
        try:
            compare(plain, lifecycle, random.Random(7), EACH)  # noqa: S311 no secret
        except AssertionError:
            noticed += 1
    assert 0 < noticed <= changed


def test_what_is_left_out_is_refused_alike(
    record_property: Callable[[str, object], None],
) -> None:
    """A row less, a guard less, an event less: what then means nothing, or is used nowhere."""
    chance, read, refused = random.Random(5), 0, 0  # noqa: S311 no secret
    for text, _, _ in made():
        lines = text.split("\n")
        for at in chance.sample(range(2, len(lines)), 2):
            less = "\n".join(line for number, line in enumerate(lines) if number != at)
            seen = codes_of(less)
            try:
                definition_of(less, "less.yaml")
            except Unreadable as error:
                assert seen, (str(error), less)
                refused += 1
            else:
                assert not seen, (seen, less)
                read += 1
    assert read
    assert refused
    record_property(
        "counted", ("random definitions with a line less", {"read": read, "refused": refused})
    )


def codes_of(text: str) -> set[str]:
    """What the compiler has against it that a plain reader has to see."""
    try:
        compile_definition(text.encode(), "less.yaml")
    except DefinitionError as error:
        return {one.code for one in error.findings if not need_not_be_seen(one.code)}
    return set()
