"""A log that breaks invariants is replayed as it is; `verify` tells, and the job is not locked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from milepost import (
    InvariantBroken,
    ItemEvent,
    LifecycleChanged,
    Soundness,
    StateManager,
)
from milepost.cli import main
from milepost.machine import Lifecycle
from tests.contract.lifecycles.compiling import lifecycle_of, module_of
from tests.integration.invariants.shop import SHOP, shop, unwatched


def opened(path: Path, lifecycle: Lifecycle | None = None, *earlier: Lifecycle) -> StateManager:
    return StateManager.open(path, lifecycle=lifecycle or shop(), earlier=earlier)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store whose job broke three invariants, which an older Milepost let it do.

    At commit 4 item `a` has spent too much, at 6 the job has; at 7 three items are busy.
    """
    path = tmp_path / "jobs.db"
    with opened(path, unwatched()) as manager:
        manager.create_job(["a", "b", "c", "d"], job_id="j")
        manager.record("j", [ItemEvent("a", "begin")])
        manager.record("j", [ItemEvent("a", "charge", {"n": 3})])
        manager.record("j", [ItemEvent("a", "charge", {"n": 1})])
        manager.fire("j", "spend", {"n": 5})
        manager.fire("j", "spend", {"n": 1})
        manager.record("j", [ItemEvent("b", "begin"), ItemEvent("c", "begin")])
        manager.create_checkpoint("j")
    return path


def test_it_is_read_as_it_was_written(path: Path) -> None:
    """From the checkpoint, and from the first commit on."""
    with opened(path) as manager:
        state = manager.get_state("j")
        assert state.context["budget"] == 6
        assert len(state.items.members("busy")) == 3
        assert manager.state_at("j", 6).context["budget"] == 6


def test_verify_tells_where_what_broke(path: Path) -> None:
    """Once each, at the commit that broke it: seq, whose, which and the values."""
    with opened(path) as manager:
        (found,) = manager.verify("j")
    assert (found.sound, found.verdict) == (False, Soundness.NOT_SOUND)
    assert {problem.invariant for problem in found.problems} == {"INV-HOLDS"}
    assert not any(problem.repairable for problem in found.problems)
    broken = [(one.seq, one.broken) for one in found.problems if one.broken is not None]
    assert [(seq, one.invariant, one.subject, one.values) for seq, one in broken] == [
        (4, "affordable", "job j, item 'a'", {"spent": 4, "limit": 3}),
        (6, "rich", "job j", {"budget": 6, "most": 5}),
        (7, "few_at_once", "job j", {"tasks.busy": 3}),
    ]


def test_so_does_the_command(path: Path) -> None:
    module = str(module_of(SHOP))
    options = ["--db", f"sqlite:///{path}", "--lifecycle", module]
    done = CliRunner().invoke(main, ["verify", "j", *options, "--json"])
    assert done.exit_code == 1, done.output
    answer = json.loads(done.stdout)
    (job,) = answer["jobs"]
    assert (job["verdict"], job["sound"]) == ("not sound", False)
    assert job["problems"][1]["broken"] == {
        "machine": "shop",
        "subject": "job j",
        "state": "open",
        "name": "rich",
        "holds": "budget <= most",
        "values": {"budget": 6, "most": 5},
    }
    plain = CliRunner().invoke(main, ["verify", "j", *options])
    assert "INV-HOLDS" in plain.stdout
    assert "the invariant 'rich' does not hold in 'open'" in plain.stdout


def test_a_sound_log_is_sound(tmp_path: Path) -> None:
    """Negative control."""
    with opened(tmp_path / "jobs.db") as manager:
        manager.create_job(["a"], job_id="j")
        manager.fire("j", "spend", {"n": 5})
        (found,) = manager.verify("j")
    assert (found.sound, found.problems) == (True, ())


def test_the_job_goes_on_and_nothing_more_breaks(path: Path) -> None:
    """Steps are refused for what they break themselves, and not for what was broken before."""
    with opened(path) as manager:
        manager.fire("j", "spend", {"n": 1})  # `rich` is broken already
        with pytest.raises(InvariantBroken, match="'affordable'"):  # of another item it holds
            manager.record("j", [ItemEvent("b", "charge", {"n": 4})])
        manager.record("j", [ItemEvent("d", "begin"), ItemEvent("a", "finish")])
        with pytest.raises(InvariantBroken, match="'all_done'"):
            manager.fire("j", "close")
        manager.fire("j", "spend", {"n": -7})  # it is mended
        with pytest.raises(InvariantBroken, match="'rich'"):
            manager.fire("j", "spend", {"n": 7})
        assert manager.fire("j", "sell").phase == "sold"
        assert [one.seq for one in manager.verify("j")[0].problems] == [4, 6, 7]


def test_an_item_that_comes_where_another_is_broken_is_looked_at(path: Path) -> None:
    """The cell of the broken one is there already, and the other has not broken anything yet."""
    with opened(path) as manager:
        with pytest.raises(InvariantBroken, match=r"item 'b'.*'affordable'"):
            manager.record("j", [ItemEvent("b", "charge", {"n": 4})])
        assert manager.record("j", [ItemEvent("a", "charge", {"n": 0})]).seq > 8


