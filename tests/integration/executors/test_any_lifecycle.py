"""Runs of jobs whose lifecycle is not the built-in one: by roles, and by no name of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from typing import Any

import pytest

from milepost import ArgumentInvalid, Item, ItemEvent, JobState, StateManager
from milepost.errors import (
    InputChanged,
    PayloadUnfilled,
    RoleAbsent,
    TransitionRefused,
    ValueInvalid,
)
from milepost.executors import Backoff, RetryPolicy, RunOutcome, Steps, Stop, run, run_async
from milepost.executors.engines import Engine, Lost
from milepost.machine import PayloadInvalid
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from milepost.testing.deaths import Inline
from tests.integration.executors.lifecycles import (
    MAPREDUCE,
    ORDER,
    RENAMED,
    REVIEW,
    WAREHOUSE,
    compiled,
    edited,
)

Results = Iterator[tuple[str, Any]]
KILLED = "concurrent.futures._base.BrokenExecutor: a worker was killed"
PAPERS = {"good": 5, "better": 7, "blank": 0}


def managed(text: str) -> StateManager:
    return StateManager(MemoryStore(), clock=FakeClock(), lifecycle=compiled(text))


def grade(item: Item) -> int:
    if not item.value:
        raise ValueError(item.key)
    return int(item.value)


def pages(results: Results) -> int:
    return sum(value for _, value in results)


def events(manager: StateManager) -> list[str]:
    return [event.event for event in manager.get_state_history("j")]


def sound(manager: StateManager) -> bool:
    (report,) = manager.verify("j")
    return report.sound


def of_numbers(text: str) -> tuple[StateManager, RunOutcome]:
    """A run in which one item ends in the dead letter queue, one is late, and four are done."""

    def double(item: Item) -> int:
        if item.value == 3:
            raise ValueError("three")
        if item.value == 4 and late.pop():
            raise TimeoutError("four")
        return int(item.value) * 2

    late = [False, True]
    manager = managed(text)
    numbers = {f"n{number}": number for number in range(5)}
    manager.create_job(numbers, job_id="j", config={"max_dead": 1, "max_attempts": 2})
    policy = RetryPolicy(causes={"timeout": "at once", "error": "at once"})
    outcome = run(
        manager,
        "j",
        double,
        lambda results, steps: steps.step("sum", lambda: sum(value for _, value in results)),
        setup_fn=lambda state: {"of": state.id},
        executor=Inline(),
        workers=1,
        ahead=0,  # how many are begun together depends on how long a call takes
        retry=policy,
    )
    return manager, outcome


def test_other_names_change_nothing() -> None:
    """The built-in lifecycle with every machine, state, event and guard called otherwise."""
    ours, expected = of_numbers(MAPREDUCE)
    theirs, found = of_numbers(RENAMED)
    assert (expected.phase, found.phase) == ("completed", "x_completed")
    for name in ("done_count", "failure_count", "halt_reason", "interrupted", "redone_count"):
        assert getattr(found, name) == getattr(expected, name), name
    assert found.state.progress == expected.state.progress
    assert dict(theirs.results("j")) == dict(ours.results("j")) == {
        "n0": 0, "n1": 2, "n2": 4, "n4": 8,
    }  # fmt: skip
    assert theirs.result("j") == ours.result("j") == 14
    assert [event.removeprefix("x_") for event in events(theirs)] == events(ours)
    assert theirs.get_state("j").variables == {"of": "j", "x_reduce/sum": 14}
    assert ours.get_state("j").variables == {"of": "j", "reduce/sum": 14}
    causes = [failure.cause for failure in theirs.failures("j")["n4"]]
    assert causes == ["timeout"]
    assert sound(theirs)


def test_without_dead_letters_what_failed_stays_and_the_run_says_why_it_ended(
    pool: ThreadPoolExecutor,
) -> None:
    """It does not wait for ever for a phase that cannot end."""
    manager = managed(REVIEW)
    manager.create_job(PAPERS, job_id="j")
    outcome = run(manager, "j", grade, phases={"printing": pages}, executor=pool)
    assert outcome.phase == "reading"
    assert "'close' is not allowed in 'reading'" in outcome.halt_reason
    assert "papers.returned=1" in outcome.halt_reason
    assert (outcome.done_count, outcome.failure_count) == (2, 2)
    assert outcome.state.progress.failed == 1
    reason = manager.recover_from_checkpoint("j").reason_of("blank")
    assert reason == "its last attempt failed and it is not tried again", "nothing gives it up"
    assert dict(manager.results("j")) == {"good": 5, "better": 7}
    assert [f.cause for f in manager.failures("j")["blank"]] == ["unreadable", "unreadable"]
    assert run(manager, "j", grade, executor=pool).done_count == 0
    assert sound(manager)


def test_a_phase_behind_the_items_gets_their_results(pool: ThreadPoolExecutor) -> None:
    """Under any name; and where it has no function, the run ends there and another goes on."""
    manager = managed(edited(REVIEW, (" + papers.returned == 0", " == 0")))
    manager.create_job(PAPERS, job_id="j")
    outcome = run(manager, "j", grade, executor=pool)
    assert outcome.phase == "printing"
    assert outcome.halt_reason == "no function was given for phase 'printing'"
    outcome = run(manager, "j", reduce_fn=pages)
    assert (outcome.phase, outcome.halt_reason) == ("printed", "")
    assert manager.result("j") == 12


@pytest.mark.parametrize("event", ["open", "read_again"])
def test_items_that_ignore_an_event_are_not_sent_it(
    pool: ThreadPoolExecutor, late: Stop, event: str
) -> None:
    """It would change nothing: the run would send it, or call the function, again and again."""
    ignored = f"    ignored:\n      - {{in: [accepted], on: [{event}]}}\n"
    begin = "    roles:\n      begin: open"
    manager = managed(edited(REVIEW, (begin, ignored + begin)))
    manager.create_job({"good": 5, "better": 7, "late": 9}, job_id="j")
    accepted, calls = threading.Event(), list[str]()

    def read(item: Item) -> int:
        calls.append(item.key)
        if item.key == "late" and len(calls) < 10:
            assert accepted.wait(20)
        return int(item.value)

    def seen(state: JobState) -> None:
        if len(state.items.members("accepted")) >= 2:
            accepted.set()

    outcome = run(manager, "j", read, pages, executor=pool, on_progress=seen, stop=late)
    assert (outcome.phase, sorted(calls)) == ("printed", ["better", "good", "late"])
    assert events(manager).count("read_again") == 0


def test_what_ends_is_heard_of_though_there_is_always_more_to_do(
    pool: ThreadPoolExecutor, late: Stop
) -> None:
    """By a lifecycle in which an item that failed is tried again and again without a call."""
    again = (
        "      - {from: returned, on: read_again, to: submitted, when: may_read, partial: true}\n"
    )
    stays = again.replace("submitted, when: may_read, partial: true", "returned, when: may_read")
    goes = again.replace("may_read, partial: true", "otherwise")
    manager = managed(edited(REVIEW, (again, stays + goes)))
    manager.create_job({"bad": 0, "good": 5}, job_id="j")
    tried, accepted = threading.Event(), Stop()

    def read(item: Item) -> int:
        if not item.value:
            raise ValueError("blank pages")
        assert tried.wait(20)
        return int(item.value)

    def seen(state: JobState) -> None:
        if state.seq > 10:
            tried.set()
        if state.items.members("accepted"):
            accepted.request("accepted")
        if late.requested:
            accepted.request(late.reason)

    outcome = run(manager, "j", read, pages, executor=pool, on_progress=seen, stop=accepted)
    assert (outcome.interrupted, accepted.reason) == (True, "accepted")
    assert outcome.state.item("good")[0] == "accepted"


def test_a_result_of_another_type_than_the_lifecycle_wants_has_failed(
    pool: ThreadPoolExecutor,
) -> None:
    """An attempt as any other; not the run, and no other item."""
    manager = managed(REVIEW)
    manager.create_job(PAPERS, job_id="j")
    outcome = run(manager, "j", lambda item: item.value or "none", executor=pool)
    assert (outcome.done_count, outcome.failure_count) == (2, 2)
    (first, _) = manager.failures("j")["blank"]
    assert "field 'grade' is 'none', not of type int" in first.message


def test_a_result_that_a_guard_refuses_has_failed(pool: ThreadPoolExecutor) -> None:
    """The rows of the result's event may look at the result."""
    text = edited(
        REVIEW,
        (
            "on: accept, to: accepted}",
            "on: accept, to: accepted, when: event.grade <= 6, partial: true}",
        ),
    )
    manager = managed(text)
    manager.create_job(PAPERS, job_id="j")
    outcome = run(manager, "j", grade, executor=pool)
    assert dict(manager.results("j")) == {"good": 5}
    assert (outcome.done_count, outcome.failure_count) == (1, 4)
    assert "needs event.grade <= 6" in manager.failures("j")["better"][0].message


