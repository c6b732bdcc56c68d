"""Spans of runs, phases and attempts: who is under whom, and nothing where it is off."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import milepost
from milepost import StateManager
from milepost.executors import CoroutineExecutor, Steps, Stop, WorkItem, process_pool, run

PAGE = Path(milepost.__file__).parents[2] / "docs" / "reference" / "metrics.md"
threads = partial(ThreadPoolExecutor, 2)


class Traced:
    """What was exported."""

    def __init__(self) -> None:
        self.exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))

    def spans(self, name: str = "") -> list[ReadableSpan]:
        """Those of this name, in the order in which they began."""
        found = [span for span in self.exporter.get_finished_spans() if name in ("", span.name)]
        return sorted(found, key=lambda span: span.start_time or 0)

    def attempt(self, key: str) -> ReadableSpan:
        """The first attempt at the item."""
        return next(s for s in self.spans("milepost.attempt") if of(s)["milepost.item.key"] == key)


def of(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def ids(span: ReadableSpan) -> tuple[int, int]:
    context = span.get_span_context()
    assert context is not None
    return context.trace_id, context.span_id


def above(span: ReadableSpan) -> tuple[int, int] | None:
    return None if span.parent is None else (span.parent.trace_id, span.parent.span_id)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[Traced]:
    """An application that has set up an SDK."""
    told = Traced()
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: told.provider)
    yield told
    told.provider.shutdown()


@pytest.fixture
def manager() -> Iterator[StateManager]:
    with StateManager.open("memory:") as opened:
        yield opened


def go(
    manager: StateManager,
    map_fn: Callable[[WorkItem], object],
    items: list[str],
    executor: Executor | Callable[[], Executor] = threads,
    **asked: Any,
) -> None:
    config = {"max_attempts": 2, "max_dead": len(items)}
    manager.create_job(items, job_id="j", config=config)
    run(manager, "j", map_fn, lambda results: len(list(results)), executor=executor, **asked)


def where(item: WorkItem) -> list[int]:
    """The span that is current on the worker, or what is begun under it."""
    context = trace.get_current_span().get_span_context()
    return [context.trace_id, context.span_id]


async def where_awaited(item: WorkItem) -> list[int]:
    return where(item)


def test_a_run_has_phases_and_these_have_attempts(manager: StateManager, told: Traced) -> None:
    """In one trace, with the names and numbers that one looks for."""
    go(manager, lambda item: 1, ["a", "b"])
    (of_run,) = told.spans("milepost.run")
    phases = told.spans("milepost.phase")
    assert above(of_run) is None
    assert [of(span)["milepost.phase"] for span in phases] == ["setup", "map", "reduce"]
    assert {above(span) for span in phases} == {ids(of_run)}
    attempts = told.spans("milepost.attempt")
    assert {above(span) for span in attempts} == {ids(phases[1])}
    assert sorted(of(span)["milepost.item.key"] for span in attempts) == ["a", "b"]
    assert {of(span)["milepost.attempt.outcome"] for span in attempts} == {"done"}
    assert all(of(span)["milepost.attempt.took_s"] >= 0 for span in attempts)
    assert of(of_run) == {
        "milepost.job.id": "j",
        "milepost.lifecycle": "mapreduce",
        "milepost.job.fence": 1,
        "milepost.job.items": 2,
        "milepost.phase": "completed",
        "milepost.run.done_count": 2,
        "milepost.run.failure_count": 0,
    }
    assert of_run.status.status_code is trace.StatusCode.UNSET


def test_a_run_is_part_of_what_calls_it(manager: StateManager, told: Traced) -> None:
    """And leaves the context as it was."""
    with told.provider.get_tracer("app").start_as_current_span("request") as request:
        go(manager, lambda item: 1, ["a"])
        assert trace.get_current_span() is request
    (of_run,) = told.spans("milepost.run")
    assert above(of_run) == ids(told.spans("request")[0])


@pytest.mark.parametrize(
    ("executor", "map_fn"),
    [
        (threads, where),
        (partial(CoroutineExecutor, 2), where_awaited),
        (partial(process_pool, 2), where),
    ],
    ids=["threads", "coroutines", "processes"],
)
def test_the_context_goes_to_the_worker(
    manager: StateManager,
    told: Traced,
    executor: Callable[[], Executor],
    map_fn: Callable[[WorkItem], object],
) -> None:
    """What the function measures is under its attempt, whatever it is called by."""
    go(manager, map_fn, ["a", "b", "c"], executor)
    for key, result in manager.results("j"):
        assert tuple(result) == ids(told.attempt(key))


def test_functions_of_phases_are_under_their_phase(manager: StateManager, told: Traced) -> None:
    """What they begin too."""
    seen: list[list[int]] = []

    def reduce_fn(results: object, steps: Steps) -> int:
        seen.append(where(None))  # type: ignore[arg-type]
        steps.step("one", lambda: seen.append(where(None)))  # type: ignore[arg-type]
        return 1

    manager.create_job(["a"], job_id="j")
    run(manager, "j", lambda item: 1, reduce_fn, executor=threads)
    reduce = told.spans("milepost.phase")[-1]
    assert seen == [list(ids(reduce))] * 2


def test_a_failure_is_recorded_with_its_exception(manager: StateManager, told: Traced) -> None:
    """Each attempt is a span of its own, and tells its number."""

    def fails(item: WorkItem) -> object:
        raise LookupError("no such page")

    go(manager, fails, ["a"])
    attempts = told.spans("milepost.attempt")
    assert [of(span)["milepost.item.attempt"] for span in attempts] == [1, 2]
    for span in attempts:
        assert span.status.status_code is trace.StatusCode.ERROR
        assert "no such page" in (span.status.description or "")
        assert of(span)["milepost.attempt.outcome"] == "failed"
        assert of(span)["error.type"] == "LookupError"
        (event,) = span.events
        assert event.name == "exception"
        assert (event.attributes or {})["exception.type"] == "LookupError"
        assert "raise LookupError(" in str((event.attributes or {})["exception.stacktrace"])


def test_what_took_too_long_has_a_span(manager: StateManager, told: Traced) -> None:
    """Which ends when the run gives the call up."""
    opened = threading.Event()

    def hangs(item: WorkItem) -> object:
        return opened.wait(30)

    def let_go(state: Any) -> None:
        if state.progress.dead:
            opened.set()

    go(manager, hangs, ["a"], timeout_s=0.01, on_progress=let_go)
    first = told.attempt("a")
    assert of(first)["milepost.failure.cause"] == "timeout"
    assert first.status.status_code is trace.StatusCode.ERROR


def killed(item: WorkItem) -> object:
    if item.key == "bad":
        os.kill(os.getpid(), signal.SIGKILL)
    return 1


def test_an_attempt_whose_worker_was_killed_has_a_span(manager: StateManager, told: Traced) -> None:
    """The worker could not have sent one."""
    go(manager, killed, ["bad"], partial(process_pool, 1))
    outcomes = [of(s)["milepost.attempt.outcome"] for s in told.spans("milepost.attempt")]
    assert outcomes
    assert set(outcomes) == {"lost"}


def test_an_error_of_the_run_is_recorded(manager: StateManager, told: Traced) -> None:
    """With its phase, and no span is left open."""

    def stops(state: object) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError):
        go(manager, lambda item: 1, ["a"], on_progress=stops)
    (of_run,) = told.spans("milepost.run")
    assert of_run.status.status_code is trace.StatusCode.ERROR
    assert of_run.events[0].name == "exception"
    assert not trace.get_current_span().get_span_context().is_valid


def test_a_job_that_has_failed_is_an_error_of_its_run(manager: StateManager, told: Traced) -> None:
    """Though the run did all it could."""

    def fails(results: object) -> object:
        raise ValueError("no sum")

    manager.create_job(["a"], job_id="j")
    run(manager, "j", lambda item: 1, fails, executor=threads)
    (of_run,) = told.spans("milepost.run")
    assert (of_run.status.status_code, of_run.status.description) == (
        trace.StatusCode.ERROR,
        "the job is failed",
    )


@pytest.mark.parametrize("how", ["stopped", "raised"])
def test_a_later_run_is_linked_to_the_one_before(
    manager: StateManager, told: Traced, how: str
) -> None:
    """Whoever looks at one finds the other, across processes and days."""
    stop = Stop()

    def ends(state: Any) -> None:
        if state.progress.done:
            stop.request("enough")
            if how == "raised":
                raise KeyError("enough")

    manager.create_job(["a", "b", "c"], job_id="j")
    one = partial(run, manager, "j", lambda item: 1, lambda results: 1, executor=threads, workers=1)
    if how == "raised":
        with pytest.raises(KeyError):
            one(ahead=0, on_progress=ends, owner="first")
    else:
        one(ahead=0, on_progress=ends, stop=stop, owner="first")
    assert one().phase == "completed"
    first, second = told.spans("milepost.run")
    assert not first.links
    (link,) = second.links
    assert (link.context.trace_id, link.context.span_id) == ids(first)
    owners = {event.owner for event in manager.get_state_history("j") if event.owner}
    assert any(owner.startswith("first trace 00-") for owner in owners)


def test_what_opentelemetry_raises_ends_no_run(
    manager: StateManager, told: Traced, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning."""

    class Broken(SimpleSpanProcessor):
        def on_start(self, span: object, parent_context: object = None) -> None:
            if getattr(span, "name", "") == "milepost.attempt":
                raise OSError("the collector is gone")

    told.provider.add_span_processor(Broken(told.exporter))
    go(manager, lambda item: item.trace or 1, ["a", "b"])
    assert manager.get_state("j").phase == "completed"
    (warned,) = [each for each in caplog.records if each.name == "milepost.tracing"]
    assert "the collector is gone" in warned.message


