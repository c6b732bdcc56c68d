"""Invariants and measures read which state of a group was left last."""

import itertools
import json
from pathlib import Path

import pytest

from milepost_codegen.compiler import compile_definition
from milepost_codegen.diff import compare
from milepost_codegen.digest import digest_of_meaning
from milepost_codegen.expressions import evaluate, to_text
from milepost_codegen.findings import DefinitionError
from milepost_codegen.model import Lifecycle
from milepost_codegen.reference import emit_reference

from .lifecycles import load

TEXT = """\
lifecycle: resting
version: 1
enums: {Phase: [setup, map]}
machines:
  job:
    initial: setup
    states: {setup: {}, map: {}, reduce: {}, paused: {}, over: {final: true}}
    groups: {active: [setup, map, reduce], early: [setup, map]}
    context:
      mapped: {type: bool, initial: false}
      failed_in: {type: Phase, initial: setup}
      left: {type: int, initial: 3}
    events: {map: {}, reduce: {}, pause: {}, resume: {}, again: {}, end: {}}
    transitions:
      - {from: setup, on: map, to: map, set: {mapped: true}}
      - {from: map, on: reduce, to: reduce, set: {failed_in: map}}
      - {from: active, on: pause, to: paused, set: {left: left - 1}}
      - {from: paused, on: resume, to: {history: active}}
      - {from: reduce, on: again, to: {history: early}}
      - {from: [active, paused], on: end, to: over}
    invariants:
      rested: {in: paused, holds: HOLDS}
    progress: {decreases: [MEASURE], except: [again, end]}
"""
FORMS = {
    "history.active == map": lambda was, mapped: was == "map",
    "map != history.active": lambda was, mapped: was != "map",
    "mapped implies history.active != reduce": lambda was, mapped: not mapped or was != "reduce",
    "history.active == (map if mapped else setup)": lambda was, mapped: (
        was == ("map" if mapped else "setup")
    ),
    "(setup if mapped else reduce) == history.active": lambda was, mapped: (
        was == ("setup" if mapped else "reduce")
    ),
    "not (history.active == setup) and mapped": lambda was, mapped: was != "setup" and mapped,
}


def text(holds: str, measure: str = "left") -> str:
    return TEXT.replace("HOLDS", json.dumps(holds)).replace("MEASURE", json.dumps(measure))


def compiled(*given: str) -> Lifecycle:
    return compile_definition(text(*given).encode(), "resting.yaml").lifecycle


@pytest.mark.parametrize("form", FORMS)
def test_it_is_compared_with_states(form: str, tmp_path: Path) -> None:
    """By the reference meaning and by the generated function; states that enums have too."""
    module = load(text(form), tmp_path)
    (invariant,) = compiled(form).machines[0].invariants
    assert compiled(to_text(invariant.holds)).machines[0].invariants[0].holds == invariant.holds
    for was, mapped in itertools.product(("setup", "map", "reduce"), (True, False)):
        context = {**module.job_context(), "mapped": mapped, "history.active": was}
        due = FORMS[form](was, mapped)
        assert evaluate(invariant.holds, context, {}) is due
        assert module.JOB.invariants["rested"]("paused", context) is due
        assert module.JOB.invariants["rested"]("map", context) is True


def test_a_run_remembers_what_it_left(tmp_path: Path) -> None:
    """The function is asked with the context that steps give, as the log keeps it."""
    module = load(text("history.active == reduce implies failed_in == map"), tmp_path)
    machine, state, context = module.JOB, "setup", module.job_context()
    for event in ("map", "reduce", "pause"):
        state, context, _, _ = machine.step(state, event, context, {})
    assert (state, context["history.active"]) == ("paused", "reduce")
    assert machine.invariants["rested"](state, context)
    assert not machine.invariants["rested"](state, {**context, "failed_in": "setup"})


def test_measures_read_it() -> None:
    """As a condition: a measure is an int."""
    told = compiled("true or mapped", "left + (1 if history.active == map else 0)").machines[0]
    assert told.progress is not None
    (measure,) = told.progress.decreases
    values = {"left": 2, "history.active": "map"}
    assert evaluate(measure, values, {}) == 3
    assert evaluate(measure, {**values, "history.active": "setup"}, {}) == 2


def test_the_digest_and_the_page_tell_of_it() -> None:
    """As of any other invariant."""
    one, other = compiled("history.active != map"), compiled("history.active != reduce")
    assert digest_of_meaning(one) != digest_of_meaning(other)
    assert "`history.active != map`" in emit_reference(one)


@pytest.mark.parametrize(
    ("holds", "code", "said"),
    [
        ("history.active == paused", "E205", "unknown member 'paused' of history.active"),
        ("history.active == left", "E303", "a history.active is needed here, not an int"),
        ("history.active == failed_in", "E303", "not a Phase"),
        ("history.active == history.early", "E303", "not a history.early"),
        ("history.active < map", "E303", "compares ints"),
        ("history.active and mapped", "E303", "a bool is needed here"),
        ("history.activ == map", "E204", "unknown group 'activ'"),
        ("history.active == true", "E303", ""),
        ("history == map", "E205", "unknown member 'history'"),
    ],
)
def test_what_makes_no_sense_is_said(holds: str, code: str, said: str) -> None:
    """With the type of the history by its name."""
    with pytest.raises(DefinitionError) as refused:
        compiled(holds)
    (finding,) = refused.value.findings
    assert finding.code == code
    assert said in finding.message


def renamed(definition: str) -> str:
    """The definition with 'map', the state, called 'mapping'; the enum keeps its member."""
    for old, new in {
        "map: {}, reduce: {}, paused": "mapping: {was: map}, reduce: {}, paused",
        "[setup, map, reduce], early: [setup, map]": (
            "[setup, mapping, reduce], early: [setup, mapping]"
        ),
        "on: map, to: map": "on: map, to: mapping",
        "from: map": "from: mapping",
        "version: 1": "version: 2",
    }.items():
        assert old in definition
        definition = definition.replace(old, new)
    return definition


def test_a_renamed_state_is_the_same_one() -> None:
    """`diff` reads what is remembered by the new name, and finds what has changed beside it."""
    old = compiled("history.active == map implies mapped")
    for holds, kinds in {
        "history.active == mapping implies mapped": [],
        "history.active == reduce implies mapped": ["changed"],
        "history.active == mapping implies mapped or left < 2": ["widened"],
    }.items():
        new = compile_definition(renamed(text(holds)).encode(), "new.yaml").lifecycle
        changes = [one.kind for one in compare(old, new).changes if one.part == "invariant"]
        assert changes == kinds
