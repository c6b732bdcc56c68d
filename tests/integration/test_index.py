"""The index of a log, and states along it: the same answers for a few rows, or without it."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest
from starlette.testclient import TestClient

from milepost import ItemEvent, Scope, StateManager
from milepost.inspect import diagram
from milepost.inspect.history import history
from milepost.log.rows import Row
from milepost.log.spans import SPAN
from milepost.state.keeping.spanning import STATES, superfluous
from milepost.stores.sqlite.reading import SqliteReader
from milepost.stores.sqlite.writing import SqliteWriter
from milepost.web.app import application

COUNT = 3 * SPAN
FAILED = 5  # of the items
SMALL = 16

QUESTIONS: dict[str, Callable[[StateManager, int], Any]] = {
    "history": lambda manager, at: history(manager, "j", upto=at, limit=20).events,
    "state_at": lambda manager, at: manager.state_at("j", at),
    "result_of": lambda manager, at: manager.result_of("j", f"k{at}"),
    "failures": lambda manager, _: manager.failures("j"),
    "failure_groups": lambda manager, _: manager.failure_groups("j"),
    "failure_summary": lambda manager, _: manager.failure_summary("j"),
    "phases": lambda manager, _: manager.phases_entered("j"),
    "transitions": lambda manager, _: manager.transitions_taken("j"),
    "diff": lambda manager, at: {
        moved: len(keys) for moved, keys in manager.diff("j", at, at + 20).moved.items()
    },
}
FAR = ("history", "state_at", "diff")
"""Those that are about a moment in the middle: a fold of at most one span from a state."""


def recorded(path: Path, count: int, every: int) -> Path:
    """A job of a commit an item, in random order, with checkpoints as a run takes them."""
    order = list(range(count))
    random.Random(7).shuffle(order)  # noqa: S311 no secrets here
    failed = set(order[:: count // FAILED][:FAILED])
    with StateManager.open(path, durability="process") as manager:
        manager.create_job([f"k{n}" for n in range(count)], job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(n, "start") for n in range(count)])
        for at, n in enumerate(order, start=1):
            event = ItemEvent(n, "succeed", {"result": n})
            if n in failed:
                event = ItemEvent(n, "fail", {"cause": "error", "message": f"no {n}"})
            manager.record("j", [event])
            if at % every == 0:
                manager.create_checkpoint("j", reason="policy")
        manager.create_checkpoint("j")
    return path


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return recorded(tmp_path_factory.mktemp("index") / "jobs.db", COUNT, 1_000)


@pytest.fixture
def long(stored: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(stored, tmp_path / "jobs.db"))


@pytest.fixture
def short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job of three spans of 16 commits, and some that no span covers."""
    for module in ("log.spans", "state.keeping.spanning"):
        monkeypatch.setattr(f"milepost.{module}.SPAN", SMALL)
    return recorded(tmp_path / "jobs.db", 3 * SMALL, 10)


