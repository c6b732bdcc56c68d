"""The machine of lifecycles on our own: the built-in one, those of examples, and odd shapes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from examples.approval import approval
from examples.orders.shop import orders
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from milepost import JobState, StateManager, Write
from milepost.definition import NotUnderstood
from milepost.lifecycles import mapreduce, mapreduce_v1, mapreduce_v2
from milepost.machine import Lifecycle
from milepost.testing import lifecycle_machine
from milepost.testing.lifecycle.traces import TracesAbsent
from tests.contract.lifecycles.compiling import lifecycle_of
from tests.integration.shapes.lifecycles import SHIPPING
from tests.postgres import needs_postgres, new_url

ROOT = Path(__file__).parents[2]
SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))
DEFINITION = ROOT / "statemachine.yaml"
TRACES = ROOT / "tests/generated/mapreduce_traces.json"
EXAMPLES = (
    "aiida_plumpy_process",
    "hadoop_mr_task",
    "taskflow_engine",
    "temporal_activity",
    "volcano_job",
)
CONTROL = settings(
    lifecycle_machine(mapreduce.LIFECYCLE, definition=DEFINITION).TestCase.settings,
    max_examples=60,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    derandomize=True,
    database=None,
)

_BY_CHANCE = (
    "sequences",
    "rules",
    "reads by another process",
    "facts held against the file",
)


def count(
    record_property: Callable[[str, object], None],
    name: str,
    tried: Mapping[str, int],
) -> None:
    """What the traces took is the same each time; of the rules chance has its part."""
    by_chance = {one: n for one, n in tried.items() if one in _BY_CHANCE}
    exact = {one: n for one, n in tried.items() if one not in _BY_CHANCE}
    record_property("counted", (name, exact))
    record_property("counted about", (name, by_chance))


def taken(
    machine: Any,
    sequences: int,
    record_property: Callable[[str, object], None],
    *,
    traced: bool = True,
    where: str = "",
) -> None:
    """Its traces, with everything covered, and a few random rules."""
    assert machine.unlike() == []
    if traced:
        coverage = machine.tour()
        assert coverage.missing() == [], str(coverage)
        machine.tried.update(coverage.counts())
    try:
        few = settings(machine.TestCase.settings, max_examples=sequences * SOAK)
        if SOAK == 1:  # the same everywhere: what they come to is held against the page
            few = settings(few, derandomize=True, database=None)
        run_state_machine_as_test(machine, settings=few)
    finally:
        machine.reader.close()
    count(record_property, f"the lifecycle {machine.lifecycle.name}{where}", machine.tried)


def test_the_built_in_lifecycle(record_property: Callable[[str, object], None]) -> None:
    machine = lifecycle_machine(mapreduce.LIFECYCLE, definition=DEFINITION, traces=TRACES)
    taken(machine, 30, record_property)


@pytest.mark.parametrize(
    ("lifecycle", "path"),
    [
        (orders.LIFECYCLE, "examples/orders/orders.yaml"),
        (approval.LIFECYCLE, "examples/approval/approval.yaml"),
    ],
    ids=["orders", "approval"],
)
def test_a_lifecycle_of_an_example(
    lifecycle: Lifecycle, path: str, record_property: Callable[[str, object], None]
) -> None:
    taken(lifecycle_machine(lifecycle, definition=ROOT / path), 6, record_property)


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_lifecycle_of_another_project(
    name: str, record_property: Callable[[str, object], None]
) -> None:
    path = ROOT / "examples/lifecycles" / f"{name}.yaml"
    lifecycle = lifecycle_of(path.read_text(encoding="utf-8"))
    taken(lifecycle_machine(lifecycle, definition=path), 3, record_property)


def test_a_lifecycle_with_two_collections(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path = tmp_path / "shipping.yaml"
    path.write_text(SHIPPING, encoding="utf-8")
    machine = lifecycle_machine(lifecycle_of(SHIPPING), definition=path, store="memory:")
    taken(machine, 20, record_property)


def test_jobs_that_began_under_earlier_versions(
    record_property: Callable[[str, object], None],
) -> None:
    earlier = [
        (mapreduce_v1.LIFECYCLE, ROOT / "lifecycles" / "mapreduce-1.yaml"),
        (mapreduce_v2.LIFECYCLE, ROOT / "lifecycles" / "mapreduce-2.yaml"),
    ]
    machine = lifecycle_machine(mapreduce.LIFECYCLE, definition=DEFINITION, earlier=earlier)
    taken(machine, 8, record_property, traced=False, where=", from earlier versions")


@needs_postgres
def test_on_a_server(postgres: str, record_property: Callable[[str, object], None]) -> None:
    """A crash of the processes leaves all that there is."""
    machine = lifecycle_machine(
        mapreduce.LIFECYCLE, definition=DEFINITION, store=lambda: new_url(postgres)
    )
    taken(machine, 4, record_property, traced=False, where=", on a server")


# Controls: what must be found


@pytest.mark.control("the lifecycle mapreduce")
def test_a_wrong_row_is_found(tmp_path: Path) -> None:
    """By the traces, step by step, and by the rules."""
    text = DEFINITION.read_text(encoding="utf-8")
    row = "{from: setup, on: start_map, to: map}"
    assert row in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(
        text.replace(row, "{from: setup, on: start_map, to: reduce}"), encoding="utf-8"
    )
    machine = lifecycle_machine(
        mapreduce.LIFECYCLE, definition=wrong, traces=TRACES, store="memory:"
    )
    with pytest.raises(AssertionError):
        machine.tour()
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=CONTROL)


DIFFERS = {
    "a state": (
        ("on: start_map, to: map}", "on: start_map, to: reduce}"),
        ["the phase of the job is not as the definition says:"],
        "'map'",
        "'reduce'",
    ),
    "a guard": (
        ("on: give_up, to: dead}", "on: give_up, to: dead, when: attempts > 7}"),
        ["1 give_up is not answered as the definition says:"],
        "takes it",
        (
            "refuses it, TransitionRefused: 'give_up' of 'item' in 'failed': failed.give_up needs"
            " attempts > 7 (now attempts=1)"
        ),
    ),
    "a row that is not there": (
        ("      - {from: setup, on: fail, to: failed, set: {failed_in: setup}}\n", ""),
        ["the events of the job that have a row now are not as the definition says:"],
        "allow_dead, cancel, fail, pause, recover, set_variables, start_map (here alone: fail)",
        "allow_dead, cancel, pause, recover, set_variables, start_map",
    ),
}
"""What is written of mapreduce, another text in its place, and what is told of it."""


@pytest.mark.parametrize("what", DIFFERS)
def test_which_side_says_what_is_told_with_state_values_and_trace(
    what: str, tmp_path: Path
) -> None:
    """The event with its payload, where it was asked, what either says, and by which trace."""
    (old, new), told, module, definition = DIFFERS[what]
    text = DEFINITION.read_text(encoding="utf-8")
    assert old in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(old, new), encoding="utf-8")
    machine: Any = lifecycle_machine(
        mapreduce.LIFECYCLE, definition=wrong, traces=TRACES, store="memory:"
    )
    with pytest.raises(AssertionError) as caught:
        machine.tour()
    first, its, mine, where = str(caught.value).splitlines()
    assert [first] == told
    assert its == f"  by the generated module: {module}"
    assert mine == f"  by the definition:       {definition}"
    assert re.match(r"  where, by the definition, the job is in '\w+' with max_dead=0, ", where)
    (note,) = caught.value.__notes__
    assert re.match(r"this was the trace job\.\w+\..*, in a new job, of which was asked: ", note)


@pytest.mark.control("the lifecycle mapreduce")
def test_a_lost_write_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        StateManager, "record", lambda self, job_id, _, **__: self.get_state(job_id)
    )
    machine = in_memory()
    with pytest.raises(AssertionError):
        machine.tour()
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=CONTROL)


@pytest.mark.control("the lifecycle mapreduce")
def test_a_refusal_that_spreads_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writes that are dropped because of one before them."""
    one_by_one = StateManager.write_each

    def spreading(self: StateManager, writes: Iterable[Write]) -> list[JobState | Exception]:
        outcomes: list[JobState | Exception] = []
        for write in writes:
            refused = next((o for o in outcomes if isinstance(o, Exception)), None)
            outcomes += [refused] if refused else one_by_one(self, [write])
        return outcomes

    monkeypatch.setattr(StateManager, "write_each", spreading)
    with pytest.raises(AssertionError) as told:
        run_state_machine_as_test(in_memory(), settings=CONTROL)
    says = "\n".join(told.value.__notes__)
    assert "# a job begins with {'config': " in says, "what seeds came to is said beside the rules"
    assert re.search(r"# manager [01] asks, with others in one commit: .*\nstate\.write_each", says)


