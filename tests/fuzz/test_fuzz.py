"""Kept inputs give what they gave, new ones do no harm, and a harm that is put in is found."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest

from milepost import StateManager, arguments
from milepost.legacy.prodigy import states
from milepost.log import codec
from milepost.state.reading import loading
from milepost_codegen import compiler
from tests.fuzz import definitions, old_stores
from tests.fuzz.every import TARGETS
from tests.fuzz.target import FOLDER, bounded_calls, grown, keep, kept

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))
MOST_BYTES = 200_000


@pytest.mark.parametrize("name", TARGETS)
def test_kept_inputs_give_what_they_gave(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    """After a change that is meant: python -m tests.fuzz --again."""
    cases = kept(name)
    found = [one for one in cases if TARGETS[name].answer(one.case).gives != one.gives]
    assert found == []
    assert len(cases) >= 10
    record_property("counted", ("fuzzing", {f"kept inputs of {name}": len(cases)}))


@pytest.mark.parametrize("name", TARGETS)
def test_new_inputs_do_no_harm(name: str, record_property: Callable[[str, object], None]) -> None:
    """The same ones each time. A soak has others, and keeps those that reach something new."""
    target = TARGETS[name]
    number = random.SystemRandom().randrange(2**32) if SOAK > 1 else 0
    new, tried = grown(target, target.examples * SOAK, number, known=SOAK > 1)
    if SOAK > 1:
        keep(name, [*kept(name), *new])
    record_property("counted", ("fuzzing", {f"new inputs of {name}": tried}))


def test_the_corpora_are_small() -> None:
    """They are read by people, too."""
    assert {path.stem for path in FOLDER.glob("*")} == set(TARGETS)
    assert sum(path.stat().st_size for path in FOLDER.glob("*")) < MOST_BYTES


def _fault(*_: object, **__: object) -> Any:
    raise KeyError("put in")


def _harm(name: str, patch: pytest.MonkeyPatch) -> None:
    """Put a fault where the target leads, of the kind that it is there to find."""
    if name == "definitions":
        patch.setattr(compiler, "resolve", _fault)
    elif name == "rows":
        patch.setattr(codec, "UNDECODABLE", (ValueError,))  # as if nothing was ever nested
    elif name == "old_jobs":
        patch.setattr(states, "_check", _fault)
    elif name == "old_stores":
        patch.setattr(loading, "decode_commit", _fault)
    elif name == "commands":
        patch.setattr(StateManager, "open", _fault)
    else:
        patch.setattr(arguments, "instance", lambda name, given, kind, wanted="": given)


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.control("fuzzing")
def test_a_harm_that_is_put_in_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: some kept input meets it."""
    _harm(name, monkeypatch)
    with pytest.raises((AssertionError, KeyError, RecursionError)):
        for one in kept(name):
            TARGETS[name].answer(one.case)


@pytest.mark.control("fuzzing")
def test_a_wrong_answer_of_a_damaged_store_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the other kind of harm: nothing is raised."""
    whole = next(one.case for one in kept("old_stores") if one.gives == "as it was")
    monkeypatch.setattr(old_stores, "holds", lambda manager: {})
    with pytest.raises(AssertionError, match="nobody says so"):
        TARGETS["old_stores"].answer(whole)


def test_work_without_end_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls are counted, so that no slow machine makes it fail."""

    def endless() -> None:
        while True:
            _nothing()

    with pytest.raises(AssertionError, match="more than 1,000 calls"), bounded_calls(1_000):
        endless()
    monkeypatch.setattr(definitions, "_MOST_CALLS", 100)
    with pytest.raises(AssertionError, match="more than 100 calls"):
        TARGETS["definitions"].answer({"base": "small", "edits": []})


def _nothing() -> None:
    pass
