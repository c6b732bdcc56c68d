"""When members may be added: as the definition says, and as it follows where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from milepost import ItemsRefused, StateManager
from milepost.machine import Lifecycle, frozen
from milepost.testing import FakeClock

from .cases import CASES, Case
from .compiling import lifecycle_of
from .keeping import JOB, driven
from .model import act
from .walks import created

# Read off the definitions by hand: where a job begins, and where it accepts all that a new member
# could take. Of the built-in one the definition says so itself.
GROWS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "built-in": {"items": ("setup", "map")},
    "renamed": {"vgrzf": ("frghc", "znc")},
    "review": {"papers": ("open", "reading")},
    "order": {},
    "shop": {"lines": ("basket", "filling"), "payments": ("basket", "filling")},
    "transfer": {"reads": ("reading",), "writes": ("reading", "writing")},
    "ticket": {"tasks": ("reported", "assigned")},
}


def untold(lifecycle: Lifecycle) -> Lifecycle:
    """The tables as they were generated before they said when collections grow."""
    machines = {
        name: replace(
            machine,
            collections=frozen(
                {name: replace(one, grows=None) for name, one in machine.collections.items()}
            ),
        )
        for name, machine in lifecycle.machines.items()
    }
    return replace(lifecycle, machines=machines)


def grows_in(text: str, grows: str) -> str:
    """The review, with what it says of its papers."""
    told = "        accepts: {reading:"
    assert told in text
    return text.replace(told, f"        grows: {grows}\n{told}")


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.mark.parametrize("tables", ["as they are", "as they were"])
def test_members_are_added_where_the_tables_say(case: Case, tables: str, tmp_path: Path) -> None:
    """In each state of a whole life, tried on a fork of it; older tables give the same."""
    grows = GROWS[case.name]
    lifecycle = lifecycle_of(case.text, *case.earlier)
    assert {name: one.grows for name, one in lifecycle.collections.items()} == grows
    if tables == "as they were":
        lifecycle = untold(lifecycle)
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle, clock=FakeClock()) as manager:
        state = manager.create_job(job_id=JOB, **created(case.begun()))
        tried = set()
        for number, asked in enumerate(((), *case.script, *case.rest)):
            if asked:
                state = act(manager, JOB, asked)
            for name, phases in grows.items():
                fork = manager.fork(JOB, state.seq, f"{name}-{number}")
                if state.phase in phases:
                    more = manager.add_items(fork.id, [f"new-{number}"], collection=name)
                    assert more.ledgers[name].count == fork.ledgers[name].count + 1
                else:
                    with pytest.raises(ItemsRefused) as refused:
                        manager.add_items(fork.id, [f"new-{number}"], collection=name)
                    assert refused.value.phases == phases
                    assert f"only in: {', '.join(phases)}" in str(refused.value)
                tried.add((name, state.phase in phases))
        assert {(name, told) for name in grows for told in (True, False)} == tried
        assert all(one.sound for one in manager.verify())


REVIEW = next(one for one in CASES if one.name == "review")


@pytest.mark.parametrize(
    ("grows", "phases"),
    [
        ("open", ("open",)),
        ("[reading, open]", ("open", "reading")),
        ("[]", ()),
        ("reading", ("reading",)),
    ],
)
def test_a_definition_says_when(grows: str, phases: tuple[str, ...], tmp_path: Path) -> None:
    """One state, several in any order, or none; the digest does not tell of it."""
    case = replace(REVIEW, text=grows_in(REVIEW.text, grows))
    assert lifecycle_of(case.text).digest == lifecycle_of(REVIEW.text).digest
    with driven(tmp_path, case) as kept:
        assert kept.model.phase == "reading"
        first = kept.manager.fork(JOB, 1, "first")
        for job, phase in ((JOB, "reading"), (first.id, "open")):
            if phase in phases:
                assert kept.manager.add_items(job, ["late"]).items.count == 5
                continue
            with pytest.raises(ItemsRefused) as refused:
                kept.manager.add_items(job, ["late"])
            assert (refused.value.phase, refused.value.phases) == (phase, phases)
            assert f"only in: {', '.join(phases) or 'no phase'})" in str(refused.value)


def test_what_was_added_stays_where_nothing_is_added_any_more(tmp_path: Path) -> None:
    """The same lifecycle by its digest: no recorded addition is looked at again."""
    narrow = lifecycle_of(grows_in(REVIEW.text, "open"))
    with driven(tmp_path, REVIEW) as kept:
        added = kept.manager.add_items(JOB, ["late"])
        kept.manager.create_checkpoint(JOB)
        path = kept.path
    with StateManager.open(path, lifecycle=narrow, clock=FakeClock()) as manager:
        for state in (manager.get_state(JOB), manager.state_at(JOB, added.seq)):
            assert state.items.dump() == added.items.dump()
            assert state.fingerprint == added.fingerprint
        assert [one.sound for one in manager.verify()] == [True]
        with pytest.raises(ItemsRefused, match=r"only in: open\)"):
            manager.add_items(JOB, ["later"])
        for asked in REVIEW.rest[:1]:
            act(manager, JOB, asked)
        assert [one.sound for one in manager.verify()] == [True]