def test_an_order_without_items_goes_through_its_phases() -> None:
    """Each function gives what the event that ends its phase carries, by its role or by name."""
    seen: list[tuple[str, Any]] = []

    def accept(state: JobState) -> dict[str, Any]:
        seen.append((state.phase, dict(state.variables)))
        return {"to": "Vienna"}

    def charge(state: JobState, steps: Steps) -> dict[str, Any]:
        seen.append((state.phase, dict(state.variables)))
        return {"receipt": steps.step("pay", lambda: "r1"), "cents": 250}

    manager = managed(ORDER)
    manager.create_job(job_id="j")
    outcome = run(manager, "j", phases={"received": accept, "charging": charge})
    assert seen == [("received", {}), ("charging", {"to": "Vienna"})]
    assert outcome.phase == "packing"
    assert "'posted' is not allowed in 'packing'" in outcome.halt_reason
    manager.fire("j", "packed")
    assert "no function" in run(manager, "j").halt_reason
    outcome = run(manager, "j", phases={"packing": lambda state: [state.id, "label"]})
    assert outcome.phase == "sent"
    assert manager.result("j") == ["j", "label"]
    (charged,) = (e for e in manager.get_state_history("j") if e.event == "charged")
    assert charged.payload == {"receipt": "r1", "cents": 250}
    assert manager.get_state("j").variables == {"to": "Vienna", "charging/pay": "r1"}
    assert sound(manager)


