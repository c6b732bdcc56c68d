"""The peers of a step: other packages' machines, led through the same life of an item."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib.metadata import version
from time import perf_counter
from typing import Any, Final

from transitions import Machine as TransitionsMachine

from milepost.lifecycles import mapreduce

__all__ = ["LIFE", "attempts_left", "cost_of_transitions", "peers"]

SLOW_LIVES: Final = 200
LIFE: Final = (
    *("start", "fail", "retry"),
    *("start", "fail", "retry"),
    *("start", "fail", "give_up", "requeue"),
)
"""Three attempts fail, nobody tries again, and an operator gives the item a second life."""

Context = Mapping[str, Any]


def attempts_left(context: Context) -> bool:
    return bool(context["attempts"] < context["max_attempts"])


def no_attempt_left(context: Context) -> bool:
    return bool(context["attempts"] >= context["max_attempts"])


class Item:
    """The model that `transitions` moves, written as its documentation has it."""

    state: str  # kept by the peer

    def __init__(self) -> None:
        self.attempts = 0
        self.max_attempts = 3

    def attempts_left(self) -> bool:
        return self.attempts < self.max_attempts

    def count_attempt(self) -> None:
        self.attempts += 1

    def forget_attempts(self) -> None:
        self.attempts = 0


def by_transitions() -> Item:
    """An item of a shared `transitions` machine that has the rows of ours."""
    machine = TransitionsMachine(
        model=None,
        states=list(mapreduce.ITEM.states),
        initial=mapreduce.ITEM.initial,
        transitions=[
            {
                "trigger": row.event,
                "source": row.source,
                "dest": row.target,
                "conditions": ["attempts_left"] if row.guard == "attempts_left" else [],
                "unless": ["attempts_left"] if row.guard == "not attempts_left" else [],
                "after": {"pending.start": "count_attempt", "dead.requeue": "forget_attempts"}.get(
                    row.id
                ),
            }
            for row in mapreduce.ITEM.transitions
            if row.id != "running.release"
        ],
        auto_transitions=False,
    )
    item = Item()
    machine.add_model(item)
    return item


def cost_of_transitions() -> Callable[[int], float]:
    item = by_transitions()
    fires = [getattr(item, event) for event in LIFE] * SLOW_LIVES

    def measure(_turn: int) -> float:
        began = perf_counter()
        for fire in fires:
            fire()
        return (perf_counter() - began) / len(fires) * 1e9

    return measure


def cost_of_python_statemachine() -> Callable[[int], float]:
    """Events as methods, which its documentation shows first and which are faster than `send`."""
    from statemachine import State, StateMachine  # noqa: PLC0415 the peer may not be installed

    class ItemMachine(StateMachine):
        pending = State(initial=True)
        running = State()
        failed = State()
        dead = State()
        done = State(final=True)
        skipped = State(final=True)

        start = pending.to(running, on="count_attempt")
        succeed = running.to(done)
        fail = running.to(failed)
        interrupt = running.to(pending, cond="attempts_left") | running.to(
            failed, unless="attempts_left"
        )
        retry = failed.to(pending, cond="attempts_left")
        give_up = failed.to(dead)
        requeue = dead.to(pending, on="forget_attempts")
        skip = pending.to(skipped) | running.to(skipped) | failed.to(skipped) | dead.to(skipped)

    item = Item()
    machine = ItemMachine(item)
    fires = [getattr(machine, event) for event in LIFE] * SLOW_LIVES

    def measure(_turn: int) -> float:
        began = perf_counter()
        for fire in fires:
            fire()
        cost = (perf_counter() - began) / len(fires) * 1e9
        assert (item.state, item.attempts) == ("pending", 0), "a life ends where it began"
        return cost

    return measure


def cost_of_xstate_statemachine() -> Callable[[int], float]:
    """The synchronous interpreter, which takes a list of events at once faster than one by one."""
    from xstate_statemachine import (  # noqa: PLC0415 the peer may not be installed
        MachineLogic,
        SyncInterpreter,
        assign,
        create_machine,
    )

    actions = {
        "pending.start": assign({"attempts": lambda read: read["context"]["attempts"] + 1}),
        "dead.requeue": assign({"attempts": lambda _: 0}),
    }
    states: dict[str, Any] = {
        state: {"type": "final"} if state in mapreduce.ITEM.final else {"on": {}}
        for state in mapreduce.ITEM.states
    }
    for row in mapreduce.ITEM.transitions:
        if row.id == "running.release":
            continue
        arrow: dict[str, Any] = {"target": row.target, "actions": actions.get(row.id, [])}
        if row.guard:
            arrow["guard"] = "attempts_left" if row.guard == "attempts_left" else "no_attempt_left"
        states[row.source]["on"].setdefault(row.event, []).append(arrow)
    machine = create_machine(
        {
            "id": "item",
            "initial": mapreduce.ITEM.initial,
            "context": {"attempts": 0, "max_attempts": 3},
            "states": states,
        },
        logic=MachineLogic(
            guards={
                "attempts_left": lambda context, _: attempts_left(context),
                "no_attempt_left": lambda context, _: no_attempt_left(context),
            }
        ),
    )
    item = SyncInterpreter(machine).start()
    events: list[Any] = list(LIFE) * SLOW_LIVES

    def measure(_turn: int) -> float:
        began = perf_counter()
        item.send_events(events)
        cost = (perf_counter() - began) / len(events) * 1e9
        ended = (item.current_state_ids, item.context["attempts"])
        assert ended == ({"item.pending"}, 0), "a life ends where it began"
        return cost

    return measure


PEERS: Final[dict[str, Callable[[], Callable[[int], float]]]] = {
    "python-statemachine": cost_of_python_statemachine,
    "xstate-statemachine": cost_of_xstate_statemachine,
}
"""Packages that are measured where they are installed, beside transitions, which always is."""


def peers() -> dict[str, Callable[[int], float]]:
    """The measurements of the peers that are installed, by name and version."""
    found: dict[str, Callable[[int], float]] = {}
    for name, prepare in PEERS.items():
        try:
            found[f"{name} {version(name)}"] = prepare()
        except ImportError:
            print(f"steps: {name} is not installed and is left out: make bench", file=sys.stderr)
    return found