@pytest.mark.control("the lifecycle mapreduce")
def test_a_trace_that_is_left_out_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = in_memory()
    left_out = "item.condition.failed.retry.1.true"
    kept = [one for one in machine.traces() if one["key"] != left_out]
    monkeypatch.setattr(machine, "traces", lambda: kept)
    assert machine.tour().missing() == [left_out]


SAID = {
    "where": ("max_attempts <= 100", "max_attempts <= 99", "where of max_attempts, with {"),
    "param": ("default: 3, doc: Attempts", "default: 4, doc: Attempts", "variable max_attempts"),
    "enum": ("[error, timeout, executor_lost]", "[error, timeout, executor_lost, no]", "the enums"),
    "field": ("lost: {type: bool, default: true}", "lost: {type: bool}", "field recover.lost"),
    "grows": ("grows: [setup, map]", "grows: [setup]", "where items grows"),
    "event": ("pause: pause", "pause: resume", "role pause"),
    "state": ("paused: resume, failed: retry", "paused: resume", "role resume"),
    "part": ("counts: redone, reason", "counts: crashes, reason", "role redo.counts"),
    "cause": ("timeout: timeout, lost: executor_lost}\n  ", "timeout: error}\n  ", "role failure"),
    "members": (
        "cancelled, members: {items: {pending: skip, running: skip, failed: skip}}",
        "cancelled, members: {items: {pending: skip, running: skip}}",
        "'cancel' in 'map', with {",
    ),
    "lost": (
        "when: event.lost, members: {items: {running: interrupt}}",
        "when: event.lost, members: {items: {running: release}}",
        "'recover' in 'map', with {",
    ),
    "set": ("crashes: 0}}\n", "crashes: 1}}\n", "'succeed' in 'running', with {"),
    "invariant": (
        "few_dead_at_the_end: {in: [completed]",
        "few_dead_at_the_end: {in: [cancelled]",
        "invariant few_dead_at_the_end in 'c",
    ),
}
"""What is written of mapreduce, another text in its place, and of what it is said to differ."""