def test_the_page_tells_of_every_attribute(manager: StateManager, told: Traced) -> None:
    """And of no other: what is exported in the worst of cases, and what the page lists."""

    def fails(item: WorkItem) -> object:
        raise LookupError

    stop = Stop()
    manager.create_job(["a"], job_id="s")
    stop.request("enough")
    run(manager, "s", where, executor=threads, stop=stop)
    manager.create_job(["a"], job_id="h")
    run(manager, "h", where, executor=threads)
    go(manager, fails, ["a"])
    spans = told.spans()
    exported = {(span.name, name) for span in spans for name in of(span)}
    page = PAGE.read_text(encoding="utf-8").partition("## Spans")[2].partition("\n## ")[0]
    listed = {
        (f"milepost.{span}", name)
        for line in page.splitlines()
        for name, spans_of in re.findall(r"^\| `([\w.]+)` \| ((?:run|phase|attempt|, )+) \|", line)
        for span in spans_of.split(", ")
    }
    assert listed == exported


def test_nothing_is_imported_or_sent_where_nobody_traces() -> None:
    """Neither by a run, nor by its workers; nor does the API alone switch anything on."""
    code = (
        "import sys, milepost as m, milepost.executors as e\n"
        "if sys.argv[1]: import opentelemetry.trace\n"
        "s = m.StateManager.open('memory:'); s.create_job(['a'], job_id='j')\n"
        "e.run(s, 'j', lambda i: [i.trace, *map(str, sys.modules)], lambda r: 1,\n"
        "      executor=e.CoroutineExecutor, owner='me')\n"
        "sent, *loaded = s.result_of('j', 'a')\n"
        "assert sent is None\n"
        "assert sys.argv[1] or not [n for n in loaded if n.startswith('opentelemetry')]\n"
        "assert {v.owner for v in s.get_state_history('j')} <= {'me', None}\n"
    )
    for api in ("", "api"):
        subprocess.run([sys.executable, "-c", code, api], check=True)
