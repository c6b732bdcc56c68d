"""Eight processes of eight threads on one file: what was acknowledged is there, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from milepost import StateManager
from milepost.state.persistence import open_store
from milepost.testing.histories import History, check_history, departures, recorded
from tests.crash.crowd import EXPECTED, JOBS, THREADS, key_of
from tests.postgres import needs_postgres, new_url

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
PROCESSES = 8
SECONDS = 60 if SOAK else 3
ITEMS = 6000 if SOAK else 400
"""How many items each thread has for its own: more than it gets done in the time."""

Line = tuple[str, str, str | None]


def let_loose(folder: Path, store: str) -> list[Line]:
    """All that a crowd says it did, with journals in `folder`, on a new store."""
    keys = [
        key_of(process, thread, number)
        for process in range(PROCESSES)
        for thread in range(THREADS)
        for number in range(ITEMS)
    ]
    with StateManager(recorded(open_store(store), folder / "made.history", "the maker")) as manager:
        for job_id in JOBS:
            manager.create_job(keys, job_id=job_id)
            manager.fire(job_id, "start_map")
    errors = [(folder / f"{process}.errors").open("w+") for process in range(PROCESSES)]
    running = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.crash.crowd",
                *map(str, (folder, process, SECONDS, ITEMS, store)),
            ],
            cwd=Path(__file__).parents[2],
            stderr=errors[process],
        )
        for process in range(PROCESSES)
    ]
    for process, one in enumerate(running):
        assert one.wait(timeout=SECONDS + 240) == 0
        errors[process].seek(0)
        assert errors[process].read() == ""
        errors[process].close()
    return [
        tuple(json.loads(line))
        for journal in folder.glob("*.journal")
        for line in journal.read_text().splitlines()
    ]


def complaints(store: str, said: list[Line]) -> list[str]:
    """What of all that was acknowledged is not so."""
    found = [f"{kind}: {what}" for kind, what, _ in said if kind == "unexpected"]
    ended = sum(kind == "end" for kind, _, _ in said)
    if ended != PROCESSES * THREADS:
        found.append(f"{ended} threads came to their end")
    known = {error.__name__ for error in EXPECTED}
    found += [
        f"another error: {what}" for kind, what, _ in said if kind == "error" and what not in known
    ]
    with StateManager.open(store, read_only=True) as manager:
        found += manager.check_store()
        for verification in manager.verify():
            found += [f"{verification.job_id}: {p.message}" for p in verification.problems]
        for job_id in JOBS:
            acknowledged = [key for kind, what, key in said if (kind, what) == ("done", job_id)]
            times = Counter(
                event_key
                for event in manager.get_state_history(job_id)
                if event.event == "succeed" and event.kind == "items"
                for event_key in event.items
            )
            results = dict(manager.results(job_id))
            found += [f"{key} recorded {n} times" for key, n in times.items() if n != 1]
            found += [
                f"{key} was acknowledged and is not there"
                for key in acknowledged
                if key not in results
            ]
            found += [f"{key} has the result {r!r}" for key, r in results.items() if r != key]
            if len(acknowledged) != len(set(acknowledged)):
                found.append("something was acknowledged twice")
    return found


def history_of(folder: Path) -> History:
    """What was asked of the store, by all of them."""
    return History.of(folder.glob("*.history"))


@pytest.fixture
def checked(record_property: Callable[[str, object], None]) -> Callable[[Path, str], None]:
    """Checks the history of a crowd against its store, and counts it."""

    def check(folder: Path, url: str) -> None:
        with closing(open_store(url, create=False)) as store:
            counts = check_history(history_of(folder), store).counts
        assert min(counts.values()) > PROCESSES
        record_property("counted", ("histories", {"histories": 1}))
        record_property("counted about", ("histories", counts))

    return check


@pytest.mark.control("histories")
def test_what_a_crowd_was_told_is_so_and_the_check_would_notice(
    tmp_path: Path, checked: Callable[[Path, str], None]
) -> None:
    """No result is lost or there twice, no error is but of a kind that is meant, all verifies.

    Then the negative control: one acknowledged result taken out of the file is missed.
    """
    store = str(tmp_path / "jobs.db")
    said = let_loose(tmp_path, store)
    assert complaints(store, said) == []
    _look_that_they_met(said, PROCESSES * THREADS)
    checked(tmp_path, store)

    connection = apsw.Connection(str(tmp_path / "jobs.db"))
    connection.execute("DELETE FROM commits WHERE id = (SELECT max(id) FROM commits WHERE job = 2)")
    connection.execute(
        "UPDATE tips SET (seq, digest) = (SELECT seq, digest FROM commits WHERE job = 2"
        " ORDER BY id DESC LIMIT 1) WHERE job = 2"
    )
    connection.execute("UPDATE leases SET fence = 0")
    connection.close()
    assert complaints(store, said)
    with closing(open_store(store, create=False)) as opened:
        first, *_ = departures(history_of(tmp_path), opened)
    assert "acknowledged at" in first
    assert "it is not in the log, the log ends before it" in first


@needs_postgres
def test_what_a_crowd_on_a_server_was_told_is_so(
    postgres: str, tmp_path: Path, checked: Callable[[Path, str], None]
) -> None:
    """The same of processes that have only a server between them."""
    store = new_url(postgres)
    said = let_loose(tmp_path, store)
    assert complaints(store, said) == []
    _look_that_they_met(said, PROCESSES)
    checked(tmp_path, store)


def _look_that_they_met(said: list[Line], least: int) -> None:
    """More than the `least` was done, and they were in each other's way."""
    done = Counter(what for kind, what, _ in said if kind == "done")
    met = Counter(what for kind, what, _ in said if kind == "error")
    print(f"{SECONDS} s: {dict(done)} acknowledged, errors {dict(met)}")
    assert done["open"] > least
    assert met, "they never met"