@pytest.mark.control("the lifecycle mapreduce")
@pytest.mark.parametrize("what", SAID)
def test_what_no_step_shows_is_compared(what: str, tmp_path: Path) -> None:
    """Roles, what is carried, and what no run comes to."""
    text = DEFINITION.read_text(encoding="utf-8")
    said, other, told = SAID[what]
    assert said in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(said, other), encoding="utf-8")
    machine = lifecycle_machine(mapreduce.LIFECYCLE, definition=wrong, store="memory:")
    assert told in "\n".join(machine.unlike())
    case = machine.TestCase("test_the_module_says_what_the_file_says")
    with pytest.raises(AssertionError, match="compile it again:"):
        case.test_the_module_says_what_the_file_says()
    assert in_memory().unlike() == []


@pytest.mark.control("the lifecycle mapreduce")
@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("item: {attempts: attempts, suspect", "item: {attempts: 0, suspect"),
        ("item: {permanent: false, noted", "item: {permanent: true, noted"),
        ("states: {item: {done: done}}", "states: {item: {done: done, failed: pending}}"),
    ],
    ids=["forgotten", "given", "state"],
)
def test_a_migration_that_leads_elsewhere_is_found(said: str, other: str, tmp_path: Path) -> None:
    """From any state and context, also where no job of the rules is when it is taken over."""
    text = DEFINITION.read_text(encoding="utf-8")
    assert said in text
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace(said, other), encoding="utf-8")
    machine = lifecycle_machine(
        mapreduce.LIFECYCLE,
        definition=wrong,
        earlier=[
            (mapreduce_v1.LIFECYCLE, ROOT / "lifecycles" / "mapreduce-1.yaml"),
            (mapreduce_v2.LIFECYCLE, ROOT / "lifecycles" / "mapreduce-2.yaml"),
        ],
        store="memory:",
    )
    assert {each.partition("'")[0] for each in machine.unlike()} == {"the migration from "}


