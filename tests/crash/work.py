"""What a child does until it is killed: run a real job, and note what it was promised.

The journal is a file of its own, appended to by one system call a line, so that what was written
before the process was killed is there. `call KEY` says that an item is worked on, `ack KEY RESULT`
that its record was acknowledged. A kill may tear a line where it crosses a page of the file, so a
line ends in a full stop, and one without it was never written to its end.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from milepost import (
    CheckpointPolicy,
    Item,
    ItemEvent,
    JobState,
    Lease,
    LeaseHeld,
    LeaseLost,
    StateManager,
)
from milepost.executors import process_pool, run, wait_until_expired
from milepost.worker.values import Encoded

WORKERS = 2


class Spec(NamedTuple):
    """What a child is to do. At the `gate`, a phase, it waits until it is let go on."""

    url: str
    job_id: str
    journal: str
    pool: str = "threads"
    expires: bool = False
    takeover: str = "its process was killed"
    acknowledges_early: bool = False
    gate: str = ""


class Journal:
    """An append-only file of lines. Whoever writes to it holds its lock, shared, until it dies."""

    def __init__(self, path: str) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        fcntl.flock(self._fd, fcntl.LOCK_SH)

    def write(self, *words: str) -> None:
        os.write(self._fd, f"\n{' '.join(words)} .\n".encode())


journal_at = cache(Journal)


def lines_of(path: Path) -> list[list[str]]:
    """The words of each whole line of a journal."""
    lines = (line.split() for line in path.read_text().splitlines())
    return [words[:-1] for words in lines if words and words[-1] == "."]


def wait_until_alone(path: str) -> None:
    """Wait until no process that writes to the journal is left: workers end with their parent."""
    with Path(path).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)


class Watched(StateManager):
    """A manager that says what it is about to do, and notes what was acknowledged."""

    tell: Callable[[str], None]
    journal: Journal
    acknowledges_early = False

    def record(
        self,
        job_id: str,
        item_events: Iterable[ItemEvent],
        *,
        lease: Lease | None = None,
        operator: bool = False,
    ) -> JobState:
        events = list(item_events)
        results = [event for event in events if event.event == "succeed"]
        self.tell("record" if results else "claim")
        if self.acknowledges_early:
            self._acknowledge(job_id, results)
        state = super().record(job_id, events, lease=lease, operator=operator)
        if not self.acknowledges_early:
            self._acknowledge(job_id, results)
        self.tell("between commits")
        return state

    def fire(self, job_id: str, event: str, *args: Any, **options: Any) -> JobState:
        self.tell(str(event))
        state = super().fire(job_id, event, *args, **options)
        self.tell("between commits")
        return state

    def create_checkpoint(self, job_id: str, **options: Any) -> Any:
        self.tell("checkpoint")
        checkpoint = super().create_checkpoint(job_id, **options)
        self.tell("between commits")
        return checkpoint

    def apply(self, *args: Any, **options: Any) -> JobState:
        self.tell("recover")
        return super().apply(*args, **options)

    @contextmanager
    def lease(self, *args: Any, **options: Any) -> Iterator[Lease]:
        self.tell("lease")
        with super().lease(*args, **options) as lease:
            yield lease
            self.tell("release")

    def _acknowledge(self, job_id: str, results: list[ItemEvent]) -> None:
        inputs = self.get_state(job_id).inputs
        for ordinal, _, payload in results:
            result = payload["result"]
            if isinstance(result, Encoded):
                result = json.loads(result.json)
            self.journal.write("ack", inputs.key(int(ordinal)), json.dumps(result))


def map_item(spec: Spec, tell: Callable[[str], None] | None, item: Item) -> str:
    """A result that no other attempt gives: were it lost and made again, it would show."""
    journal_at(spec.journal).write("call", item.key)
    if spec.gate == "map":
        assert tell is not None
        wait_at_the_gate(spec, tell)
    digest = hashlib.blake2b(item.key.encode())
    for _ in range(item.value):
        digest.update(digest.digest())
    return f"{digest.hexdigest()[:8]}-{os.urandom(6).hex()}"


def reduce_results(
    spec: Spec, tell: Callable[[str], None], results: Iterator[tuple[str, str]]
) -> dict[str, int | str]:
    tell("reduce")
    digest = hashlib.blake2b()
    count = 0
    for key, value in results:
        if spec.gate == "reduce" and count == 1:
            wait_at_the_gate(spec, tell)
        digest.update(f"{key}={value}".encode())
        for _ in range(50):
            digest.update(digest.digest())
        count += 1
    return {"count": count, "digest": digest.hexdigest()}


def wait_at_the_gate(spec: Spec, tell: Callable[[str], None]) -> None:
    """Wait until somebody opens the pipe beside the journal for writing."""
    tell("gate")
    gate_beside(spec.journal).read_bytes()


def gate_beside(journal: str) -> Path:
    return Path(journal).with_name("gate")


def work(spec: Spec, tell: Callable[[str], None]) -> None:
    """Run the job of `spec` until it ends, or the run does; the last thing told is how."""
    for number in (signal.SIGINT, signal.SIGTERM):  # what comes after the run is too late
        signal.signal(number, signal.SIG_IGN)
    tell("open")
    executor: Executor | Callable[[], Executor]
    if spec.pool == "processes":
        executor = partial(process_pool, WORKERS)
        map_fn = partial(map_item, spec, None)
    else:
        executor = ThreadPoolExecutor(WORKERS)
        map_fn = partial(map_item, spec, tell)
    with Watched.open(spec.url, create=False) as manager:
        assert isinstance(manager, Watched)
        manager.tell = tell
        manager.journal = journal_at(spec.journal)
        manager.acknowledges_early = spec.acknowledges_early
        try:
            outcome = run(
                manager,
                spec.job_id,
                map_fn,
                partial(reduce_results, spec, tell),
                executor=executor,
                policy=CheckpointPolicy(items=20),
                ttl_s=0.05 if spec.expires else 30.0,
                wait=wait_until_expired if spec.expires else "no",
                takeover=spec.takeover,
                owner=f"child {os.getpid()}",
                grace_s=60,
                look_every_s=3600,
            )
        except (LeaseHeld, LeaseLost, KeyboardInterrupt) as error:
            tell(f"{type(error).__name__}: {error}")
        else:
            tell(f"stopped by {outcome.stopped_by.name}" if outcome.stopped_by else "end")
