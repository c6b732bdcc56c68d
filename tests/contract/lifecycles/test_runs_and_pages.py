"""Runs of jobs of every lifecycle, and what the command line says of them."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from milepost import Item
from milepost.cli import main
from milepost.executors import CoroutineExecutor, run
from milepost.testing import FakeClock

from .cases import CASES, Case
from .compiling import module_of
from .keeping import JOB, Kept, driven, opened
from .model import act
from .walks import created

RUN = [case for case in CASES if "run" not in case.absent]


@pytest.mark.parametrize("kind", ["threads", "coroutines"])
@pytest.mark.parametrize("case", RUN, ids=str)
def test_a_run_leads_to_the_end(case: Case, kind: str, tmp_path: Path) -> None:
    """Each item is worked on once, one fails at first where it may, and each phase is done."""
    tried: list[str] = []
    places = {key: place for place, key in enumerate(case.begun().members)}
    first = next(iter(places), "")

    def work(item: Item) -> int:
        tried.append(item.key)
        if may_fail and item.key == first and tried.count(first) == 1:
            raise ValueError("the first time")
        return places[item.key]

    async def awaited(item: Item) -> int:
        return work(item)

    with opened(tmp_path / "jobs.db", case) as manager, ThreadPoolExecutor(2) as pool:
        state = manager.create_job(job_id=JOB, **created(case.begun()))
        may_fail = bool(first) and bool(state.roles_of(0).retry)
        for asked in case.lead:
            act(manager, JOB, asked)
        calls: dict[str, Any] = {}
        if places:
            calls["map_fn"] = work if kind == "threads" else awaited
            calls["executor"] = pool if kind == "threads" else partial(CoroutineExecutor, 4)
        phases = {phase: lambda _, given=given: given for phase, given in case.outputs.items()}
        outcome = run(manager, JOB, phases=phases, **calls)
        assert (outcome.phase, outcome.halt_reason) == (case.end, "")
        assert (outcome.done_count, outcome.failure_count) == (len(places), int(may_fail))
        assert sorted(tried) == sorted([*places, *([first] if may_fail else [])])
        if places:
            assert dict(manager.results(JOB)) == places
        assert manager.result(JOB) == case.result
        assert [one.sound for one in manager.verify()] == [True]


class Line:
    """The command line on the store of a case."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._module = module_of(kept.case.text, *kept.case.earlier)

    def __call__(self, *asked: str, code: int = 0) -> Result:
        """One call that must end with that code."""
        known = ["--db", str(self._kept.path), "--lifecycle", str(self._module)]
        clock: FakeClock = self._kept.clock
        result = CliRunner().invoke(main, [*asked, *known], obj=clock, terminal_width=120)
        assert result.exit_code == code, (asked, result.output)
        assert "Traceback" not in result.output
        return result

    def json(self, *asked: str) -> dict[str, Any]:
        """The answer in JSON."""
        answer: dict[str, Any] = json.loads(self(*asked, "--json").stdout)
        assert answer["schema"] == f"milepost.{asked[0]}/1"
        return answer


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_page_is_about_the_job(case: Case, tmp_path: Path) -> None:
    """Under way: where the job and each item stand, what recovery would do, what happened."""
    with driven(tmp_path, case) as kept:
        milepost, model = Line(kept), kept.model
        (job,) = milepost.json("jobs")["jobs"]
        assert (job["phase"], job["progress"]["total"]) == (case.phase, len(model.members))
        assert case.phase in milepost("jobs").stdout
        assert milepost.json("show", JOB)["phase"] == case.phase
        assert case.phase in milepost("show", JOB).stdout
        listed = {one["key"]: one["state"] for one in milepost.json("items", JOB)["items"]}
        assert listed == {key: member.state for key, member in model.members.items()}
        page = milepost("items", JOB).stdout
        assert all(key in page for key in model.members)
        parts = {part["name"]: part["count"] for part in milepost.json("plan", JOB)["parts"]}
        assert sum(parts.values()) == len(model.members)
        assert parts["done"] == len(case.parts.get("done", ()))
        events = {event["event"] for event in milepost.json("history", JOB)["events"]}
        asked = {request.event for one in case.script for request in one}
        assert asked <= events
        assert all(event in milepost("history", JOB).stdout for event in asked)
        assert milepost.json("verify")["jobs"][0]["sound"] is True
        assert "sound" in milepost("verify").stdout
        assert case.phase in milepost("changes", JOB, "1").stdout
        (kept_line,) = milepost.json("gc")["jobs"]
        assert (kept_line["goes"], kept_line["outcome"]) == (False, "active")
        milepost("sizes", JOB)
        milepost("checkpoint", JOB)
        drawn = milepost("diagram", JOB, "--mermaid").stdout
        assert all(state in drawn for state in model.root.states)
        assert "<svg" in milepost("diagram", JOB).stdout


@pytest.mark.parametrize("case", CASES, ids=str)
def test_what_has_failed_is_shown_or_said_to_have_no_role(case: Case, tmp_path: Path) -> None:
    """Dead letters come back; where there is no role for them the call says so, and fails."""
    with driven(tmp_path, case) as kept:
        milepost, dead = Line(kept), case.parts.get("dead", frozenset())
        if "dead_letters" in case.absent:
            role, machine = case.absent["dead_letters"]
            told = milepost("dead", JOB, code=2).stderr
            whose = (
                f"machine '{machine}' has no role" if machine else "no items, so that nothing has"
            )
            assert whose in told
            assert f"role '{role}'" in told
        else:
            assert {one["key"] for one in milepost.json("dead", JOB)["letters"]} == dead
            for key in dead:
                assert case.causes[key][-1] in milepost("dead", JOB, key).stdout
        if "requeue" in case.absent:
            assert "role 'requeue'" in milepost("requeue", JOB, code=2).stderr
        else:
            with_way = {key for key in dead if kept.model.machine_of(key).roles.requeue}
            without = sorted(f"--item={key}" for key in dead - with_way)
            if without:
                assert "has no role" in milepost("requeue", JOB, "--apply", *without, code=2).stderr
            milepost("requeue", JOB, "--apply", *(f"--item={key}" for key in with_way))
            state = kept.manager.get_state(JOB)
            assert {state.inputs.key(o) for o in state.dead} == dead - with_way
        milepost("recover", JOB, "--apply")
        milepost("rewind", JOB, "2", "--apply")
        milepost("fork", JOB, "2", "other", "--apply")
        assert "sound" in milepost("verify").stdout
