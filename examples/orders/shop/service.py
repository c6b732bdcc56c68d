"""What the shop does with an order: places it, takes the money, ships it, or cancels it.

An order is a job. It owns no items; the basket, the receipt and the parcel are what its events
carried. Customers and clerks send events. Workers take up what is under way, one order each at a
time, under a lease; one that dies is replaced, and the next begins the step again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, assert_never

from milepost import JobState, LeaseHeld, StateManager
from milepost.executors import run
from shop.orders import (
    LIFECYCLE,
    AnyOrder,
    AnyOrderEvent,
    CancelledOrder,
    ChargingOrder,
    DeliveredOrder,
    OnHoldOrder,
    OrderCancel,
    OrderGoOn,
    OrderHold,
    OrderPay,
    OrderTryAgain,
    PlacedOrder,
    ShippingOrder,
    StuckOrder,
    order_of,
)

__all__ = ["Outside", "Shop", "said"]


class DeclinedError(Exception):
    """The bank says no."""


@dataclass(frozen=True)
class Outside:
    """The bank and the carrier: a file in which each request stands that they were sent.

    The bank declines the first request for each order in `declined`. A request for something that
    was done already, which its `key` tells, is answered as before and does nothing.
    """

    file: Path
    declined: frozenset[str] = frozenset()

    def charge(self, order: str, key: str) -> dict[str, Any]:
        """Take the money for an order. Raises DeclinedError."""
        self._asked("charge", key)
        if order in self.declined and key.endswith("/1"):
            raise DeclinedError("there is no cover")
        return {"receipt": f"R-{key}"}

    def send(self, key: str) -> dict[str, Any]:
        """Hand a parcel to the carrier."""
        self._asked("send", key)
        return {"track": f"T-{key}"}

    def _asked(self, what: str, key: str) -> None:
        done = self.file.read_text(encoding="utf-8").split("\n") if self.file.exists() else []
        if f"{what} {key}" not in done:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(f"{what} {key}\n")


@dataclass(frozen=True)
class Shop:
    """The orders in one store."""

    manager: StateManager

    @staticmethod
    def at(path: Path) -> Shop:
        """The shop whose orders are in the file."""
        return Shop(StateManager.open(path, lifecycle=LIFECYCLE))

    def place(self, order: str, basket: list[str]) -> AnyOrder:
        """A new order; nothing is paid yet."""
        return _typed(self.manager.create_job(job_id=order, variables={"basket": basket}))

    def pay(self, order: str) -> AnyOrder:
        """The customer confirms: from now on workers take care of it."""
        return self._takes(order, OrderPay())

    def hold(self, order: str) -> AnyOrder:
        """Nothing is done until `go_on`; whoever works on the order stops."""
        return self._takes(order, OrderHold())

    def go_on(self, order: str) -> AnyOrder:
        """Where it was left."""
        return self._takes(order, OrderGoOn())

    def try_again(self, order: str) -> AnyOrder:
        """The step that failed, once more. Raises TransitionRefused after too many."""
        return self._takes(order, OrderTryAgain())

    def cancel(self, order: str, reason: str = "") -> AnyOrder:
        """The customer does not want it. Raises TransitionRefused once it is with the carrier."""
        return self._takes(order, OrderCancel(reason=reason))

    def order(self, order: str) -> AnyOrder:
        """One order, as the class of the state that it is in."""
        return _typed(self.manager.get_state(order))

    def history(self, order: str) -> Iterator[str]:
        """What happened to it, a line each."""
        for event in self.manager.get_state_history(order):
            if event.transitions:
                yield f"{event.source} -> {event.target} by {event.event} ({event.owner or 'desk'})"

    def work(self, name: str, outside: Outside) -> list[str]:
        """Take care of each order that is under way and in nobody's hands; which they were.

        What fails is `stuck` afterwards, for a clerk to look at.
        """
        steps: Mapping[str, Callable[[JobState], object]] = {
            "charging": partial(_charge, outside),
            "shipping": partial(_ship, outside),
        }
        taken = []
        for phase in steps:
            for summary in self.manager.list_jobs(phase=phase, lifecycle=LIFECYCLE.name):
                try:
                    run(self.manager, summary.id, phases=steps, owner=name, wait=_nobody_waits)
                except LeaseHeld:
                    continue  # another worker has it
                taken.append(summary.id)
        return taken

    def _takes(self, order: str, event: AnyOrderEvent) -> AnyOrder:
        """The order after an event; a clerk may act on one that a worker holds."""
        return _typed(self.manager.fire(order, event.event, event, operator=True))


def _nobody_waits(held: LeaseHeld) -> None:
    raise held


def _charge(outside: Outside, state: JobState) -> dict[str, Any]:
    """The step of charging: its answer becomes variables of the order.

    A worker that dies before the answer is recorded asks again. So the request has a key by which
    the bank knows it: the order, and the number of the charge, which is part of the state.
    """
    return outside.charge(state.id, f"{state.id}/{state.context['charges']}")


def _ship(outside: Outside, state: JobState) -> dict[str, Any]:
    """The step of shipping: its answer is the result of the order."""
    return outside.send(state.id)


def _typed(state: JobState) -> AnyOrder:
    return order_of(state.phase, state.guarded)


def said(order: AnyOrder) -> str:
    """What the customer is told. A state that is missing here is an error of the type checkers."""
    match order:
        case PlacedOrder():
            return "waits for you to pay"
        case ChargingOrder():
            return f"is being charged (request {order.context.charges})"
        case ShippingOrder():
            return "is paid and on its way to the carrier"
        case OnHoldOrder():
            return "is looked at by somebody of the shop"
        case StuckOrder() if order.context.charges < order.context.most_charges:
            return "had a trouble; it can be tried again"
        case StuckOrder():
            return "had a trouble too often"
        case DeliveredOrder():
            return "is delivered"
        case CancelledOrder():
            return "is cancelled"
        case _:
            assert_never(order)
