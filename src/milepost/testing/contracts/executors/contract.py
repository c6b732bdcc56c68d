"""What an executor keeps to, whatever its loop is: what is recorded is what was called."""

from __future__ import annotations

import inspect
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import ClassVar, Final, NamedTuple, Protocol

import pytest

from milepost.errors import LeaseLost
from milepost.executors.engines.find import known
from milepost.executors.vocabulary import MapFn
from milepost.state.manager import StateManager
from milepost.state.transitions import ItemEvent
from milepost.testing.contracts.executors.dying import die, leave
from milepost.testing.contracts.executors.trouble import COUNT, ODD, Trouble, value_of
from milepost.testing.contracts.patience import Bounded

__all__ = [
    "LOOKS_S",
    "ExecutorContract",
    "Work",
    "counted",
    "ended",
    "is_for_run",
    "job",
    "takes",
    "unrecorded",
]


LOOKS_S: Final = 1.0
"""Seconds in which something is looked for that must not come."""


class Work(Protocol):
    """An executor, as its users start it."""

    def __call__(self, manager: StateManager, job_id: str, function: MapFn, /) -> object:
        """Work on the job, by `function` for its items, until it has ended; what it gives is left.

        The job has no reduce. Where workers are other processes, `function` can be sent to them.
        """
        ...


class Ended(NamedTuple):
    """What became of a job: its phase, the items that are done, the failures of all items."""

    phase: str
    done: int
    failures: int


