"""One event of an item's life, decided by the generated table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final, NamedTuple

from milepost.lifecycles import mapreduce
from pairing import Figure, Settings, at_least, at_most, in_turn, ratios
from peers import LIFE, attempts_left, cost_of_transitions, peers

ROUNDS: Final = 15
LIVES: Final = 2_000
Context = Mapping[str, Any]
FAILURE: Final[Context] = {"cause": "error", "message": "", "permanent": False}
Guard = Callable[[Context], bool]
Assign = Callable[[Context], Context]


class Result(NamedTuple):
    """What a hand-written table would give, of the same four parts as `machine.Step`."""

    state: str
    context: Context
    transition: str
    members: tuple[str, ...]


def count_attempt(context: Context) -> Context:
    return {**context, "attempts": context["attempts"] + 1}


def forget_attempts(context: Context) -> Context:
    return {**context, "attempts": 0}


TABLE: Final[dict[tuple[str, str], tuple[str, Guard | None, Assign | None, str]]] = {
    ("pending", "start"): ("running", None, count_attempt, "pending.start"),
    ("running", "succeed"): ("done", None, None, "running.succeed"),
    ("running", "fail"): ("failed", None, None, "running.fail"),
    ("failed", "retry"): ("pending", attempts_left, None, "failed.retry"),
    ("failed", "give_up"): ("dead", None, None, "failed.give_up"),
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


@dataclass(frozen=True, slots=True)
class Held:
    """What a hand-written table would give who wants an object: a state with its context."""

    state: str
    context: Context


def by_hand_as_object(held: Held, event: str) -> Held:
    target, guard, assign, _ = TABLE[held.state, event]
    if guard is not None and not guard(held.context):
        raise ValueError(event)
    return Held(target, held.context if assign is None else assign(held.context))


def life() -> list[tuple[str, str, Context, Context]]:
    """State, event, context and payload of each event of a life."""
    state, context = mapreduce.ITEM.initial, mapreduce.item_context(max_attempts=3)
    lived: list[tuple[str, str, Context, Context]] = []
    for event in LIFE:
        payload = FAILURE if event == "fail" else {}
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


def cost_of_methods(_turn: int) -> float:
    """Measures the events of typed states as methods, in ns a call."""
    lives: list[tuple[Callable[..., object], tuple[object, ...]]] = []
    for state, event, context, _ in life():
        payload = mapreduce.ItemFail(cause=mapreduce.Cause.ERROR, message="")
        typed = mapreduce.item_of(state, context)
        lives.append((getattr(typed, event), (payload,) if event == "fail" else ()))
    return cost_of_calls(lives * LIVES)


def cost_of_objects(_turn: int) -> float:
    """Measures the hand-written table that gives an object, in ns a call."""
    lives = [(by_hand_as_object, (Held(s, context), event)) for s, event, context, _ in life()]
    return cost_of_calls(lives * LIVES)


def cost_of_calls(calls: Sequence[tuple[Callable[..., object], tuple[object, ...]]]) -> float:
    began = perf_counter()
    for _fire, _arguments in calls:
        pass
    bare = perf_counter()
    for fire, arguments in calls:
        fire(*arguments)
    return ((perf_counter() - bare) - (bare - began)) / len(calls) * 1e9


def figures(_settings: Settings) -> Iterator[Figure]:
    also = peers()
    select, step, pair, method, floor, full_floor, object_floor, peer, *others_also = in_turn(
        ROUNDS,
        cost_of(mapreduce.ITEM.select),
        cost_of(mapreduce.ITEM.step),
        cost_of_pairs,
        cost_of_methods,
        cost_of(by_hand),
        cost_of(by_hand_in_full),
        cost_of_objects,
        cost_of_transitions(),
        *also.values(),
    )
    by_name = {"machine.select": select, "machine.step": step, "pair function": pair}
    lookup = ("dict lookup + guard call, gives the target", floor)
    in_full = ("the same, gives a 4-field result", full_floor)
    others = ("transitions 0.9.3, shared machine", peer)
    for name, costs in by_name.items():
        # A step also gives the new context: it is held against the lookup that does so too.
        budget = None if name == "machine.step" else at_most(1.3)
        yield ratios(name, costs, lookup, unit="ns", budget=budget)
    yield ratios("machine.step", step, in_full, unit="ns", budget=at_most(1.3))
    as_object = ("the same, gives a frozen dataclass", object_floor)
    yield ratios("a state's method", method, as_object, unit="ns", budget=at_most(1.3))
    yield ratios("a state's method", method, others, unit="ns", speed=True)
    for name, costs in by_name.items():
        # 155 ns would have to do for a result with a new context.
        forty = None if name == "machine.step" else at_least(40)
        yield ratios(name, costs, others, unit="ns", budget=forty, speed=True)
    for other in zip(also, others_also, strict=True):
        yield ratios("machine.select", select, other, unit="ns", speed=True)
        yield ratios("machine.step", step, other, unit="ns", speed=True)