def test_it_can_be_rewound_forked_and_repaired(path: Path) -> None:
    """None of these is a step: going back to a broken state is as good as having been there."""
    with opened(path) as manager:
        manager.fork("j", 6, "broken", reason="to look at it")
        manager.fork("j", 3, "whole", reason="from before")
        assert manager.get_state("broken").context["budget"] == 6
        assert [one.seq for one in manager.verify("broken")[0].problems] == [4, 6]
        assert manager.verify("whole")[0].sound
        assert manager.upkeep.repair("j").steps == ()
        assert {one.invariant for one in manager.upkeep.repair("j").beyond} == {"INV-HOLDS"}
        assert manager.apply(manager.plan_rewind("j", 3)).context["budget"] == 0
        again = manager.apply(manager.plan_rewind("j", 7))
        assert again.context["budget"] == 6
        seqs = [one.seq for one in manager.verify("j")[0].problems]
        assert seqs[:3] == [4, 6, 7]
        assert set(seqs[3:]) == {again.seq}, "as it went back to them"


def second(limit: str) -> str:
    """A version 2, whose jobs may have another budget; the change itself is compatible."""
    return SHOP.replace("version: 1", "version: 2").replace(
        "budget <= most}", f"budget <= {limit}}}"
    )


def test_a_wider_invariant_lets_every_job_go_on(path: Path) -> None:
    """A job that had broken it before as well: the change of version breaks nothing."""
    first, wider = lifecycle_of(SHOP), lifecycle_of(second("most + 1"), SHOP)
    with opened(path, wider, first) as manager:
        assert manager.get_state("j").context["budget"] == 6
        assert manager.fire("j", "spend", {"n": 0}).phase == "open"
        with pytest.raises(InvariantBroken, match=r"budget <= most \+ 1 \(then budget=7, most=5\)"):
            manager.fire("j", "spend", {"n": 1})
        assert [one.seq for one in manager.verify("j")[0].problems] == [4, 6, 7]


def test_one_that_is_broken_already_is_not_the_changes_to_refuse(path: Path) -> None:
    first, wider = lifecycle_of(SHOP), lifecycle_of(second("most or budget == 9"), SHOP)
    with opened(path, wider, first) as manager:
        assert manager.get_state("j").context["budget"] == 6


def test_a_change_that_would_break_one_is_refused(tmp_path: Path) -> None:
    """By the same words as a step: the invariant, its source and the values."""
    path = tmp_path / "jobs.db"
    text = second("most").replace(
        "version: 2",
        "version: 2\nmigrations: [{from: 1, context: {shop: {budget: budget + 2}}, "
        "old: {shop: {budget: int}}}]",
    )
    first, later = lifecycle_of(SHOP), lifecycle_of(text, SHOP)
    with opened(path, first) as manager:
        manager.create_job(["a"], job_id="j")
        manager.fire("j", "spend", {"n": 4})
        manager.create_job(["a"], job_id="k")
    with opened(path, later, first) as manager:
        assert manager.get_state("k").context["budget"] == 2
        with pytest.raises(LifecycleChanged) as caught:
            manager.get_state("j")
    told = "the change of version would break the invariant 'rich' in 'open': budget <= most"
    assert f"{told} (then budget=6, most=5)" in str(caught.value)
    cause = caught.value.__cause__
    assert isinstance(cause, InvariantBroken)
    assert (cause.invariant, cause.values) == ("rich", {"budget": 6, "most": 5})


def test_a_narrower_invariant_that_no_migration_answers_is_breaking(tmp_path: Path) -> None:
    """The store says what `milepost diff` says, with a job that would break it."""
    path = tmp_path / "jobs.db"
    first, narrower = lifecycle_of(SHOP), lifecycle_of(second("most - 2"), SHOP)
    with opened(path, first) as manager:
        manager.create_job(["a"], job_id="j")
    with (
        opened(path, narrower, first) as manager,
        pytest.raises(LifecycleChanged, match="invariant rich refuses stored jobs"),
    ):
        manager.get_state("j")


def test_a_job_that_began_broken_is_told_of_at_its_first_commit(tmp_path: Path) -> None:
    """It is the job's as much as what a step broke, and locks nothing either."""
    path = tmp_path / "jobs.db"
    with opened(path, unwatched()) as manager:
        keys = [str(number) for number in range(7)]
        manager.create_job(keys, job_id="j", config={"limit": -1})
    with opened(path) as manager:
        found = [(one.seq, one.broken) for one in manager.verify("j")[0].problems]
        told = [(seq, one.invariant, one.subject) for seq, one in found if one is not None]
        assert told == [(1, "small", "job j"), (1, "affordable", "job j, item '0' and 6 more")]
        assert manager.fire("j", "sell").phase == "sold"


def test_show_says_what_would_be_refused(tmp_path: Path) -> None:
    """An event that the guards allow, and that an invariant does not; and one that items refuse."""
    path = tmp_path / "jobs.db"
    module = module_of(SHOP)
    with opened(path, lifecycle_of(SHOP)) as manager:
        manager.create_job(["a"], job_id="j")
        manager.record("j", [ItemEvent("a", "begin"), ItemEvent("a", "charge", {"n": 1})])
    options = ["--db", f"sqlite:///{path}", "--lifecycle", str(module)]
    done = CliRunner().invoke(main, ["show", "j", *options, "--json"])
    assert done.exit_code == 0, done.output
    answer = json.loads(done.stdout)
    assert [one["event"] for one in answer["allowed"]] == ["spend", "sell"]
    refused = {one["event"]: one["reason"] for one in answer["refused"]}
    assert "would break the invariant 'all_done' in 'closed'" in refused["close"]
    assert "item 'a': 'put_back' (busy.put_back) would break" in refused["rest"]
    assert "has no such transition" in refused["wake"]
    page = CliRunner().invoke(main, ["show", "j", *options]).stdout
    assert "close: job j: 'close' (open.close) would break the invariant 'all_done'" in page
    assert "no transition from open: wake" in page