def change(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(sql)
    connection.close()


def without_index(path: Path) -> Path:
    """A copy as it was before there was an index."""
    copy = Path(shutil.copy(path, path.with_suffix(".before")))
    change(copy, "DELETE FROM spans")
    return copy


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows that are read."""
    found: list[int] = []
    rows = SqliteReader.rows

    def counting(
        self: SqliteReader,
        job: int,
        after: int = 0,
        upto: int | None = None,
        *,
        bodies: bool = False,
    ) -> Iterator[Row]:
        for row in rows(self, job, after, upto, bodies=bodies):
            found.append(row.seq)
            yield row

    monkeypatch.setattr(SqliteReader, "rows", counting)
    return found


def asked(path: Path, question: str, read: list[int], at: int = COUNT // 2) -> tuple[Any, int]:
    """The answer of a manager that knows nothing yet, and how many rows it read for it."""
    with StateManager.open(path, durability="process") as manager:
        read.clear()
        answer = QUESTIONS[question](manager, at)
        return answer, len(read)


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_asked_of_a_long_log_is_answered_from_few_rows(
    long: Path, read: list[int], question: str
) -> None:
    with_it, few = asked(long, question, read)
    without, many = asked(without_index(long), question, read)
    assert with_it == without
    most = SPAN + 1_200 if question in FAR else 1_700  # what no span covers, and a few rows
    assert few <= most
    assert many > COUNT // 3  # the negative control: it is not few without it


PAGES = (
    *("", "/items?limit=1000", "/items?key=k1*", "/grid.json", "/failures", "/failures?each=1"),
    *("/plan", "/history", f"/history?upto={COUNT // 2}", "/changes", "/lifecycle.svg"),
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_long_log_is_made_of_few_rows(
    stored: Path, read: list[int], page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a server that has just begun; the negative control: without the index some need many."""
    monkeypatch.setattr(diagram, "svg", lambda path, _: f"<svg>{path.transitions}</svg>")
    with StateManager.open(stored, create=False, read_only=True) as manager:
        client = TestClient(application(manager), base_url="http://localhost")
        read.clear()
        assert client.get(f"/jobs/j{page}").status_code == 200
    assert len(read) <= 2 * SPAN


def test_a_page_of_a_long_log_without_index_is_made_of_many_rows(
    long: Path, read: list[int]
) -> None:
    with StateManager.open(without_index(long), create=False, read_only=True) as manager:
        client = TestClient(application(manager), base_url="http://localhost")
        read.clear()
        client.get("/jobs/j")
    assert len(read) > 2 * COUNT


def test_failures_of_a_few_items_are_read_where_they_failed(short: Path, read: list[int]) -> None:
    with StateManager.open(short) as manager:
        ordinals = {one.ordinal for one in manager.failed_attempts("j")}
        manager.get_state("j")
        for ordinal in ordinals:
            read.clear()
            (found,) = manager.failed_attempts("j", Scope.ordinals([ordinal]))
            assert found.ordinal == ordinal
            alone = len(read)
            read.clear()
            assert len(list(manager.failed_attempts("j"))) == len(ordinals)
            assert alone < len(read)


def test_phases_are_those_of_the_whole_log(short: Path, read: list[int]) -> None:
    """With stays of a commit or two, a rewind into another phase, and a phase left in the end."""
    with StateManager.open(short, durability="process") as manager:
        for _ in range(2):
            manager.fire("j", "pause")
            manager.fire("j", "resume")
        manager.fire("j", "pause")
        manager.fire("j", "resume")
        manager.apply(manager.plan_rewind("j", 1, reason="again"))
        assert manager.get_state("j").phase != "map"
        manager.fire("j", "start_map")
        for _ in range(2 * SMALL):
            manager.create_checkpoint("j")
        manager.fire("j", "cancel")
        told = manager.get_state_history("j")
        after = {one.seq: one for one in told}
    expected = [
        (one.target, one.seq, one.at)
        for one in after.values()
        if one.seq == 1 or after[one.seq - 1].target != one.target
    ]
    assert len(expected) == 11
    for path, few in ((short, True), (without_index(short), False)):
        with StateManager.open(path) as manager:
            read.clear()
            assert [tuple(one) for one in manager.phases_entered("j")] == expected[::-1]
            assert [tuple(one) for one in manager.phases_entered("j", limit=2)] == (
                expected[:-3:-1]
            )
            for phase, seq, _ in expected:
                assert manager.phase_entered("j", seq) == seq, phase
            assert manager.phase_entered("j", SMALL) == expected[1][1]
            assert (len(read) < 400) is few
            folded = Counter[str]()
            for event in told:
                folded.update(event.transitions)
            own = {name: count for name, count in folded.items() if name.startswith("job:")}
            assert manager.transitions_taken("j") == own
            for upto in (1, expected[3][1], SMALL, expected[-1][1] - 1):
                by_then = Counter[str]()
                for event in told:
                    by_then.update(event.transitions if event.seq <= upto else {})
                own = {name: n for name, n in by_then.items() if name.startswith("job:")}
                assert manager.transitions_taken("j", upto=upto) == own, upto
            read.clear()
            before = manager.get_state_history("j", newest=7)
            ends = [(one.seq, one.event) for one in told[-len(before) :]]
            assert [(one.seq, one.event) for one in before] == ends
            assert 7 <= len(before) < 7 + 10


def test_the_same_result_again_reads_few_rows_under_the_lock(
    long: Path, read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    under_lock: list[int] = []
    rows = SqliteWriter.rows

    def counting(self: SqliteWriter, *args: Any, **named: Any) -> Iterator[Row]:
        for row in rows(self, *args, **named):
            under_lock.append(row.seq)
            yield row

    monkeypatch.setattr(SqliteWriter, "rows", counting)
    with StateManager.open(long, durability="process") as manager:
        before = manager.get_state("j")
        done = list(before.done)[:: COUNT // 100]
        for ordinal in done:  # more than are looked for one by one
            read.clear()
            under_lock.clear()
            again = ItemEvent(ordinal, "succeed", {"result": ordinal})
            assert manager.record("j", [again]).seq == before.seq
            assert 0 < len(under_lock) <= 20
            assert len(read) < COUNT  # never the whole log


def test_an_older_store_gets_its_index_by_and_by(long: Path, read: list[int]) -> None:
    old = without_index(long)
    _, many = asked(old, "result_of", read)
    with StateManager.open(old, durability="process") as manager:
        manager.create_checkpoint("j")
        manager.create_checkpoint("j")
    _, few = asked(old, "result_of", read)
    assert few < many / 4


def all_answers(path: Path) -> dict[str, Any]:
    with StateManager.open(path, durability="process") as manager:
        return {name: question(manager, SMALL + 7) for name, question in QUESTIONS.items()}


def test_compaction_makes_the_index(short: Path) -> None:
    old = without_index(short)
    with StateManager.open(old) as manager:
        manager.upkeep.compact("j", apply=False)
        assert spans(old) == []  # nothing is changed unless it is asked for
        manager.upkeep.compact("j", apply=True)
        assert manager.verify("j")[0].sound
    assert len(spans(old)) == 3
    assert all(state_bytes for _, state_bytes in spans(old))
    assert all_answers(old) == all_answers(short)


def spans(path: Path) -> list[tuple[int, int]]:
    connection = apsw.Connection(str(path))
    found = list(connection.execute("SELECT first, length(state) FROM spans ORDER BY id"))
    connection.close()
    return found


DAMAGES = {
    "a changed byte": 'UPDATE spans SET "index" = CAST(substr("index", 1, 99) || x\'00\' ||'
    ' substr("index", 101) AS BLOB) WHERE first = 1',
    "one that is gone": f"DELETE FROM spans WHERE first = {SMALL + 1}",
    "another's place": f'UPDATE spans SET ("index", digest) = (SELECT "index", digest FROM spans'
    f" WHERE first = {SMALL + 1}) WHERE first = 1",
    "another state": "UPDATE spans SET (state, state_digest) = (SELECT state, state_digest"
    f" FROM spans WHERE first = 1) WHERE first = {SMALL + 1}",
    "a changed state": "UPDATE spans SET state = CAST(substr(state, 1, 99) || x'00' AS BLOB)",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_wrong_index_is_found_and_not_believed(short: Path, damage: str) -> None:
    expected = all_answers(short)
    with StateManager.open(short) as manager:
        assert manager.verify("j")[0].sound
    change(short, DAMAGES[damage])
    assert all_answers(short) == expected
    with StateManager.open(short) as manager:
        (found,) = manager.verify("j")
        assert {problem.invariant for problem in found.problems} == {"INV-FOLD"}
        repaired = manager.upkeep.repair("j", apply=True)
        assert [step.does for step in repaired.steps] == [
            "takes the index of the log away, which is made anew"
        ]
        assert manager.verify("j")[0].sound
        manager.upkeep.compact("j", apply=True)
        assert manager.verify("j")[0].sound
    assert len(spans(short)) == 3


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("seed", range(4))
def test_answers_are_the_same_with_and_without_it(tmp_path: Path, seed: int) -> None:
    """Whatever happens to a job: items done again, commits undone, executors that die."""
    path = tmp_path / "led.db"
    lead(path, random.Random(seed))  # noqa: S311 no secrets here
    assert len(spans(path)) > 5
    answers = [told(each) for each in (path, without_index(path))]
    assert answers[0] == answers[1]


def lead(path: Path, chance: random.Random) -> None:
    with StateManager.open(path, durability="process") as manager:
        manager.create_job([f"k{n}" for n in range(40)], job_id="j", config={"max_attempts": 9})
        manager.fire("j", "start_map")
        for turn in range(300):
            step(manager, chance)
            if turn % 10 == 9:
                manager.create_checkpoint("j")
        assert manager.verify("j")[0].sound
        rewinds = manager.get_state("j").rewinds
        redone = sum(event.event == "redo" for event in manager.get_state_history("j"))
        assert rewinds  # so the harness tries what it is for
        assert redone > 5
        died = [one for one in manager.failed_attempts("j", deaths=True) if not one.failure.kind]
        assert any("died" in one.failure.message for one in died)


def step(manager: StateManager, chance: random.Random) -> None:
    state = manager.get_state("j")
    if chance.random() < 0.02 and state.seq > 20:
        manager.apply(manager.plan_rewind("j", chance.randrange(10, state.seq)))
        if manager.get_state("j").phase == "created":
            manager.fire("j", "start_map")
    elif chance.random() < 0.05:
        manager.fire("j", "recover", {"reason": "it died", "lost": chance.random() < 0.7})
    elif chance.random() < 0.1:  # begun and ended in one commit
        events = some(state, chance, "start", {})
        ends = [ItemEvent(one.item, "succeed", {"result": 1}) for one in events]
        if chance.random() < 0.2:
            manager.record("j", [*events, *ends])
        elif events:
            manager.record("j", events)
    else:
        event, payload = chance.choice(
            [
                ("start", {}),
                ("succeed", {"result": chance.randrange(10**6)}),
                ("fail", {"cause": "error", "message": "no"}),
                ("retry", {}),
                ("redo", {}),
            ]
        )
        events = some(state, chance, event, payload)
        if events:
            manager.record("j", events)


def some(state: Any, chance: random.Random, event: str, payload: dict[str, Any]) -> list[ItemEvent]:
    takers = list(state.takers(event))
    few = chance.sample(takers, min(len(takers), chance.randrange(1, 6)))
    return [ItemEvent(n, event, payload or None) for n in few]


def told(path: Path) -> list[Any]:
    found: list[Any] = []
    with StateManager.open(path, durability="process") as manager:
        last = manager.get_state("j").seq
        found += [manager.state_at("j", seq) for seq in range(1, last, 37)]
        found.append(dict(manager.results("j")))
        found.append(list(manager.results("j", order="recorded")))
        found.append(manager.failures("j"))
        found.append(list(manager.failed_attempts("j", deaths=True)))
        found.append(manager.failure_groups("j"))
    results = found[-5]
    for key, result in results.items():  # each as the first question of a manager
        with StateManager.open(path, durability="process") as manager:
            assert manager.result_of("j", key) == result
    with StateManager.open(path, durability="process") as manager:
        for key, result in [*results.items()] * 5:  # and all of one, which locates them some time
            assert manager.result_of("j", key) == result
    return found


@pytest.mark.parametrize("newest", [100, 1_000, 3_000])
def test_states_are_few_and_no_moment_is_far_from_one(newest: int) -> None:
    kept: list[int] = []
    for number in range(1, newest + 1):
        end = number * SPAN
        kept.append(end)
        going = set(superfluous(kept, end))
        kept = [one for one in kept if one not in going]
        assert len(kept) <= STATES + 1
    gaps = [
        after - before for before, after in zip([0, *kept], [*kept, newest * SPAN], strict=True)
    ]
    assert max(gaps) <= max(SPAN, 4 * newest * SPAN // STATES)