def test_a_phase_that_fails_is_taken_up_again() -> None:
    """By the causes that the lifecycle has for it; the step that was done is not done again."""
    calls: list[str] = []

    def charge(state: JobState, steps: Steps) -> dict[str, Any]:
        receipt = steps.step("pay", lambda: calls.append("pay") or "r1")
        if len(calls) == 1:
            calls.append("late")
            raise TimeoutError("no answer")
        return {"receipt": receipt, "cents": 1}

    manager = managed(ORDER)
    manager.create_job(job_id="j")
    phases: Mapping[str, Any] = {"received": lambda state: {}, "charging": charge}
    outcome = run(manager, "j", phases=phases)
    assert (outcome.phase, outcome.halt_reason) == ("stuck", "no work is done in 'stuck'")
    (failed,) = (e for e in manager.get_state_history("j") if e.event == "fail")
    assert failed.payload == {
        "why": "slow",
        "words": "TimeoutError: no answer (phase charging, function charge)",
    }
    assert run(manager, "j", phases=phases).phase == "packing"
    assert calls == ["pay", "late"]


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ({"receipt": "r1"}, "field 'cents' is missing"),
        ({"receipt": 1, "cents": 1}, "field 'receipt' is 1, not of type str"),
        (None, "field 'receipt' is missing"),
        ("r1", "is 'r1', and a mapping of the fields of 'charged' to values is wanted"),
    ],
)
def test_what_is_no_payload_of_the_ending_event_fails_the_phase(
    output: object, problem: str
) -> None:
    """It is the function's fault."""
    manager = managed(ORDER)
    manager.create_job(job_id="j")
    phases = {"received": lambda state: {}, "charging": lambda state: output}
    assert run(manager, "j", phases=phases).phase == "stuck"
    (failed,) = (e for e in manager.get_state_history("j") if e.event == "fail")
    assert problem in failed.payload["words"]


