"""One durable record on a PostgreSQL server: by 1, 8 and 64 threads, beside others, and far off."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any, Final, LiteralString

import msgspec
import psycopg
from psycopg.rows import dict_row

from delaying import delayed
from jobs import mapping_job
from milepost import ItemEvent, StateManager
from pairing import Budget, Figure, Settings, at_least, at_most, in_turn, ratios
from samples import results
from server_peers import LANGGRAPH, Savers, Steps, installed
from serving import at_once, server

ROUNDS: Final = 9
WARM_UP: Final = 2
TURNS: Final = ROUNDS + WARM_UP
EACH: Final = 128
CALLERS: Final = (1, 8, 64)
BARE: Final = "INSERT INTO bare (item, value) VALUES (%s, %s)"
FAR_S: Final = 0.010
OF_A_FAR_TURN: Final = 32

Connections = Sequence[psycopg.Connection[Any]]
Subject = Callable[[int], float]


def figures(settings: Settings) -> Iterator[Figure]:
    with server() as url:
        with ExitStack() as opened:
            connections = [  # as LangGraph's documentation has them
                opened.enter_context(
                    psycopg.connect(url, autocommit=True, prepare_threshold=0, row_factory=dict_row)
                )
                for _ in range(max(CALLERS))
            ]
            yield from _beside_others(url, connections)
        yield from _far(url, settings.folder)


def _beside_others(url: str, connections: Connections) -> Iterator[Figure]:
    """Ours and, where they are installed, others', each in turns with bare inserts."""
    values = results(EACH, seed=9)
    with ExitStack() as opened:
        bare = _bare(connections, values)
        ours = _ours(opened.enter_context(StateManager.open(url)), values)
        puts = Savers(connections, values) if installed(LANGGRAPH) else None
        steps = opened.enter_context(closing(Steps(url))) if installed("dbos") else None
        for callers in CALLERS:
            together, apart = (of(callers) for of in ours)
            subjects: dict[str, Subject] = {
                f"bare INSERT and COMMIT by {callers}": bare(callers),
                f"{_of(callers)}, one job": together,
            }
            if callers > 1:
                subjects[f"{_of(callers)}, a job each"] = apart
            mine = [name for name in subjects if "job" in name]
            if puts is not None:
                subjects[f"PostgresSaver {version(LANGGRAPH)} put by {callers}"] = (
                    lambda _turn, n=callers, puts=puts: at_once(n, EACH, puts.put)
                )
            if steps is not None:
                subjects[f"DBOS {version('dbos')}, a step in {callers} workflows"] = (
                    lambda _turn, n=callers, steps=steps: steps.measure(EACH, n)
                )
            costs = dict(
                zip(subjects, in_turn(ROUNDS, *subjects.values(), warm_up=WARM_UP), strict=True)
            )
            for floor, name in itertools.product((n for n in subjects if n not in mine), mine):
                yield ratios(
                    name,
                    costs[name],
                    (floor, costs[floor]),
                    unit="µs",
                    budget=_least(floor, name),
                    speed=True,
                )


def _of(callers: int) -> str:
    return "1 caller" if callers == 1 else f"{callers} callers"


def _least(floor: str, name: str) -> Budget:
    """What is asked of us, against that floor."""
    if floor.startswith("Postgres"):
        return at_least(1.3)
    if floor.startswith("DBOS"):
        return at_least(5)
    return at_least(1.0 if name == f"{_of(max(CALLERS))}, one job" else 0.5)


def _bare(connections: Connections, values: Sequence[Any]) -> Callable[[int], Subject]:
    """Rows that nobody looks at, by so many callers with a connection each."""
    encoded = [msgspec.json.encode(value) for value in values]
    connections[0].execute("CREATE TABLE bare (id bigserial PRIMARY KEY, item bigint, value bytea)")

    def insert(caller: int, share: range) -> None:
        for at in share:
            connections[caller].execute(BARE, (at, encoded[at]), prepare=True)

    return lambda callers: lambda _turn: at_once(callers, EACH, insert)


def _ours(
    manager: StateManager, values: Sequence[dict[str, Any]]
) -> tuple[Callable[[int], Subject], Callable[[int], Subject]]:
    """Records of one job by so many callers, and of a job for each."""
    mapping_job(manager, "one", TURNS * EACH * len(CALLERS))
    most = TURNS * sum(EACH // callers for callers in CALLERS if callers > 1)
    for caller in range(max(CALLERS)):
        mapping_job(manager, f"job-{caller}", most)
    starts = itertools.count(0, EACH)  # each turn records items that none has recorded
    recorded = [0] * max(CALLERS)

    def record(job_id: str, first: int, share: range) -> None:
        for ordinal, at in enumerate(share, first):
            manager.record(job_id, [ItemEvent(ordinal, "succeed", {"result": values[at]})])

    def of_one_job(callers: int) -> float:
        start = next(starts)
        return at_once(callers, EACH, lambda _, share: record("one", start + share.start, share))

    def of_its_own(caller: int, share: range) -> None:
        first, recorded[caller] = recorded[caller], recorded[caller] + len(share)
        record(f"job-{caller}", first, share)

    return (
        lambda callers: lambda _turn: of_one_job(callers),
        lambda callers: lambda _turn: at_once(callers, EACH, of_its_own),
    )


def _far(url: str, folder: Path) -> Iterator[Figure]:
    """A record of one caller where every round trip takes longer: how many of them it takes.

    Beside a statement that does nothing, and beside one that is made durable as a record is.
    """
    values = results(OF_A_FAR_TURN, seed=9)
    with (
        delayed(url, folder, FAR_S) as far,
        psycopg.connect(far, autocommit=True) as connection,
        StateManager.open(far) as manager,
    ):
        mapping_job(manager, "far", TURNS * OF_A_FAR_TURN)
        starts = itertools.count(0, OF_A_FAR_TURN)

        def record() -> None:
            for ordinal, value in enumerate(values, next(starts)):
                manager.record("far", [ItemEvent(ordinal, "succeed", {"result": value})])

        def ask(sql: LiteralString, arguments: tuple[Any, ...]) -> None:
            for _ in range(OF_A_FAR_TURN):
                connection.execute(sql, arguments, prepare=True)

        asked, inserted, recorded = in_turn(
            ROUNDS,
            _timed(lambda: ask("SELECT 1", ())),
            _timed(lambda: ask(BARE, (1, msgspec.json.encode(values[0])))),
            _timed(record),
            warm_up=WARM_UP,
        )
    for floor, costs in (("SELECT 1", asked), ("bare INSERT and COMMIT", inserted)):
        yield ratios(
            f"1 caller, each round trip {FAR_S * 1e3:g} ms longer",
            recorded,
            (f"{floor} on the same way, a round trip", costs),
            unit="ms",
            budget=at_most(1.2),
        )


def _timed(act: Callable[[], None]) -> Subject:
    """What one of OF_A_FAR_TURN takes, in ms."""

    def measure(_turn: int) -> float:
        began = perf_counter()
        act()
        return (perf_counter() - began) / OF_A_FAR_TURN * 1e3

    return measure
