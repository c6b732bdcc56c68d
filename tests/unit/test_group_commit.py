"""A line of threads: everybody is served once, and who leaves holds nobody up."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import cast

import pytest

from milepost.state.writing.group_commit import Line, Place


class Told(Place):
    """A place with a name."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.name = name


class Interrupted:
    """A lock in which a thread that waits is met by an interrupt, after `meanwhile`."""

    def __init__(self, meanwhile: Callable[[], None]) -> None:
        self._lock = threading.Lock()
        self._meanwhile = meanwhile

    def acquire(self) -> bool:
        if self._lock.acquire(blocking=False):
            return True
        self._meanwhile()
        raise KeyboardInterrupt

    def release(self) -> None:
        self._lock.release()


class Desk:
    """Serves a line; the first call lasts until it is told to end."""

    def __init__(self) -> None:
        self.line: Line[Told] = Line(self.serve)
        self.served: list[list[str]] = []
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.threads: list[threading.Thread] = []

    def serve(self, places: list[Told]) -> None:
        self.served.append([place.name for place in places])
        if len(self.served) == 1:
            self.begun.set()
            self.may_end.wait()

    def send(self, name: str, *, waiting: int) -> None:
        """A thread that stands in the line, until `waiting` of them wait behind the leader."""
        thread = threading.Thread(target=self.line.stand, args=(Told(name),))
        thread.start()
        self.threads.append(thread)
        self.begun.wait()
        while len(self.line.waiting) < waiting:
            os.sched_yield()

    def end(self) -> None:
        self.may_end.set()
        for thread in self.threads:
            thread.join()


def test_those_that_wait_are_served_together_in_order() -> None:
    desk = Desk()
    desk.send("a", waiting=0)
    for number, name in enumerate("bcd", 1):
        desk.send(name, waiting=number)
    desk.end()
    assert desk.served == [["a"], ["b", "c", "d"]]


def test_what_serving_raises_is_the_leaders_alone() -> None:
    line: Line[Told]

    def serve(places: list[Told]) -> None:
        raise OSError([place.name for place in places])

    line = Line(serve)
    for name in "ab":
        with pytest.raises(OSError, match=name):
            line.stand(Told(name))


def interrupted(desk: Desk, meanwhile: Callable[[], None]) -> None:
    place = Told("gone")
    place.ready = cast("threading.Lock", Interrupted(meanwhile))
    with pytest.raises(KeyboardInterrupt):
        desk.line.stand(place)


def test_who_leaves_before_its_turn_is_not_served() -> None:
    desk = Desk()
    desk.send("a", waiting=0)
    interrupted(desk, lambda: None)
    desk.send("b", waiting=1)
    desk.end()
    assert desk.served == [["a"], ["b"]]


def test_who_leaves_as_it_is_told_to_lead_leads_the_others_first() -> None:
    """Its own request is not begun; those behind it would wait for ever."""
    desk = Desk()
    desk.send("a", waiting=0)

    def meanwhile() -> None:
        desk.send("b", waiting=2)
        desk.may_end.set()
        desk.threads[0].join()

    interrupted(desk, meanwhile)
    desk.end()
    assert desk.served == [["a"], ["b"]]


def test_who_leaves_as_it_is_served_wakes_the_one_behind_it() -> None:
    """It leaves before it is woken, or at that moment: the relay goes on either way."""
    for leaves_late in (False, True):
        desk = Desk()
        desk.send("a", waiting=0)
        desk.send("b", waiting=1)

        def meanwhile(desk: Desk = desk, late: bool = leaves_late) -> None:
            desk.send("c", waiting=3)
            desk.may_end.set()
            while len(desk.served) < 2:
                os.sched_yield()
            if late:
                desk.threads[1].join()

        interrupted(desk, meanwhile)
        desk.end()
        assert desk.served == [["a"], ["b", "gone", "c"]]
