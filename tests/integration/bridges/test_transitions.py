"""A bridged machine takes the very steps of the compiled one, and refuses what that refuses."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from typing import Any

import pytest
import transitions

from milepost.bridges import Carrier, NameTaken, PackageMissing, to_transitions
from milepost.lifecycles import mapreduce
from milepost.lifecycles.mapreduce import Cause, ItemFail
from milepost.machine import Event, Machine, PayloadInvalid, TransitionRefused

from .machines import MACHINES, contexts, initial, payloads


def agree(machine: Machine, compiled: Machine) -> tuple[int, int]:
    """How many steps of `machine` moved and how many were refused; `compiled` did the same."""
    model = Carrier({})
    bridged = to_transitions(machine, model)
    moved = refused = 0
    cases = [(event, given) for event in machine.events for given in payloads(machine, event)]
    for context in contexts(machine):
        for state in machine.states:
            for event, payload in cases:
                bridged.set_state(state, model)
                model.context, model.transition, model.members = context, "", ()
                try:
                    expected = compiled.step(state, event, context, payload)
                except TransitionRefused as refusal:
                    with pytest.raises(transitions.MachineError) as caught:
                        getattr(model, event)(payload)
                    assert str(refusal) in str(caught.value)
                    assert (model.state, model.context, model.transition) == (state, context, "")
                    refused += 1
                    continue
                assert getattr(model, event)(payload) is True
                found = (model.state, model.context, model.transition, model.members)
                assert found == tuple(expected), (state, event, context, payload)
                moved += 1
    return moved, refused


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_every_pair_agrees_in_every_small_context(machine: Machine) -> None:
    """State, context, transition, members and the words of refusals."""
    moved, refused = agree(machine, machine)
    assert moved >= 3
    assert refused >= 1


def test_the_comparison_sees_a_wrong_row() -> None:
    """Negative control: with the guards of two rows exchanged the two differ."""
    item = mapreduce.ITEM
    wrong = replace(
        item,
        rows={
            **item.rows,
            "failed": {**item.rows["failed"], "retry": item.rows["pending"]["skip"]},
        },
    )
    with pytest.raises((AssertionError, pytest.fail.Exception, transitions.MachineError)):
        agree(item, wrong)


def item_model(**options: Any) -> Any:
    model = Carrier(mapreduce.ITEM.context(max_attempts=1))
    to_transitions(mapreduce.ITEM, model, **options)
    return model


def test_a_payload_comes_as_keywords_or_as_one_object() -> None:
    """All forms mean the same, and are checked before anything moves."""
    for given, fields in (
        ((), {"cause": "error", "message": "x"}),
        (({"cause": "error", "message": "x"},), {}),
        ((ItemFail(cause=Cause.ERROR, message="x"),), {}),
    ):
        model = item_model()
        model.start()
        assert model.fail(*given, **fields)
        assert model.is_failed()
    model = item_model()
    model.start()
    with pytest.raises(PayloadInvalid, match="'message' is missing"):
        model.fail(cause="error")
    with pytest.raises(TypeError, match="not as both"):
        model.fail({"cause": "error"}, message="x")
    assert model.state == "running"


def test_refusals_are_errors_or_false_but_never_both() -> None:
    """A missing row and a guard that says no are refused alike."""
    for trigger in ("requeue", "retry"):
        strict, lenient = item_model(), item_model(raises=False)
        for model in (strict, lenient):
            assert model.start()
            assert model.fail(cause="error", message="")
            assert getattr(model, f"may_{trigger}")() is False
            assert model.may_give_up() is True
        with pytest.raises(transitions.MachineError, match=r"item: .* is not allowed in") as caught:
            getattr(strict, trigger)()
        assert isinstance(caught.value.__cause__, TransitionRefused)
        assert getattr(lenient, trigger)() is False
        assert lenient.trigger(trigger) is False
        assert strict.state == lenient.state == "failed"


class Listener(Carrier):
    """A carrier that listens, as models of `transitions` do."""

    def __init__(self, context: Any) -> None:
        super().__init__(context)
        self.heard: list[tuple[str, int]] = []

    def on_enter_running(self, data: transitions.EventData) -> None:
        """Called by `transitions`, with the context after the step."""
        self.heard.append((data.transition.source, self.context["attempts"]))


def test_callbacks_see_the_context_after_the_step() -> None:
    """What `transitions` is for, its callbacks, works on a subclass."""
    model = Listener(mapreduce.ITEM.context())
    to_transitions(mapreduce.ITEM, model)
    model.start()  # type: ignore[attr-defined]  # added by transitions
    assert model.heard == [("pending", 1)]


def test_an_ignored_event_neither_leaves_nor_enters() -> None:
    """It is accepted, and told apart from a step back to the same state."""
    batch = MACHINES["rich_example.batch"]
    bridged = to_transitions(batch)
    entered: list[str] = []
    bridged.on_enter_closed(lambda data: entered.append(data.event.name))
    model: Any = Carrier(initial(batch))
    bridged.add_model(model)
    assert model.close()
    assert model.rest()
    assert (model.state, model.transition, entered) == ("closed", "closed.rest", ["close"])


def test_only_carriers_can_be_moved() -> None:
    """Another object would have no context to keep."""
    bridged = to_transitions(mapreduce.ITEM)
    model: Any = type("Other", (), {})()
    bridged.add_model(model)
    with pytest.raises(TypeError, match="must be a Carrier"):
        model.start()


def test_many_models_share_one_machine() -> None:
    """A machine holds nothing of any model."""
    bridged = to_transitions(mapreduce.ITEM)
    models: list[Any] = [Carrier(mapreduce.ITEM.context()) for _ in range(3)]
    bridged.add_model(models)
    models[1].start()
    assert [model.state for model in models] == ["pending", "running", "pending"]
    assert [model.context["attempts"] for model in models] == [0, 1, 0]


@pytest.mark.parametrize("name", ["state", "context", "trigger", "is_open", "may_begin"])
def test_a_name_that_the_model_needs_is_refused_unless_prefixed(name: str) -> None:
    """The error says how to go on, and that helps."""
    item = mapreduce.ITEM
    renamed = replace(
        item,
        events=(name, "begin"),
        states=("open", "pending", "running"),
        event_specs={name: Event(name=name)},
        transitions=(replace(item.transitions[0], event=name),),
        rows={"pending": {name: item.rows["pending"]["start"]}},
    )
    with pytest.raises(NameTaken, match="prefix='on_'"):
        to_transitions(renamed)
    model = Carrier(item.context())
    to_transitions(renamed, model, prefix="on_")
    assert hasattr(model, f"on_{name}")


def test_without_the_package_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """And says how to install it; SCXML needs nothing."""
    monkeypatch.setitem(sys.modules, "transitions", None)
    monkeypatch.delitem(sys.modules, "milepost.bridges.rows", raising=False)
    with pytest.raises(PackageMissing, match=r"pip install 'milepost\[bridges\]'"):
        to_transitions(mapreduce.ITEM)
    assert importlib.import_module("milepost.bridges").to_scxml(mapreduce.ITEM)
