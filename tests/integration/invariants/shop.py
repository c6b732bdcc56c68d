"""A shop that owns tasks, with invariants of each kind that its rows can break."""

from __future__ import annotations

from functools import cache

from milepost.machine import Lifecycle, frozen
from tests.contract.lifecycles.compiling import at_once

__all__ = ["SHOP", "shop", "unwatched"]

SHOP = """\
lifecycle: shop
version: 1
machines:
  task:
    initial: waiting
    states: {waiting: {}, busy: {}, done: {final: true}, dropped: {final: true}}
    context:
      spent: {type: int, initial: 0}
      limit: {type: int, param: true, default: 3}
    events:
      begin: {}
      charge: {payload: {n: {type: int}}}
      put_back: {}
      finish: {}
      drop: {}
    transitions:
      - {from: waiting, on: begin, to: busy}
      - {from: busy, on: charge, to: busy, set: {spent: spent + event.n}}
      - {from: busy, on: put_back, to: waiting}
      - {from: busy, on: finish, to: done}
      - {from: [waiting, busy], on: drop, to: dropped}
    invariants:
      affordable: {holds: spent <= limit}
      waits_for_nothing: {in: [waiting], holds: spent == 0}
  shop:
    initial: open
    states: {open: {}, resting: {}, closed: {final: true}, sold: {final: true}}
    context:
      budget: {type: int, initial: 0}
      most: {type: int, param: true, default: 5}
    collections:
      tasks:
        machine: task
        accepts: {open: [begin, charge, put_back, finish, drop], resting: [finish, drop]}
    events:
      spend: {payload: {n: {type: int}}}
      rest: {}
      wake: {}
      close: {}
      sell: {}
    transitions:
      - {from: open, on: spend, to: open, set: {budget: budget + event.n}}
      - {from: open, on: rest, to: resting, members: {tasks: {busy: put_back}}}
      - {from: resting, on: wake, to: open}
      - {from: [open, resting], on: close, to: closed}
      - {from: open, on: sell, to: sold, members: {tasks: {waiting: drop, busy: drop}}}
    invariants:
      rich: {holds: budget <= most}
      few_at_once: {in: [open], holds: tasks.busy <= 2}
      small: {holds: tasks.total <= 5}
      all_done: {in: [closed, sold], holds: tasks.waiting + tasks.busy == 0}
"""


@cache
def shop(text: str = SHOP) -> Lifecycle:
    """The lifecycle of that definition, all of whose invariants are enforced."""
    return at_once(text)


@cache
def unwatched(text: str = SHOP) -> Lifecycle:
    """The same, as a Milepost from before invariants were enforced took its steps."""
    found = at_once(text)
    for machine in found.machines.values():  # of a module that nobody else has
        for part in ("declared", "watched", "invariant_specs", "invariants"):
            object.__setattr__(machine, part, frozen({}))
    object.__setattr__(found, "watched", False)
    return found
