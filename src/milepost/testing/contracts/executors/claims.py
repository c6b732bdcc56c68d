"""What an engine says of itself and of its calls, held against what its calls are seen to do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from milepost.executors.calls import ExecutorSource
from milepost.executors.engines.find import engine_of, known
from milepost.executors.engines.protocol import Engine
from milepost.testing.contracts.executors.contract import LOOKS_S
from milepost.testing.contracts.executors.held import HeldCalls
from milepost.testing.contracts.patience import Bounded

__all__ = ["ClaimContract"]


class ClaimContract(Bounded):
    """What `run` believes an engine, as tests: a part of `EngineContract`.

    A call is seen to begin and to go on by files.
    """

    @pytest.fixture
    def engine(self, executor: ExecutorSource) -> Iterator[Engine]:
        """The engine that a run makes of the `executor`."""
        owned = not known(executor)
        assert not owned or callable(executor), executor
        given = executor() if owned and callable(executor) else executor
        engine = engine_of(given, owned=owned)
        yield engine
        if engine is not executor:
            engine.close(wait=True)

    def test_so_many_calls_run_at_once_as_it_says(self, engine: Engine, tmp_path: Path) -> None:
        """`slots`. With more, calls count as begun that wait; with fewer, workers stand idle."""
        with self._held(engine, tmp_path) as held:
            slots = _slots(held)
            held.give(2 * slots)
            _all_begin(held, slots)
            held.look(lambda: len(held.begun()) > slots, LOOKS_S)
            held.until(  # a cluster may have grown by what it was given
                lambda: len(held.begun()) <= (engine.slots() or slots),
                lambda: (
                    f"{engine.name} runs {len(held.begun())} calls at once, and its slots() says"
                    f" {engine.slots()}"
                ),
            )

    def test_calls_begin_in_the_order_in_which_it_got_them(
        self, engine: Engine, tmp_path: Path
    ) -> None:
        """`in_order`. The time of a call with a limit begins to run where those before have ended.

        The first ones begin together, each other one as one of them ends.
        """
        with self._held(engine, tmp_path) as held:
            if not engine.in_order:
                pytest.skip("it does not say that they do: in_order is False")
            slots = _slots(held)
            held.give(2 * slots + 2)
            _all_begin(held, slots)
            assert sorted(held.begun()) == [*range(slots)], "the first calls are not begun first"
            for number in range(slots + 2):
                held.let_go(number)
                _all_begin(held, slots + number + 1, f"once {number + 1} had ended")
                later = [*range(slots, slots + number + 1)]
                assert held.begun()[slots:] == later, "calls do not begin in their order"

    def test_a_call_that_has_begun_is_said_to_have(self, engine: Engine, tmp_path: Path) -> None:
        """`begun`. A call of which it says False is handed back, or given more time.

        It may say True of any call: then it is one that may have begun. What it hears late from a
        worker it may say late.
        """
        with self._held(engine, tmp_path) as held:
            slots = _slots(held)
            held.give(slots)
            _all_begin(held, slots)
            for number, future in enumerate(held.futures):
                unsaid = f"call {number} goes on, and begun() of {engine.name} says False of it"
                held.until(partial(engine.begun, future), unsaid)

    def test_a_call_that_it_takes_back_is_not_made(self, engine: Engine, tmp_path: Path) -> None:
        """`take_back`. What it says True of is handed back, as if it had never been called."""
        with self._held(engine, tmp_path) as held:
            slots = _slots(held)
            held.give(2 * slots + 2)
            _all_begin(held, slots)
            taken = [
                number
                for number in reversed(range(len(held.futures)))
                if engine.take_back(held.futures[number])
            ]
            made = set(range(len(held.futures))) - set(taken)
            held.let_go(*range(len(held.futures)))
            held.until(
                lambda: all(held.futures[number].done() for number in made),
                f"{engine.name} does not make all calls of {made}, which it has not taken back",
            )
            after = len(held.futures)
            held.give(slots)  # as long as these go on together, nothing waits that came before them
            held.until(
                lambda: {*range(after, after + slots)} <= {*held.begun()},
                f"{engine.name} makes no {slots} calls at once after some were taken back",
            )
            assert {*taken} & {*held.begun()} == set(), "were taken back, and were made"

    def test_a_call_that_it_stops_has_ended(self, engine: Engine, tmp_path: Path) -> None:
        """`kills`, and what `stop` gives: it is over, and its slot is free for another."""
        with self._held(engine, tmp_path) as held:
            slots = _slots(held)
            held.give(1)
            _all_begin(held, 1)
            over = engine.stop(held.futures[0])
            if not (over or engine.kills):
                pytest.skip("it does not say that it ends calls: kills is False, and so is stop()")
            held.until(
                lambda: not held.goes_on(0),
                f"{engine.name} says that it has ended a call (kills is {engine.kills}, stop() was"
                f" {over}), and the call goes on",
            )
            held.give(slots)
            _all_begin(held, 1 + slots, "since one that was stopped still has a slot")

    def _held(self, engine: Engine, tmp_path: Path) -> HeldCalls:
        return HeldCalls(engine, tmp_path / "held", self.patience_s / 2)


def _slots(held: HeldCalls) -> int:
    """How many calls the engine says that it runs at once."""
    slots = held.engine.slots()
    if slots is None:
        pytest.skip("it does not say how many calls run at once: slots() is None")
    return slots


def _all_begin(held: HeldCalls, count: int, then: str = "") -> None:
    """Wait until so many calls have begun."""
    held.until(
        lambda: len(held.begun()) >= count,
        lambda: (
            f"slots() of {held.engine.name} says {held.engine.slots()}, and of"
            f" {len(held.futures)} calls that it was given {len(held.begun())} have begun, where"
            f" {count} should have{' ' if then else ''}{then}"
        ),
    )
