"""One event of an item's life, decided by the generated table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from time import perf_counter
from typing import Any, Final, NamedTuple

from transitions import Machine as TransitionsMachine

from milepost.lifecycles import mapreduce
from pairing import Figure, Settings, at_least, at_most, in_turn, ratios

ROUNDS: Final = 15
LIVES: Final = 2_000
SLOW_LIVES: Final = 200
LIFE: Final = (
    *("start", "fail", "retry"),
    *("start", "fail", "retry"),
    *("start", "fail", "give_up", "requeue"),
)
"""Three attempts fail, nobody tries again, and an operator gives the item a second life."""

Context = Mapping[str, Any]
Guard = Callable[[Context], bool]
Assign = Callable[[Context], Context]


class Result(NamedTuple):
    """What a hand-written table would give, of the same four parts as `machine.Step`."""

    state: str
    context: Context
    transition: str
    members: tuple[str, ...]


def attempts_left(context: Context) -> bool:
    return bool(context["attempts"] < context["max_attempts"])


def no_attempt_left(context: Context) -> bool:
    return bool(context["attempts"] >= context["max_attempts"])


def count_attempt(context: Context) -> Context:
    return {**context, "attempts": context["attempts"] + 1}


def forget_attempts(context: Context) -> Context:
    return {**context, "attempts": 0}


TABLE: Final[dict[tuple[str, str], tuple[str, Guard | None, Assign | None, str]]] = {
    ("pending", "start"): ("running", None, count_attempt, "pending.start"),
    ("running", "succeed"): ("done", None, None, "running.succeed"),
    ("running", "fail"): ("failed", None, None, "running.fail"),
    ("failed", "retry"): ("pending", attempts_left, None, "failed.retry"),
    ("failed", "give_up"): ("dead", no_attempt_left, None, "failed.give_up"),
    ("dead", "requeue"): ("pending", None, forget_attempts, "dead.requeue"),
}
TARGETS: Final = {pair: (target, guard) for pair, (target, guard, _, _) in TABLE.items()}


def by_hand(state: str, event: str, context: Context, _payload: Context) -> str:
    target, guard = TARGETS[state, event]
    if guard is not None and not guard(context):
        raise ValueError(event)
    return target


def by_hand_in_full(state: str, event: str, context: Context, _payload: Context) -> Result:
    target, guard, assign, name = TABLE[state, event]
    if guard is not None and not guard(context):
        raise ValueError(event)
    return Result(target, context if assign is None else assign(context), name, ())


class Item:
    """The model that `transitions` moves, written as its documentation has it."""

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


def life() -> list[tuple[str, str, Context, Context]]:
    """State, event, context and payload of each event of a life."""
    state, context = mapreduce.ITEM.initial, mapreduce.item_context(max_attempts=3)
    lived: list[tuple[str, str, Context, Context]] = []
    for event in LIFE:
        payload: Context = {"cause": "error", "message": ""} if event == "fail" else {}
        lived.append((state, event, context, payload))
        state, context, _, _ = mapreduce.ITEM.step(state, event, context, payload)
    assert (state, context["attempts"]) == ("pending", 0), "a life ends where it began"
    return lived


def cost_of(decide: Callable[[str, str, Context, Context], object]) -> Callable[[int], float]:
    """Measures one call a round in ns; the bare loop around it is taken off."""
    lives = life() * LIVES

    def measure(_turn: int) -> float:
        began = perf_counter()
        for _state, _event, _context, _payload in lives:
            pass
        bare = perf_counter()
        for state, event, context, payload in lives:
            decide(state, event, context, payload)
        return ((perf_counter() - bare) - (bare - began)) / len(lives) * 1e9

    return measure


def cost_of_pairs(_turn: int) -> float:
    """Measures the generated functions of (state, event) pairs as such, in ns a call."""
    rows = mapreduce.ITEM.rows
    lives = [(rows[state][event], context, payload) for state, event, context, payload in life()]
    lives *= LIVES
    began = perf_counter()
    for _decide, _context, _payload in lives:
        pass
    bare = perf_counter()
    for decide, context, payload in lives:
        decide(context, payload)
    return ((perf_counter() - bare) - (bare - began)) / len(lives) * 1e9


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
        give_up = failed.to(dead, unless="attempts_left")
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
        arrow = {"target": row.target, "actions": actions.get(row.id, [])}
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
    events = list(LIFE) * SLOW_LIVES

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


def figures(_settings: Settings) -> Iterator[Figure]:
    also = peers()
    select, step, pair, floor, full_floor, peer, *others_also = in_turn(
        ROUNDS,
        cost_of(mapreduce.ITEM.select),
        cost_of(mapreduce.ITEM.step),
        cost_of_pairs,
        cost_of(by_hand),
        cost_of(by_hand_in_full),
        cost_of_transitions(),
        *also.values(),
    )
    by_name = {"machine.select": select, "machine.step": step, "pair function": pair}
    lookup = ("dict lookup + guard call, gives the target", floor)
    in_full = ("the same, gives a 4-field result", full_floor)
    others = ("transitions 0.9.3, shared machine", peer)
    for name, costs in by_name.items():
        yield ratios(name, costs, lookup, unit="ns", budget=at_most(1.3))
    yield ratios("machine.step", step, in_full, unit="ns", budget=at_most(1.3))
    for name, costs in by_name.items():
        yield ratios(name, costs, others, unit="ns", budget=at_least(40), speed=True)
    for other in zip(also, others_also, strict=True):
        yield ratios("machine.select", select, other, unit="ns", speed=True)
        yield ratios("machine.step", step, other, unit="ns", speed=True)
