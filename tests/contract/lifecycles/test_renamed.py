"""The built-in lifecycle with every name spelt otherwise: it is the same, name for name."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest

from milepost.lifecycles import mapreduce
from milepost.roles import Roles
from tests.integration.cli.answers import BUILT_IN as ORIGINAL
from tests.integration.cli.answers import Spelling, ask

from .compiling import BUILT_IN, BUILT_IN_1, at_once, module_of
from .names import Name, names_of, renamed
from .spelling import (
    RENAMED,
    RENAMED_1,
    Spelt,
    back,
    environment,
    renamed_lifecycle,
    respelt,
    spell,
)

_FOREIGN: Final = ("import", "migrate")
"""Calls about stores of the built-in lifecycle alone: old homes, and a file of an old format."""


def _asked(spelling: Spelling) -> list[str]:
    """Every answer; digests are of the names, too."""
    told = re.sub(r"\b[0-9a-f]{32}\b", "DIGEST", ask(spelling))
    return ["$ milepost " + answer for answer in f"\n{told}".split("\n$ milepost ")[1:]]


def _spelling(text: str) -> Spelling:
    return Spelling(
        lifecycles=(renamed_lifecycle() if text == RENAMED else at_once(text),),
        environment=environment() if text == RENAMED else _found(text),
        definition=text,
        left_out=_FOREIGN,
        manager=Spelt,  # type: ignore[arg-type]
        arguments=respelt,
        back=back,
    )


def _found(text: str) -> dict[str, str]:
    return {"MILEPOST_LIFECYCLES": str(module_of(text))}


def test_every_name_is_spelt_otherwise() -> None:
    """Of both versions, none is left; and spelt twice, the definitions are what they were."""
    for text, original in ((RENAMED, BUILT_IN), (RENAMED_1, BUILT_IN_1)):
        assert not {name.name for name in names_of(text)} & {n.name for n in names_of(original)}
        assert len(names_of(text)) == len(names_of(original))

        def twice(name: Name) -> str:
            return spell(name.name)

        assert renamed(text, twice, earlier=twice) == original
    assert len(names_of(BUILT_IN)) > 70


def test_the_tables_are_the_same() -> None:
    """Rows, roles, guards and upgrades from the first version."""
    ours, theirs = mapreduce.LIFECYCLE, renamed_lifecycle()
    assert back(theirs.name) == ours.name
    assert back(theirs.root) == ours.root
    for name, machine in ours.machines.items():
        other = theirs.machines[spell(name)]
        assert back(_roles(other.roles)) == _roles(machine.roles)
        assert back(repr(other.groups)) == repr(machine.groups)
        assert back(repr(other.guards)) == repr(machine.guards)
        for row, twin in zip(machine.transitions, other.transitions, strict=True):
            assert back(f"{twin.id} {twin.source} {twin.event} {twin.target} {twin.guard}") == (
                f"{row.id} {row.source} {row.event} {row.target} {row.guard}"
            )
    (after,) = theirs.upgrades.values()
    before = next(one for one in ours.upgrades.values() if one.version == after.version)
    assert (before.version, before.verdict) == (after.version, after.verdict)
    for name, upgrade in before.machines.items():
        twin_upgrade = after.machines[spell(name)]
        assert back(_roles(twin_upgrade.roles)) == _roles(upgrade.roles)
        assert back(repr(twin_upgrade.states)) == repr(upgrade.states)


def _roles(roles: Roles) -> str:
    """All of them, whole."""
    return repr([(part.name, getattr(roles, part.name)) for part in fields(roles)])


@pytest.mark.parametrize("kind", ["md", "dot", "mmd"])
def test_what_is_compiled_is_the_same(kind: str) -> None:
    """Pages and drawings, but for the digests in their headers."""
    folders = module_of(BUILT_IN, BUILT_IN_1).parent, module_of(RENAMED, RENAMED_1).parent
    files = sorted(folders[0].glob(f"*.{kind}"))
    assert files
    for file in files:
        named = ".".join(map(spell, file.name.removesuffix(f".{kind}").split(".")))
        assert back(_compiled(folders[1] / f"{named}.{kind}")) == _compiled(file)


def _compiled(file: Path) -> str:
    """The text of a file, without digests and with its breaks of lines as such."""
    text = file.read_text(encoding="utf-8").replace("\\n", "\n")
    return re.sub(r"blake2b:[0-9a-f]{24}", "DIGEST", text)


def test_every_command_answers_the_same() -> None:
    """Of stores with jobs in every condition: each page and each JSON, whole, by the same names."""
    theirs, ours = _asked(_spelling(RENAMED)), _asked(Spelling(left_out=_FOREIGN))
    assert len(ours) > 100
    for mine, other in zip(ours, theirs, strict=True):
        assert other == mine
    assert Spelling() == ORIGINAL


def test_an_answer_that_differs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: with one role less in the renamed definition, some answers are others."""
    calls = ("dead nightly", "items nightly")
    monkeypatch.setattr("tests.integration.cli.answers.CALLS", calls)
    less = re.sub(r"\n +attempts: \{counts: .*", "", RENAMED)
    assert less != RENAMED
    assert _asked(_spelling(less)) != _asked(Spelling(left_out=_FOREIGN))