def test_another_version_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="compile it again"):
        lifecycle_machine(mapreduce.LIFECYCLE, definition=ROOT / "lifecycles" / "mapreduce-1.yaml")


def test_the_definition_of_another_lifecycle_is_refused() -> None:
    """To compile it again would not help."""
    definition = ROOT / "examples" / "approval" / "approval.yaml"
    told = "the names differ, so give the definition of 'mapreduce'$"
    with pytest.raises(ValueError, match=told):
        lifecycle_machine(mapreduce.LIFECYCLE, definition=definition)


@pytest.mark.parametrize("argument", ["definition", "traces", "earlier"])
def test_a_file_that_is_not_there_is_told_with_where_it_was_looked_for(
    argument: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path leads elsewhere from another folder, so the message says how to name it."""
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {"definition": DEFINITION, argument: "sub/door.yaml"}
    if argument == "earlier":
        given["earlier"] = [(mapreduce_v1.LIFECYCLE, "sub/door.yaml")]
    with pytest.raises(FileNotFoundError) as told:
        lifecycle_machine(mapreduce.LIFECYCLE, **given)
    assert f" {tmp_path / 'sub' / 'door.yaml'}: a relative path begins at" in str(told.value)
    assert "`Path(__file__).with_name('door.yaml')`" in str(told.value)


def test_the_module_in_place_of_its_definition_is_said_to_be_one() -> None:
    module = Path(mapreduce.__file__)
    with pytest.raises(NotUnderstood, match="it is a Python module: give the YAML file"):
        lifecycle_machine(mapreduce.LIFECYCLE, definition=module)


def test_a_file_that_no_longer_compiles_is_said_to_be_another(tmp_path: Path) -> None:
    """What the compiler says of it is told with its place; the plain reader alone reads it."""
    text = DEFINITION.read_text(encoding="utf-8")
    old = "{from: failed, on: give_up, to: dead}"
    line = text[: text.index(old)].count("\n") + 1
    edited = tmp_path / "edited.yaml"
    edited.write_text(text.replace(old, f"{old[:-1]}, when: true}}"), encoding="utf-8")
    machine: Any = lifecycle_machine(mapreduce.LIFECYCLE, definition=edited, store="memory:")
    with pytest.raises(TracesAbsent) as told:
        machine.tour()
    first, *found = str(told.value).splitlines()
    assert first == (
        f"{edited} does not compile, so it is not what the module of 'mapreduce' was compiled from."
        " The compiler says:"
    )
    assert re.match(rf"{re.escape(str(edited))}:{line}:\d+: E408 ", found[0])
    assert found[1].startswith("hint: ")


def in_memory() -> Any:
    return lifecycle_machine(
        mapreduce.LIFECYCLE, definition=DEFINITION, traces=TRACES, store="memory:"
    )