class ExecutorContract(Bounded):
    """The promises of every executor, as tests: derive from it and give the fixture `work`.

    Each function for items writes down its calls where no other call can lose them. A call that was
    made has begun in the log, in a commit before the one that has its outcome, by whoever held the
    job. Each attempt that the log counts was one call, of the item with its value, and each result
    is that of its own item, as it was given: whatever fails, and whoever died before. A job that
    another holds is left to it.

    What `run` is to work on needs no loop of its own: `EngineContract` is for that.
    """

    many: ClassVar[int] = 10_000
    """How many items the largest job has."""

    @pytest.fixture
    def work(self) -> Work:
        """The executor: of whoever derives from this class."""
        name = type(self).__name__
        problem = f"{name} has no fixture work, which works on a job to its end"
        if hasattr(self, "executor"):
            problem += f"; it has one named executor: derive {name} from EngineContract"
        pytest.fail(problem)

    @pytest.fixture(autouse=True)
    def _work_works(self, work: Work) -> None:
        """What is no `work` at all is told here, and not by an error of each test."""
        if is_for_run(work) or not takes(work, 3):
            pytest.fail(
                f"{type(self).__name__}: the fixture work gives {work!r}, and not a function of a"
                " manager, the id of a job and a function, which works on the job to its end. For"
                " what `run` is given as its executor, or what makes one, there is EngineContract,"
                " with a fixture executor"
            )

    def test_each_item_is_called_once_and_gives_its_own_result(
        self, work: Work, tmp_path: Path
    ) -> None:
        """None is left out, called again, or given what another gave, now or by a second look."""
        trouble = Trouble(tmp_path)
        with job() as manager:
            work(manager, "j", trouble)
            assert ended(manager) == ("completed", COUNT, 0)
            assert dict(manager.results("j")) == {str(n): value_of(str(n)) for n in range(COUNT)}
            assert trouble.calls() == counted(manager) == Counter(map(str, range(COUNT)))
            assert unrecorded(manager) == []
            items = manager.get_state("j").items
            work(manager, "j", trouble)
            assert manager.get_state("j").items == items
            assert trouble.calls().total() == COUNT, "what is done is left alone"

    def test_each_result_is_kept_as_it_was_given(self, work: Work, tmp_path: Path) -> None:
        """None, what is false or empty, large, or in several layers is a result like any other."""
        trouble = Trouble(tmp_path, "gives odd results")
        with job(len(ODD)) as manager:
            work(manager, "j", trouble)
            assert ended(manager) == ("completed", len(ODD), 0)
            found = dict(manager.results("j"))
            kept = [(found[str(n)], type(found[str(n)])) for n in range(len(ODD))]
            assert kept == [(given, type(given)) for given in ODD]

    def test_a_job_without_items_ends(self, work: Work, tmp_path: Path) -> None:
        """Nothing is called, and nobody waits for it."""
        trouble = Trouble(tmp_path)
        with job(0) as manager:
            work(manager, "j", trouble)
            assert ended(manager) == ("completed", 0, 0)
            assert trouble.calls().total() == 0

    def test_what_fails_once_is_called_once_more(self, work: Work, tmp_path: Path) -> None:
        """Its failure is recorded, and then its result."""
        trouble = Trouble(tmp_path, "fails once")
        with job() as manager:
            work(manager, "j", trouble)
            assert ended(manager) == ("completed", COUNT, 1)
            assert dict(manager.results("j"))["3"] == value_of("3")
            assert trouble.calls() == counted(manager)
            assert trouble.calls()["3"] == 2
            (failure,) = manager.failures("j")["3"]
            assert failure.cause == "error"
            assert "not yet" in failure.message, "it says what was raised"
            assert unrecorded(manager) == []

    def test_what_always_fails_is_called_as_often_as_it_may(
        self, work: Work, tmp_path: Path
    ) -> None:
        """Then it is dead, and the others are done."""
        trouble = Trouble(tmp_path, "always fails")
        with job(max_attempts=3) as manager:
            work(manager, "j", trouble)
            assert ended(manager) == ("completed", COUNT - 1, 3)
            assert trouble.calls() == counted(manager)
            assert trouble.calls()["3"] == 3
            assert [letter.key for letter in manager.dead_letters("j")] == ["3"]
            assert unrecorded(manager) == []

    def test_what_the_last_one_left_is_taken_up(self, work: Work, tmp_path: Path) -> None:
        """Another has died: what it finished is not called again, what it had begun is."""
        trouble = Trouble(tmp_path)
        with job() as manager:
            with manager.lease("j", "the last one", renewed=False):
                leave(manager)
            work(manager, "j", trouble)
            assert ended(manager) == ("completed", COUNT, 0)
            assert trouble.calls() == Counter(str(n) for n in range(2, COUNT))
            results = dict(manager.results("j"))
            assert results == {str(n): value_of(str(n)) if n > 1 else n for n in range(COUNT)}

    def test_what_may_have_killed_the_last_one_is_called_alone(
        self, work: Work, tmp_path: Path
    ) -> None:
        """Each item that was in flight is under way with no other beside it until it has ended."""
        store = str(tmp_path / "jobs.db")
        with job(store=store) as manager:
            died = subprocess.run([sys.executable, "-m", die.__module__, store], check=False)
            assert died.returncode == -signal.SIGKILL
            work(manager, "j", Trouble(tmp_path / "calls"))
            assert ended(manager) == ("completed", COUNT, 0)
            assert crowded(manager) == []

    def test_a_job_that_another_holds_is_left_to_it(self, work: Work, tmp_path: Path) -> None:
        """It is refused or waited for: no item is called, and the holder works on to the end."""
        trouble = Trouble(tmp_path / "calls")

        def works() -> None:
            with suppress(BaseException):  # how it refuses is its own affair
                work(manager, "j", trouble)

        store = str(tmp_path / "jobs.db")
        with job(store=store) as manager, StateManager.open(store) as other:
            every = range(COUNT)
            with other.lease("j", "another"):
                other.fire("j", "start_map")
                other.record("j", [ItemEvent(n, "start") for n in every])
                thread = threading.Thread(target=works, daemon=True)
                thread.start()
                thread.join(LOOKS_S)
                assert trouble.calls().total() == 0, "were called, while another held the job"
                try:
                    other.record("j", [ItemEvent(n, "succeed", {"result": n}) for n in every])
                except LeaseLost as error:
                    raise AssertionError("the job was taken from one who held it") from error
            thread.join()
            work(manager, "j", trouble)
            assert ended(manager) == ("completed", COUNT, 0)
            assert trouble.calls().total() == 0

    @pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal to a thread here")
    def test_an_interrupt_ends_the_work_and_loses_nothing(self, work: Work, tmp_path: Path) -> None:
        """Ctrl-C: it raises or returns, and what is recorded by then is not called again."""
        if threading.current_thread() is not threading.main_thread():
            pytest.skip("Ctrl-C reaches the main thread alone, and this is another")
        trouble = Trouble(tmp_path / "calls", "waits")
        count = 1_000  # more than any executor has under way when the signal comes
        with job(count) as manager:
            with suppress(KeyboardInterrupt), _interrupt(trouble):
                work(manager, "j", trouble)
            phase = manager.get_state("j").phase
            assert phase != "completed", "it worked on to the end, as if there had been no Ctrl-C"
            before, done = trouble.calls(), dict(manager.results("j"))
            assert len(done) < count
            work(manager, "j", trouble)
            assert ended(manager)[:2] == ("completed", count)
            assert dict(manager.results("j")) == {str(n): value_of(str(n)) for n in range(count)}
            assert {key: trouble.calls()[key] for key in done} == {key: before[key] for key in done}

    def test_two_jobs_with_the_same_items_share_no_call(self, work: Work, tmp_path: Path) -> None:
        """Two executors work on them at once, each on its own."""
        trouble = Trouble(tmp_path)
        errors: list[BaseException] = []

        def works(job_id: str) -> None:
            try:
                work(manager, job_id, trouble)
            except BaseException as error:  # noqa: BLE001 raised again below
                errors.append(error)

        with job() as manager:
            manager.create_job(
                {str(n): n for n in range(COUNT)}, job_id="k", config={"has_reduce": False}
            )
            threads = [
                threading.Thread(target=works, args=(job_id,), daemon=True) for job_id in "jk"
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if errors:
                raise errors[0]
            assert [manager.get_state(job_id).phase for job_id in "jk"] == ["completed"] * 2
            assert trouble.calls() == counted(manager, "j") + counted(manager, "k")
            assert trouble.calls().total() == 2 * COUNT

    def test_many_items_are_called_once_each(self, work: Work, tmp_path: Path) -> None:
        """More than any executor holds ahead at a time."""
        trouble = Trouble(tmp_path)
        with job(self.many) as manager:
            work(manager, "j", trouble)
            assert ended(manager) == ("completed", self.many, 0)
            assert trouble.calls() == counted(manager)
            assert set(counted(manager).values()) == {1}


def is_for_run(given: object) -> bool:
    """True if this is what `run` works on, or makes one, as an executor or a partial of a class."""
    makes = given.func if isinstance(given, partial) else given
    if isinstance(makes, type):
        return hasattr(makes, "submit")
    return known(given)


def takes(given: object, count: int) -> bool:
    """True if it can be called with so many arguments, as far as it says."""
    if not callable(given):
        return False
    try:
        inspect.signature(given).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # some builtins say nothing
        return True
    return True


def job(count: int = COUNT, *, store: str = "memory:", **config: object) -> StateManager:
    """A manager of the job "j", whose items are "0" to `count - 1`; in memory unless said."""
    manager = StateManager.open(store)
    config = {"has_reduce": False, "max_dead": 1, "max_attempts": 2, **config}
    manager.create_job({str(n): n for n in range(count)}, job_id="j", config=config)
    return manager


def counted(manager: StateManager, job_id: str = "j") -> Counter[str]:
    """How many attempts the log counts, by item: those that gave a result or failed."""
    state = manager.get_state(job_id)
    keys = {n: state.inputs.key(n) for n in range(state.progress.total)}
    return Counter({key: state.items.member(n)[1]["attempts"] for n, key in keys.items()})


def unrecorded(manager: StateManager, job_id: str = "j") -> list[str]:
    """What is wrong with how calls begin in the log, a sentence each."""
    begun: dict[str, int] = {}
    wrong = []
    for event in manager.get_state_history(job_id):
        if event.event == "start":
            if event.owner is None:
                wrong.append(f"commit {event.seq} begins calls, and nobody holds the job")
            begun |= dict.fromkeys(event.items, event.seq)
        elif event.event in ("succeed", "fail"):
            late = sorted(key for key in event.items if begun[key] == event.seq)
            wrong += [f"commit {event.seq} begins the call of {key!r} and ends it" for key in late]
    return wrong


def crowded(manager: StateManager) -> list[str]:
    """Where an item that was in flight when an executor died ran beside others, a sentence each."""
    running: set[str] = set()
    suspects: set[str] = set()
    wrong = []
    for seq, events in groupby(manager.get_state_history("j"), attrgetter("seq")):
        for event in events:
            items = {*event.items}
            if event.event == "start":
                running |= items
            elif event.event in ("succeed", "fail", "defer", "release"):
                running -= items
                suspects -= items
            elif event.event != "note":  # `recover` interrupts all that were in flight
                suspects |= running & items
                running -= items
        if len(running) > 1 and running & suspects:
            wrong.append(f"after commit {seq} {sorted(running & suspects)} run beside others")
    return wrong


@contextmanager
def _interrupt(trouble: Trouble) -> Iterator[None]:
    """Send Ctrl-C to this thread, the main one, once a call of what waits has begun; let it go."""
    main, over = threading.get_ident(), threading.Event()

    def sends() -> None:
        while not trouble.calls() and not over.is_set():
            over.wait(0.002)
        if not over.is_set():
            signal.pthread_kill(main, signal.SIGINT)
        trouble.go()

    thread = threading.Thread(target=sends)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def ended(manager: StateManager) -> Ended:
    """What became of the job "j"."""
    state = manager.get_state("j")
    failures = sum(len(each) for each in manager.failures("j").values())
    return Ended(state.phase, state.progress.done, failures)
