"""The typed surface of generated modules: it agrees with the generic one, and cannot be changed."""

import copy
import itertools
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from milepost.lifecycles import mapreduce
from milepost.machine import (
    ContextInvalid,
    InvariantBroken,
    Machine,
    MemberEvent,
    Step,
    TransitionRefused,
    TypedState,
    Values,
)
from milepost_codegen.compiler import compile_definition
from milepost_codegen.findings import DefinitionError
from milepost_codegen.names import OF_STATES, attribute, payload_class, state_class

from .lifecycles import RICH, ROOT, SMALL, load

EXAMPLES = sorted((ROOT / "examples" / "lifecycles").glob("*.yaml"))
NUMBERS = (0, 1, 3)
VALUES = {"int": NUMBERS, "bool": (False, True), "json": ({"a": [1]},), "str": ("x",)}
OTHERS = {"bytes": (b"x",), "timestamp": (5,)}

AWKWARD = Path(__file__).with_name("awkward_names.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> ModuleType:
    return load(RICH, tmp_path_factory.mktemp("rich"))


def contexts(machine: Machine) -> Iterator[Values]:
    """Contexts over small domains: all of what is small enough, every so many of the rest."""
    domains: dict[str, tuple[object, ...]] = {}
    for variable in machine.variables:
        domains[variable.name] = variable.members or VALUES[variable.type]
    for entry in machine.entries:
        kind, _, group = entry.partition(".")
        domains[entry] = machine.groups[group] if kind == "history" else (0, 1)
    size = 1
    for domain in domains.values():
        size *= len(domain)
    step = size // 2000 * 2 + 1  # odd, so that every domain of two is seen whole
    step += 2 * (step % 3 == 0)  # and every domain of three
    for values in itertools.islice(itertools.product(*domains.values()), 0, None, step):
        yield dict(zip(domains, values, strict=True))


def payloads(machine: Machine, event: str) -> list[dict[str, object]]:
    """Small payloads of an event."""
    fields = machine.event_specs[event].fields
    domains = [field.members or (VALUES | OTHERS)[field.type] for field in fields]
    names = [field.name for field in fields]
    return [dict(zip(names, one, strict=True)) for one in itertools.product(*domains)]


def typed_event(module: ModuleType, machine: Machine, event: str, values: Values) -> object:
    """The generated object for an event, its enums as members."""
    kind = getattr(module, payload_class(machine.name, event))
    given = dict(values)
    for field in machine.event_specs[event].fields:
        if field.members:
            enum = getattr(module, field.type[0].upper() + field.type[1:])
            given[field.name] = enum(given[field.name])
    return kind(**given)


def agree(outcome: TypedState, step: Step) -> None:
    """One outcome, told by both surfaces."""
    assert outcome.name == step.state  # type: ignore[attr-defined]  # of generated classes
    assert outcome.values() == step.context
    assert outcome.transition == step.transition
    assert getattr(outcome, "members", ()) == step.members
    assert all(type(value) in {int, bool, str} for value in outcome.values().values())


def refuses_alike(
    machine: Machine, state: str, event: str, context: Values, broken: InvariantBroken
) -> None:
    """A context that the typed surface does not take is none for the generic one either.

    A step looks at what is enforced alone: what is proved no run can break.
    """
    assert not machine.invariants[broken.invariant](state, context)
    if broken.invariant not in machine.enforced:
        return
    with pytest.raises(TransitionRefused):
        for payload in payloads(machine, event):
            machine.step(state, event, context, machine.payload(event, payload))


def compare(module: ModuleType, machine: Machine) -> int:
    """Every event in every state, in many contexts: how many were taken by both surfaces."""
    taken = 0
    of = getattr(module, f"{machine.name}_of")
    take = getattr(module, f"{machine.name}_take")
    objects = {
        event: [
            (machine.payload(event, one), typed_event(module, machine, event, one))
            for one in payloads(machine, event)
        ]
        for event in machine.events
    }
    for state, event in itertools.product(machine.states, machine.events):
        method = attribute(event, OF_STATES)
        if event not in machine.allowed(state):
            assert not hasattr(getattr(module, state_class(machine.name, state)), method)
            continue
        for context in contexts(machine):
            try:
                typed = of(state, context)
            except InvariantBroken as broken:
                refuses_alike(machine, state, event, context, broken)
                continue
            except ContextInvalid:
                assert not all(one.holds(context) for one in machine.variables if one.holds)
                continue
            for payload, given in objects[event]:
                arguments = (given,) if machine.event_specs[event].fields else ()
                try:
                    step = machine.step(state, event, context, payload)
                except TransitionRefused as refused:
                    with pytest.raises(TransitionRefused) as caught:
                        getattr(typed, method)(*arguments)
                    assert (caught.value.machine, caught.value.state) == (machine.name, state)
                    assert type(caught.value) is type(refused)
                    assert caught.value.guards == refused.guards
                    with pytest.raises(TransitionRefused):
                        take(typed, given)
                    continue
                outcome = getattr(typed, method)(*arguments)
                agree(outcome, step)
                agree(take(typed, given), step)
                assert type(outcome) is getattr(module, state_class(machine.name, step.state))
                if not step.members:  # or their numbers are not those of the context any more
                    assert of(step.state, step.context) == outcome
                taken += 1
            assert typed.values() == context
    return taken


def clean(folder: Path) -> None:
    """Formatter and linter have nothing to say about the modules in `folder`."""
    options = ["--config", ROOT / "pyproject.toml", "--no-cache", folder]
    for command in (["format", "--diff"], ["check"]):
        ruff = Path(sys.executable).with_name("ruff")
        subprocess.run([ruff, *command, *options], check=True)


def test_mapreduce_agrees() -> None:
    """The typed and the generic surface of the built-in lifecycle say the same."""
    for machine in mapreduce.LIFECYCLE.machines.values():
        assert compare(mapreduce, machine) > 50


def test_the_rich_example_agrees(rich: ModuleType) -> None:
    """So do those of a lifecycle with one of everything."""
    assert compare(rich, rich.PART_1) > 0
    assert compare(rich, rich.BATCH) > 1000


def test_disagreement_is_seen(tmp_path: Path) -> None:
    """The comparison can fail."""
    module = load(RICH, tmp_path)
    module.HotBatch.break_up = module.BusyBatch.close
    with pytest.raises(AssertionError):
        compare(module, module.BATCH)


def test_awkward_names_are_clean_and_agree(tmp_path: Path) -> None:
    """Keywords get a `_`, long unions a name; formatter and linter have nothing to say."""
    module = load(AWKWARD, tmp_path)
    assert compare(module, module.PART) > 0
    assert compare(module, module.OWNER_OF_PARTS_WITH_QUITE_A_LONG_NAME) > 0
    new = module.owner_of_parts_with_quite_a_long_name_new()
    assert (new.context.class_, new.context.property_, new.context.int_) == (0, False, "yield")
    assert new.context.parts.lambda_ == new.context.others.name == 0
    ended = new.name_()
    assert ended.members == (
        MemberEvent("parts", "lambda", "return"),
        MemberEvent("others", "name", "values"),
    )
    assert type(ended.members[1]).__name__ == "OwnerOfPartsWithQuiteALongNameOthersEvent"
    clean(tmp_path)


def test_states_and_contexts_cannot_be_changed() -> None:
    """Not by assignment, and not through what they were made from or give out."""
    given = dict(mapreduce.job_context(max_dead=1))
    job = mapreduce.job_of("map", given)
    given["max_dead"] = 7
    assert job.context.max_dead == 1
    for target, name in [
        (job, "context"),
        (job, "name"),
        (job, "other"),
        (job.context, "max_dead"),
        (job.context, "other"),
        (job.context.items, "pending"),
    ]:
        with pytest.raises(AttributeError):
            setattr(target, name, 5)
    with pytest.raises(TypeError):
        job.values()["max_dead"] = 5  # type: ignore[index]  # the point


def test_states_are_values() -> None:
    """Equal by class and context, whichever way they were come by; they hash, copy and pickle."""
    item = mapreduce.item_new(max_attempts=2)
    again = item.start().release()
    assert item == again
    assert hash(item) == hash(again)
    assert (item.transition, again.transition) == ("", "running.release")
    assert item != item.skip()
    assert item.context == again.context
    assert hash(item.context) == hash(again.context)
    assert repr(item).startswith("PendingItem({'attempts': 0, ")
    assert repr(item.context).startswith("ItemContext({'attempts': 0, ")
    assert copy.deepcopy(again) == pickle.loads(pickle.dumps(again)) == item
    assert mapreduce.ItemStart() == mapreduce.ItemStart()
    assert mapreduce.ItemStart() != mapreduce.ItemSkip()
    assert mapreduce.ITEM.payload("start", mapreduce.ItemStart()) == {}


def test_what_is_wrong_is_said() -> None:
    """Wrong parameters, unknown states, and events that only untyped code can give."""
    with pytest.raises(ContextInvalid):
        mapreduce.item_new(max_attempts=0)
    with pytest.raises(KeyError):
        mapreduce.item_of("runing", mapreduce.item_context())
    with pytest.raises(TransitionRefused):
        mapreduce.item_take(mapreduce.item_new(), mapreduce.ItemRetry())


def test_handlers_drive_a_machine_to_its_end() -> None:
    """The handler of the state is asked, and its answer taken."""
    handlers = mapreduce.ItemHandlers(
        on_pending=lambda _: mapreduce.ItemStart(),
        on_running=lambda item: (
            mapreduce.ItemSucceed(result=item.context.attempts)
            if item.context.attempts == 2
            else mapreduce.ItemFail(cause=mapreduce.Cause.ERROR, message="not yet")
        ),
        on_done=lambda _: mapreduce.ItemRedo(),
        on_failed=lambda _: mapreduce.ItemRetry(),
        on_dead=lambda _: mapreduce.ItemSkip(),
    )
    item: mapreduce.AnyItem = mapreduce.item_new()
    path: list[str] = []
    while not isinstance(item, mapreduce.DoneItem | mapreduce.SkippedItem):
        item = mapreduce.item_handle(item, handlers)
        path.append(item.transition)
    assert path == [
        "pending.start",
        "running.fail",
        "failed.retry",
        "pending.start",
        "running.succeed",
    ]


def test_a_state_and_an_event_may_have_one_name(tmp_path: Path) -> None:
    """A machine that is closed and the event that closes it are two classes."""
    module = load(SMALL.replace("close:", "closed:").replace("on: close,", "on: closed,"), tmp_path)
    assert isinstance(module.task_take(module.task_new(), module.TaskClosed()), module.ClosedTask)


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("closed", "any", "AnyTask"),
        ("close:", "context:", "TaskContext"),
        ("close", "open_state", "TaskOpenState"),
        ("close:", "pass: {}, pass_:", "pass_"),
        ("version: 1\n", "version: 1\nenums: {AnyTask: [a, b]}\n", "AnyTask"),
    ],
)
def test_clashes_are_found(old: str, new: str, name: str) -> None:
    """Names that lead to one class or one method are reported as such."""
    text = SMALL.replace(old, new)
    with pytest.raises(DefinitionError) as caught:
        compile_definition(text.encode(), "clash.yaml")
    messages = [one.message for one in caught.value.findings if one.code == "E211"]
    assert any(f"'{name}'" in message for message in messages), caught.value


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_lifecycles_are_clean_and_agree(path: Path, tmp_path: Path) -> None:
    """So are and do those of real systems' tables."""
    module = load(path.read_text(encoding="utf-8"), tmp_path)
    for machine in module.LIFECYCLE.machines.values():
        assert compare(module, machine) > 0
    clean(tmp_path)
