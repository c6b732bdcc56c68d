"""`milepost verify --beside` reads what jobs keep beside their logs, and tells of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from milepost import ItemEvent, StateManager
from milepost.cli import main
from milepost.worker.places import place_at
from tests.contract.lifecycles.compiling import module_of
from tests.integration.beside.conftest import WITH_ROLE, Opened
from tests.integration.beside.test_beside import LARGE, kept, worked
from tests.integration.test_payload_codec import Masked


def test_what_is_whole(manager: StateManager, base: Path) -> None:
    worked(manager, base, [LARGE, 1, LARGE + 2])
    seq = manager.get_state("j").seq
    manager.fork("j", seq, "f")
    manager.create_job([1], job_id="none")
    found = manager.verify_beside("j")
    assert (found.objects, found.strays, found.problems) == (2, 0, ())
    assert found.size_bytes == sum(path.stat().st_size for path in kept(base))
    of_fork = manager.verify_beside("f")
    assert (of_fork.objects, of_fork.strays, of_fork.problems) == (2, 0, ())
    assert manager.verify_beside("none").objects == 0


def test_what_a_rewind_undid_and_a_fork_recorded_is_no_stray(
    manager: StateManager, base: Path
) -> None:
    worked(manager, base, [LARGE])
    (path,) = kept(base)
    place = place_at(path.parent.as_uri())
    place.write("0" * 64 + ".json", b"left by a worker that died")
    before = next(e.seq for e in manager.get_state_history("j") if e.event == "succeed") - 1
    manager.apply(manager.plan_rewind("j", before, reason="again"), operator=True)
    found = manager.verify_beside("j")
    assert (found.objects, found.strays) == (1, 1)


def test_damage_is_a_problem_of_its_item(opened: Opened, base: Path) -> None:
    manager = opened(payload_codec=Masked())
    worked(manager, base, [LARGE, LARGE + 2])
    one, other = kept(base)
    one.write_bytes(b"x")
    other.unlink()
    problems = manager.verify_beside("j").problems
    assert len(problems) == 2
    assert all(p.invariant == "beside" and p.seq and "item" in p.lost for p in problems)
    assert {p.repairable for p in problems} == {False}


def test_a_result_that_looks_like_a_reference_is_not_followed(
    manager: StateManager, base: Path
) -> None:
    """Also in a job that has a folder of its own."""
    manager.create_job([LARGE, "x"], job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent(0, "start")])
    uri = f"{base.as_uri()}/other/{'0' * 64}.json"
    shape = {"uri": uri, "sha256": "0" * 64, "size": 1, "digest": "0" * 32}
    manager.record("j", [ItemEvent(0, "succeed", {"result": shape})])
    assert manager.verify_beside("j").objects == 0


def ask(tmp_path: Path, *args: str) -> tuple[int, Any]:
    done = CliRunner().invoke(
        main, ["--lifecycle", str(module_of(WITH_ROLE)), *args, "--db", str(tmp_path / "jobs.db")]
    )
    return done.exit_code, done.stdout if done.stdout else done.stderr


def test_the_command(manager: StateManager, base: Path, tmp_path: Path) -> None:
    worked(manager, base, [LARGE, 1])
    code, page = ask(tmp_path, "verify", "--beside")
    assert code == 0, page
    assert "1 objects beside the log, 0 more are strays" in page
    (path,) = kept(base)
    path.write_bytes(b"x")
    assert ask(tmp_path, "verify")[0] == 0
    code, answer = ask(tmp_path, "verify", "--beside", "--json")
    assert code == 1
    (job,) = json.loads(answer)["jobs"]
    assert (job["sound"], job["objects"], job["problems"][0]["invariant"]) == (False, 1, "beside")
    assert ask(tmp_path, "verify", "--beside", "--repair")[0] == 2