@pytest.mark.parametrize(
    "edit",
    [
        ("      failure: {event: fail, causes: {error: broken, timeout: slow}}\n", ""),
        ("causes: {error: broken, timeout: slow}", "causes: {timeout: slow}"),
        ("from: working, on: fail", "from: packing, on: fail"),
    ],
)
def test_where_the_lifecycle_cannot_say_that_a_phase_failed_the_error_is_raised(
    edit: tuple[str, str],
) -> None:
    """The job is left as it was, under no lease, and a later run goes on."""
    manager = managed(edited(ORDER, edit))
    manager.create_job(job_id="j")
    with pytest.raises(ZeroDivisionError):
        run(manager, "j", phases={"received": lambda state: {"x": 1 // 0}})
    state = manager.get_state("j")
    assert (state.phase, state.owner) == ("received", None)
    with pytest.raises(PayloadInvalid, match="is missing"):
        run(manager, "j", phases={"received": lambda state: {}, "charging": lambda state: {}})
    assert manager.get_state("j").phase == "charging"


def test_an_output_for_which_there_is_no_field_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The phase ends all the same: what the function did is done."""
    payload = "{payload: {receipt: {type: str}, cents: {type: int}}}"
    text = edited(ORDER, (f"charged: {payload}", "charged: {}"))
    manager = managed(text)
    manager.create_job(job_id="j")
    phases = {"received": lambda state: {}, "charging": lambda state: "r1"}
    with caplog.at_level(logging.WARNING, "milepost.executors"):
        assert run(manager, "j", phases=phases).phase == "packing"
    assert "what the function of phase charging gave is not kept" in caplog.text


PAYMENT = """
lifecycle: pay
version: 1
enums: {Why: [error]}
machines:
  order:
    initial: placed
    states: {placed: {}, charging: {}, paid: {final: true}, failed: {final: true}}
    context: {least: {type: int, initial: 10}}
    events:
      go: {}
      charged: {payload: {amount: {type: int}}}
      lower: {payload: {to: {type: int}}}
      fail: {payload: {why: {type: Why}, message: {type: str}}}
    transitions:
      - {from: placed, on: go, to: charging}
      - {from: charging, on: charged, to: paid, when: event.amount >= least, partial: true}
      - {from: charging, on: lower, to: charging, set: {least: event.to}}
      - {from: [placed, charging], on: fail, to: failed, when: least < 10, partial: true}
    roles: {phases: {placed: go, charging: charged}, result: charged.amount, failure: fail}
"""


@pytest.mark.parametrize("output", [5, "no number"])
def test_what_a_guard_refuses_right_after_a_checkpoint_is_asked_for_once(output: object) -> None:
    """Neither the run's checkpoint of the new phase nor an operator's is a change by others."""
    manager = managed(PAYMENT)
    manager.create_job(job_id="j")
    calls: list[str] = []

    def charge(state: JobState) -> object:
        calls.append(state.phase)
        manager.create_checkpoint("j")
        return output

    with pytest.raises((TransitionRefused, PayloadInvalid, ValueInvalid)):
        run(manager, "j", phases={"placed": lambda state: None, "charging": charge})
    assert calls == ["charging"]
    assert (manager.get_state("j").phase, events(manager)[-1]) == ("charging", "released")


def test_what_a_guard_refused_is_asked_for_again_where_others_changed_what_it_reads() -> None:
    manager = managed(PAYMENT)
    manager.create_job(job_id="j")
    calls: list[int] = []

    def charge(state: JobState) -> int:
        calls.append(int(state.context["least"]))
        if len(calls) == 1:
            manager.fire("j", "lower", {"to": 8})
        return 5 if len(calls) == 1 else 8

    outcome = run(manager, "j", phases={"placed": lambda state: None, "charging": charge})
    assert (outcome.phase, calls, manager.result("j")) == ("paid", [10, 8], 8)


def test_an_event_that_leaves_the_job_where_it_is_ends_the_run() -> None:
    """Its function would be called for ever."""
    calls: list[int] = []

    def charge(state: JobState) -> dict[str, Any]:
        calls.append(1)
        return {"receipt": "r1", "cents": 0}

    row = "      - {from: charging, on: charged, to: packing"
    again = "      - {from: charging, on: charged, to: charging, when: event.cents < 1}\n"
    paid = f"{row}, when: event.cents >= 1, partial: true}}\n"
    text = edited(ORDER, (f"{row}}}\n", paid + again))
    manager = managed(text)
    manager.create_job(job_id="j")
    outcome = run(manager, "j", phases={"received": lambda state: {}, "charging": charge})
    assert outcome.halt_reason == "'charged' has left the job in phase 'charging'"
    assert calls == [1]


def warehouse(text: str = WAREHOUSE) -> StateManager:
    manager = managed(text)
    collections = {"lines": {"pen": 1, "ink": 2}, "parcels": {"small": 3, "large": 4}}
    manager.create_job(collections=collections, job_id="j")
    return manager


def test_each_collection_is_worked_on_in_its_phase(pool: ThreadPoolExecutor) -> None:
    """By a function of its own; the phase behind them gets the results of all."""
    called: list[str] = []

    def pick(item: Item) -> list[int]:
        called.append(f"pick {item.key}")
        return [item.value]

    def move(item: Item) -> int:
        called.append(f"move {item.key}")
        return int(item.value)

    manager = warehouse()
    outcome = run(
        manager, "j", {"lines": pick, "parcels": move}, dict, executor=pool, workers=1, ahead=0
    )  # fmt: skip
    assert outcome.phase == "closed"
    assert called == [
        "pick lines/pen", "pick lines/ink", "move parcels/small", "move parcels/large",
    ]  # fmt: skip
    expected = {"lines/pen": [1], "lines/ink": [2], "parcels/small": 3, "parcels/large": 4}
    assert manager.result("j") == expected
    assert outcome.done_count == 4
    assert sound(manager)


def test_one_function_may_work_on_all(pool: ThreadPoolExecutor) -> None:
    """Retries and failures are those of the collection that the item is of."""
    failing = {"lines/pen": 1, "parcels/small": 1}

    def weigh(item: Item) -> int:
        if failing.get(item.key):
            failing[item.key] -= 1
            raise ConnectionError(item.key)
        return int(item.value)

    manager = warehouse()
    outcome = run(manager, "j", weigh, dict, executor=pool)
    assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("closed", 3, 2)
    assert sorted(manager.result("j")) == ["lines/ink", "lines/pen", "parcels/large"]
    failures = manager.failures("j")
    assert failures["lines/pen"][0].cause == "torn"
    assert failures["parcels/small"][0].message == "ConnectionError: parcels/small"
    assert "again" in events(manager)


def test_a_collection_without_function_is_left_to_others(pool: ThreadPoolExecutor) -> None:
    """The run ends where it comes to them, says so, and another run goes on."""
    manager = warehouse()
    outcome = run(manager, "j", {"lines": grade}, dict, executor=pool)
    assert (outcome.phase, outcome.done_count) == ("moving", 2)
    assert "2 of parcels wait, and no function was given for them" in outcome.halt_reason
    assert run(manager, "j", {"parcels": grade}, dict, executor=pool).phase == "closed"


def test_the_items_of_several_collections_are_compared_and_added(
    pool: ThreadPoolExecutor,
) -> None:
    """Each to its own."""
    manager = warehouse()
    same = {"lines": {"pen": 1, "ink": 2}, "parcels": {"small": 3, "large": 4}}
    with pytest.raises(InputChanged):
        run(manager, "j", grade, executor=pool, collections={"lines": {"pen": 1}})
    with pytest.raises(ArgumentInvalid, match="of warehouse give collections="):
        run(manager, "j", grade, executor=pool, items=["pen"])
    more = {"lines": {**same["lines"], "pad": 5}, "parcels": {**same["parcels"], "huge": 6}}
    outcome = run(manager, "j", grade, dict, executor=pool, collections=more, on_changed="grow")
    assert outcome.inputs is not None
    assert (outcome.inputs.verdict, outcome.phase) == ("grew", "closed")
    assert manager.result("j")["lines/pad"] == 5
    assert manager.result("j")["parcels/huge"] == 6


def test_what_nobody_can_hand_back_has_failed(pool: ThreadPoolExecutor) -> None:
    """Parcels have neither release nor lost: none is left in the hands of an executor that died."""
    manager = warehouse()
    run(manager, "j", {"lines": grade}, executor=pool)
    manager.record("j", [ItemEvent("parcels/small", "pack")])
    outcome = run(manager, "j", grade, dict, executor=pool)
    assert outcome.phase == "closed"
    assert dict(manager.results("j")).keys() == {"lines/pen", "lines/ink", "parcels/large"}
    (lost,) = manager.failures("j")["parcels/small"]
    assert lost.message == "its executor died"


def test_a_phase_that_works_on_items_may_have_a_function_for_its_end(
    pool: ThreadPoolExecutor,
) -> None:
    """It gives what the ending event carries, of the results that are there by then."""
    text = edited(
        REVIEW,
        (" + papers.returned == 0", " == 0"),
        ("close: {}", "close: {payload: {best: {type: json}}}"),
        ("result: print.pages", "result: close.best"),
    )
    manager = managed(text)
    manager.create_job(PAPERS, job_id="j")
    outcome = run(manager, "j", grade, executor=pool)
    assert outcome.halt_reason == "no function was given for phase 'reading'"
    best = lambda results: max(results, key=lambda entry: entry[1])  # noqa: E731
    outcome = run(manager, "j", grade, executor=pool, phases={"reading": best})
    assert outcome.phase == "printing"
    assert manager.result("j") == ["better", 7]


_FAILURE = "      failure: {event: send_back, causes: {error: unreadable, timeout: late}}\n"
_WAITS = RetryPolicy(default=Backoff(base_s=1))
_GIVES_UP = RetryPolicy(causes={"unreadable": "give up"})


@pytest.mark.parametrize(
    ("role", "edits", "options"),
    [
        ("result", [("      result: accept.grade\n", "")], {}),
        ("failure", [(_FAILURE, "")], {}),
        ("failure.causes.error", [("error: unreadable, ", "")], {}),
        ("phases", [("      phases: {reading: close, printing: print}\n", "")], {}),
        ("retry", [("      retry: read_again\n", "")], {"retry": RetryPolicy()}),
        (
            "attempts",
            [("      attempts: {counts: readings, most: most}\n", "")],
            {"retry": _WAITS},
        ),
        ("give_up", [], {"retry": _GIVES_UP}),
        ("variables", [], {"phases": {"printing": lambda results, steps: 1}}),
    ],
)
def test_a_role_that_is_needed_and_absent_is_named_before_anything_begins(
    pool: ThreadPoolExecutor, role: str, edits: list[tuple[str, str]], options: dict[str, Any]
) -> None:
    """With nothing done to the job, and no lease taken."""
    manager = managed(edited(REVIEW, *edits))
    manager.create_job(PAPERS, job_id="j")
    with pytest.raises(RoleAbsent) as caught:
        run(manager, "j", grade, executor=pool, **options)
    assert (caught.value.role, caught.value.lifecycle) == (role, "review")
    assert caught.value.machine == ("issue" if role in {"phases", "variables"} else "paper")
    assert manager.get_state("j").seq == 1


def test_steps_need_an_event_that_changes_nothing_else(pool: ThreadPoolExecutor) -> None:
    """The role `variables` is there, and the error says what its events are not."""
    setting = (
        ("      print: {", "      note: {payload: {notes: {type: json}}}\n      print: {"),
        (
            "      - {from: printing, on: print",
            "      - {from: reading, on: note, to: printing}\n      - {from: printing, on: print",
        ),
        ("      phases: {reading", "      variables: note\n      phases: {reading"),
    )
    manager = managed(edited(REVIEW, *setting))
    manager.create_job(PAPERS, job_id="j")
    told = "'variables' of an event that changes nothing else"
    with pytest.raises(RoleAbsent, match=told):
        run(manager, "j", grade, executor=pool, phases={"printing": lambda results, steps: 1})


def test_a_policy_for_a_lifecycle_without_items_names_no_machine(pool: ThreadPoolExecutor) -> None:
    """Nothing that could be written under the job's own machine would help."""
    manager = managed(ORDER)
    manager.create_job(job_id="j")
    with pytest.raises(RoleAbsent, match="its jobs have no items"):
        run(manager, "j", executor=pool, retry=RetryPolicy())


@pytest.mark.parametrize(
    ("event", "field", "edits"),
    [
        ("open", "by", [("open: {}", "open: {payload: {by: {type: str}}}")]),
        ("accept", "by", [("grade: {type: int}", "grade: {type: int}, by: {type: str}")]),
        ("send_back", "by", [("words: {type: str}", "words: {type: str}, by: {type: int}")]),
        ("print", "ink", [("pages: {type: int}", "pages: {type: int}, ink: {type: int}")]),
    ],
)
def test_an_event_that_needs_more_than_a_run_can_give_is_named_before_anything_begins(
    pool: ThreadPoolExecutor, event: str, field: str, edits: list[tuple[str, str]]
) -> None:
    """Unless the field has a default."""
    manager = managed(edited(REVIEW, *edits))
    manager.create_job(PAPERS, job_id="j")
    with pytest.raises(PayloadUnfilled, match=f"'{field}' of event '{event}'"):
        run(manager, "j", grade, pages, executor=pool)
    assert manager.get_state("j").seq == 1


@pytest.mark.parametrize(
    ("text", "given", "said"),
    [
        (ORDER, {"map_fn": grade}, "None .see phases: lifecycle order works on no items"),
        (ORDER, {"reduce_fn": pages}, "of the phases after the work on items, .* order has none"),
        (ORDER, {"phases": {"packed": pages}}, "a mapping of phases of lifecycle order .received,"),
        (WAREHOUSE, {"map_fn": {"line": grade}}, "of collections of lifecycle warehouse .lines,"),
        (WAREHOUSE, {"setup_fn": pages}, "before the work on items, .* warehouse has none"),
        (REVIEW, {"reduce_fn": pages, "phases": {"printing": pages}}, "no function for printing"),
        (REVIEW, {"map_fn": {"papers": 3}}, "something to call"),
        (REVIEW, {"phases": {"printing": 3}}, "a mapping of phases to something to call"),
        (REVIEW, {"map_fn": grade, "executor": None}, "an executor"),
        (REVIEW, {"retry": RetryPolicy(causes={"error": "give up"})}, "unreadable or late"),
    ],
)
def test_a_function_that_has_no_place_is_refused_before_anything_begins(
    pool: ThreadPoolExecutor, text: str, given: dict[str, Any], said: str
) -> None:
    """With what there is."""
    manager = managed(text)
    manager.create_job(job_id="j")
    with pytest.raises(ArgumentInvalid, match=said):
        run(manager, "j", **{"executor": pool, **given})
    assert manager.get_state("j").owner is None
    assert {event.event for event in manager.get_state_history("j")} <= {"created", None}


async def _awaited(manager: StateManager) -> RunOutcome:
    async def charge(item: Item) -> int:
        return int(item.value)

    return await run_async(manager, "j", {"lines": charge, "parcels": charge}, dict)


def test_coroutines_work_on_any_lifecycle_too() -> None:
    """The functions of phases are called in the run's thread."""
    manager = warehouse()
    assert asyncio.run(_awaited(manager)).phase == "closed"
    assert manager.result("j")["parcels/large"] == 4


class Breaking(Inline):
    """Breaks at its first call, as a pool does whose worker was killed."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        del fn, args, kwargs
        future: Future[Any] = Future()
        future.set_exception(BrokenExecutor("a worker was killed"))
        return future


def breaking(times: int) -> Callable[[], Executor]:
    """Gives executors of which the first so many break."""
    left = [times]

    def made() -> Executor:
        left[0] -= 1
        return Breaking() if left[0] >= 0 else Inline()

    return made


def test_an_executor_that_dies_uses_up_no_attempt_without_suspects_either() -> None:
    """What it had is released, where the lifecycle tells deaths from nothing else."""
    manager = managed(REVIEW)
    manager.create_job({"good": 5}, job_id="j", config={"most": 1})
    outcome = run(manager, "j", grade, pages, executor=breaking(3), workers=1, probe_s=None)
    assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("printed", 1, 0)
    assert events(manager).count("lay_down") == 3
    assert manager.get_state("j").item("good")[1]["readings"] == 1


def test_executors_that_only_break_end_the_run() -> None:
    """Where nothing counts the deaths of an item, it is not begun for ever."""
    manager = managed(REVIEW)
    manager.create_job({"good": 5}, job_id="j")
    with pytest.raises(BrokenExecutor):
        run(manager, "j", grade, pages, executor=breaking(99), workers=1)
    state = manager.get_state("j")
    assert (state.progress.pending, state.owner) == (1, None)


def test_what_an_executor_died_of_has_failed_where_nothing_lets_it_go() -> None:
    """The failure says so; nothing is left in hands that nobody has."""
    manager = warehouse()
    outcome = run(
        manager,
        "j",
        grade,
        dict,
        executor=breaking(1),
        workers=1,
        ahead=0,
        probe_s=None,
    )
    assert outcome.phase == "closed"
    assert "put_back" in events(manager)  # a line, by release
    manager = warehouse()
    run(manager, "j", {"lines": grade}, executor=Inline(), workers=1)
    given: dict[str, Any] = {"workers": 1, "ahead": 0, "probe_s": None}
    outcome = run(manager, "j", grade, dict, executor=breaking(1), **given)
    assert outcome.phase == "closed"
    (died,) = manager.failures("j")["parcels/small"]
    assert died.message == f"its executor died ({KILLED})"
    assert "parcels/large" in manager.result("j")


def test_a_suspect_is_tried_alone_where_nothing_counts_its_deaths() -> None:
    """The message of its death says what is known."""
    text = edited(
        RENAMED,
        (", counts: crashes, most: max_crashes", ""),
    )
    manager = managed(text)
    manager.create_job(["a"], job_id="j", config={"max_dead": 1})
    given: dict[str, Any] = {"workers": 1, "timeout_s": 9, "probe_s": None}
    outcome = run(manager, "j", len, pages, executor=breaking(4), **given)
    assert outcome.state.progress.dead == 1
    messages = {failure.message for failure in manager.failures("j")["a"]}
    assert messages == {f"its executor died while it ran alone ({KILLED})"}
    assert outcome.death_count >= len(messages)


class Deadly(Engine):
    """An engine whose worker dies of the items of some key, and that goes on with another."""

    name = "deadly"

    def __init__(self, *keys: str) -> None:
        self.begun_count = 0
        self._keys = keys

    def submit(
        self, call: Callable[..., Any], /, *args: Any, token: str, timeout_s: float | None
    ) -> Future[Any]:
        del token, timeout_s
        future: Future[Any] = Future()
        items = args[0] if args and isinstance(args[0], list) else []
        if any(item.key in self._keys for item in items):
            self.begun_count += 1
            future.set_exception(WorkerGone("exit code 137"))
        else:
            future.set_result(call(*args))
        return future

    def slots(self) -> int:
        return 1

    def lost(self, error: BaseException) -> Lost | None:
        return Lost.WORKER if isinstance(error, WorkerGone) else None


class WorkerGone(Exception):
    """What an engine raises whose worker was killed."""


def test_an_item_that_kills_workers_is_bounded_where_the_lifecycle_counts_no_deaths() -> None:
    """Its third death in a run is a failure, and each after that; it says what the engine said."""
    manager = managed(REVIEW)
    manager.create_job({"good": 5, "poison": 6}, job_id="j", config={"most": 3})
    engine = Deadly("poison")
    given: dict[str, Any] = {"ahead": 0, "probe_s": None, "look_every_s": 0.001}
    outcome = run(manager, "j", grade, pages, executor=engine, **given)
    assert (outcome.phase, outcome.done_count) == ("reading", 1)
    assert (engine.begun_count, outcome.death_count, outcome.failure_count) == (5, 5, 3)
    messages = [failure.message for failure in manager.failures("j")["poison"]]
    gone = f"({WorkerGone.__module__}.WorkerGone: exit code 137)"
    assert messages == [f"its executor died {n} times in this run {gone}" for n in (3, 4, 5)]
    assert outcome.state.item("poison")[1]["readings"] == 3


def test_a_death_that_nothing_counts_is_told_of_by_the_next_run(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nothing is left of what the run that died has counted. Where the lifecycle counts, or
    nobody died, there is nothing to tell."""
    manager = managed(REVIEW)
    manager.create_job({"good": 5}, job_id="j")
    manager.record("j", [ItemEvent("good", "open")])  # and whoever did so is not there any more
    with caplog.at_level(logging.WARNING, logger="milepost.executors"):
        run(manager, "j", grade, pages, executor=Inline(), workers=1)
    (told,) = [record.getMessage() for record in caplog.records]
    assert told.startswith("job j: an executor died with 1 of papers, and nothing counts")
    caplog.clear()
    manager.create_job({"good": 5}, job_id="k")
    run(manager, "k", grade, pages, executor=Inline(), workers=1)
    assert not caplog.records


def test_a_policy_by_kinds_needs_a_field_for_the_kind() -> None:
    """Otherwise it would hold in this run, and not in the next."""
    manager = managed(REVIEW)
    manager.create_job({"good": 5}, job_id="j")
    with pytest.raises(RoleAbsent, match=r"failure\.kind"):
        run(
            manager,
            "j",
            grade,
            executor=Inline(),
            retry=RetryPolicy(kinds={"ValueError": "at once"}),
        )
    assert manager.get_state("j").seq == 1


def test_a_timeout_has_the_cause_that_the_lifecycle_has_for_it(pool: ThreadPoolExecutor) -> None:
    """And an error, where it has none for a timeout."""
    for edit, cause in ((("a", "a"), "late"), ((", timeout: late", ""), "unreadable")):
        manager = managed(edited(REVIEW, edit))
        manager.create_job({"slow": 1}, job_id="j", config={"most": 1})
        ended = threading.Event()
        outcome = run(
            manager, "j", lambda item, ended=ended: ended.wait(), executor=pool, timeout_s=0.01
        )
        ended.set()
        assert outcome.failure_count == 1
        assert [f.cause for f in manager.failures("j")["slow"]] == [cause]


def test_a_run_that_is_stopped_hands_back_by_the_lifecycles_own_event(
    pool: ThreadPoolExecutor,
) -> None:
    """No attempt is used up, and the next run goes on."""
    manager = managed(REVIEW)
    manager.create_job({"good": 5, "better": 7}, job_id="j", config={"most": 1})
    stop, ended = Stop(), threading.Event()

    def wait(item: Item) -> int:
        stop.request("enough")
        ended.wait()
        return int(item.value)

    outcome = run(manager, "j", wait, executor=pool, workers=1, grace_s=0, stop=stop)
    ended.set()
    assert (outcome.interrupted, outcome.halt_reason) == (True, "")
    assert outcome.state.progress.pending == 2
    assert "lay_down" in events(manager)
    assert run(manager, "j", grade, pages, executor=pool).phase == "printed"


def test_results_and_payloads_may_be_bytes(pool: ThreadPoolExecutor) -> None:
    """They are no JSON; where the lifecycle wants JSON, they fail the attempt as before."""
    text = edited(
        REVIEW,
        (" + papers.returned == 0", " == 0"),
        ("grade: {type: int}", "grade: {type: bytes}"),
        ("pages: {type: int}", "pages: {type: bytes}"),
    )
    manager = managed(text)
    manager.create_job(["a", "b"], job_id="j")

    def scan(item: Item) -> object:
        return b"\xff" if item.key == "a" else "text"

    outcome = run(manager, "j", scan, lambda results: b"\x00", executor=pool)
    assert (outcome.phase, outcome.done_count, outcome.failure_count) == ("printed", 1, 1)
    assert dict(manager.results("j")) == {"a": "/w=="}
    assert manager.result("j") == "AA=="
    assert "not of type bytes" in manager.failures("j")["b"][0].message

    manager = managed(edited(ORDER, ("receipt: {type: str}", "receipt: {type: bytes}")))
    manager.create_job(job_id="j")
    phases = {
        "received": lambda state: {},
        "charging": lambda state: {"receipt": b"\xff", "cents": 1},
    }
    assert run(manager, "j", phases=phases).phase == "packing"
