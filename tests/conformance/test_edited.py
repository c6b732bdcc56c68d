"""A healthy log, and the definition edited in one place: the departure is found where it is."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

import msgspec
import pytest

from milepost import StateManager
from milepost.conformance.departures import Kind
from milepost.definition import Unreadable, definition_of
from milepost.job.versions import Catalogue
from milepost.lifecycles.mapreduce import LIFECYCLE
from milepost.state.reading.loading import Loader
from milepost.stores.memory import MemoryStore
from milepost.testing import FakeClock
from milepost_codegen.findings import DefinitionError
from tests.conformance.logs import (
    BUILT_IN,
    Commits,
    checked,
    commits_of,
    first_objection,
    replanted,
    tell,
)
from tests.contract.lifecycles.compiling import at_once

SOAK: Final = int(os.environ.get("MILEPOST_SOAK", "1"))


@dataclass(frozen=True)
class Edit:
    """One edit of the built-in definition, and what comes of the log that `tell` makes."""

    name: str
    old: str
    new: str
    seq: int
    kind: Kind
    subject: str
    problem: str
    allowed: tuple[str, ...] = ()
    values: dict[str, object] = field(default_factory=dict)
    set_at: tuple[int, str] | None = None
    steps: tuple[tuple[str, str, str, str], ...] = ()
    more: tuple[tuple[str, str], ...] = ()
    """What has to be changed with it, so that it compiles."""

    def edited(self, text: str) -> str:
        """The definition with it."""
        for old, new in ((self.old, self.new), *self.more):
            assert old in text
            text = text.replace(old, new)
        return text

    def __str__(self) -> str:
        return self.name


IN_RUNNING: Final = ("succeed", "fail", "defer", "release", "interrupt", "skip")
"""What a job in 'map' accepts of an item that runs, and has not crashed, but for an edit."""

EDITS: Final = (
    Edit(
        "a row of another state",
        "      - {from: failed, on: give_up, to: dead}\n",
        "      - {from: dead, on: give_up, to: dead}\n",
        7,
        "refused",
        "item 'b'",
        "in 'failed' there is no row for 'give_up'",
        ("skip",),
    ),
    Edit(
        "a guard changed",
        "attempts_left: attempts < max_attempts",
        "attempts_left: attempts + 1 < max_attempts",
        6,
        "refused",
        "item 'b'",
        "in 'failed' no guard of 'retry' holds",
        ("give_up", "skip"),
        {"attempts": 1, "max_attempts": 2, "crashes": 0, "max_crashes": 3, "permanent": False},
    ),
    Edit(
        "what the job accepts shortened",
        "map:    [start, succeed, fail, defer, note, release,",
        "map:    [start, succeed, fail, defer, release,",
        8,
        "refused",
        "item 'c'",
        "a job in 'map' accepts no 'note' of its items",
        IN_RUNNING,
    ),
    Edit(
        "a variable set otherwise",
        "on: note, to: running, set: {noted: true}",
        "on: note, to: running, set: {noted: false}",
        9,
        "checkpoint",
        "item 'c'",
        "the checkpoint has noted=True and the definition gives False",
        set_at=(8, "running.note"),
    ),
    Edit(
        "a counter set otherwise",
        "on: requeue, to: pending, set: {attempts: 0,",
        "on: requeue, to: pending, set: {attempts: 2,",
        28,
        "invariant",
        "item 'h'",
        "it breaks the invariant 'attempt_available' in 'pending'",
    ),
    Edit(
        "a variable that begins otherwise",
        "failed_in:  {type: Phase, initial: setup,",
        "failed_in:  {type: Phase, initial: map,",
        9,
        "checkpoint",
        "the job",
        "the checkpoint has failed_in='setup' and the definition gives 'map'",
    ),
    Edit(
        "a target changed",
        "{from: reduce, on: reopen, to: map}",
        "{from: reduce, on: reopen, to: paused}",
        32,
        "tally",
        "the job",
        "the log states phase='map' and the definition gives 'paused'",
        steps=(("reopen", "reduce.reopen", "reduce", "paused"),),
    ),
    Edit(
        "members sent another event",
        "when: event.lost, members: {items: {running: interrupt}}",
        "when: event.lost, members: {items: {running: release}}",
        19,
        "refused",
        "item 'e'",
        "in 'running' no guard of 'crash' holds",
    ),
    Edit(
        "a target of items changed",
        "{from: running, on: note, to: running,",
        "{from: running, on: note, to: failed,",
        8,
        "tally",
        "item 'c'",
        "the log states items.running=2 and the definition gives 1, items.failed=0 and",
        steps=(("note", "running.note", "running", "failed"),),
    ),
    Edit(
        "a history that is no longer kept",
        "to: {history: active}",
        "to: map",
        9,
        "checkpoint",
        "the job",
        "the checkpoint has history.active='setup' and the definition gives None",
    ),
    Edit(
        "an invariant added",
        "      settled_at_the_end:",
        "      nobody_dies: {holds: items.dead == 0}\n      settled_at_the_end:",
        7,
        "invariant",
        "the job",
        "it breaks the invariant 'nobody_dies' in 'map'",
        values={"items.dead": 1},
    ),
    Edit(
        "an invariant of items added",
        "      attempts_bounded:",
        "      few: {in: running, holds: attempts < 2}\n      attempts_bounded:",
        6,
        "invariant",
        "item 'b'",
        "it breaks the invariant 'few' in 'running'",
        values={"attempts": 2},
    ),
    Edit(
        "a field of a payload removed",
        "          permanent: {type: bool, default: false, doc:",
        "          for_good: {type: bool, default: false, doc:",
        5,
        "payload",
        "item 'b'",
        "the payload of 'fail' does not fit: there is no field 'permanent'",
        more=(
            ("permanent: event.permanent", "permanent: event.for_good"),
            ("permanent: permanent", "permanent: for_good"),
        ),
    ),
    Edit(
        "a member of an enum removed",
        "Cause: [error, timeout, executor_lost]",
        "Cause: [mistake, timeout, executor_lost]",
        5,
        "payload",
        "item 'b'",
        "the payload of 'fail' does not fit: field 'cause' is 'error', which is no Cause",
        more=(("causes: {error: error,", "causes: {error: mistake,"),),
    ),
    Edit(
        "a parameter bounded otherwise",
        'where: "1 <= max_attempts and max_attempts <= 100"',
        'where: "3 <= max_attempts"',
        1,
        "creation",
        "the job",
        "'max_attempts' of 'item' is 2, which has to satisfy 3 <= max_attempts",
    ),
    Edit(
        "an event renamed",
        "      defer:\n        doc",
        "      put_off:\n        doc",
        9,
        "refused",
        "item 'c'",
        "machine 'item' has no event 'defer'",
        more=(
            ("on: defer,", "on: put_off,"),
            (" defer, note", " put_off, note"),
            ("{event: defer,", "{event: put_off,"),
        ),
    ),
)


@pytest.fixture(scope="module")
def whole() -> Commits:
    store, clock = MemoryStore(), FakeClock()
    tell(StateManager(store, clock=clock), clock)
    return commits_of(store)


@pytest.mark.control("departures from edited definitions")
def test_the_log_is_healthy(whole: Commits) -> None:
    """Control: nothing departs from the definition as it stands."""
    found = checked(whole.log, tables=True)
    assert found.conforms
    assert found.by_tables
    assert (found.commits, found.items) == (len(whole.commits), 8)


@pytest.mark.parametrize("edit", EDITS, ids=str)
def test_an_edit_is_found(
    edit: Edit, whole: Commits, record_property: Callable[[str, object], None]
) -> None:
    """At the first commit that it touches, in words that name what was edited."""
    text = edit.edited(BUILT_IN)
    assert text != BUILT_IN
    found = checked(replanted(whole, lambda _: None, beside=True), text)
    departure = found.departure
    assert departure is not None
    assert not found.conforms
    assert (departure.seq, departure.kind) == (edit.seq, edit.kind), departure
    assert departure.subject.startswith(edit.subject)
    assert edit.problem in departure.problem
    if edit.allowed:
        assert departure.allowed == (edit.allowed, ())
    told = tuple((one.event, one.row, one.source, one.target) for one in departure.steps)
    assert told == edit.steps
    if edit.values:
        assert departure.guards[0].values == edit.values
    if edit.set_at:
        (value,) = departure.values
        assert (value.seq, value.row) == edit.set_at
    commit, _ = whole.commits[edit.seq - 1]
    assert (departure.at_us, departure.fence) == (commit.at_us, commit.fence)
    assert departure.owner == ("" if edit.seq == 1 else "first" if edit.seq < 15 else "second")
    record_property("counted", ("departures from edited definitions", {"found": 1}))


def test_lines_left_out_are_found_where_tables_of_them_object(
    whole: Commits, record_property: Callable[[str, object], None]
) -> None:
    """Of what still compiles: the text alone departs at the commit that its tables refuse."""
    lines = BUILT_IN.split("\n")
    rows = [at for at, line in enumerate(lines) if line.startswith("      - {from:")]
    rows += [at for at, line in enumerate(lines) if "holds:" in line]
    chance, tried, found = random.Random(7), 0, 0  # noqa: S311
    log = replanted(whole, lambda _: None)
    for at in chance.sample(rows, min(12 * SOAK, len(rows))):
        text = "\n".join(line for n, line in enumerate(lines) if n != at)
        try:
            tables = at_once(text)
        except DefinitionError:
            continue
        same = replace(tables, digest=LIFECYCLE.digest)  # by which the log knows it
        loader = Loader(whole.loader.store, Catalogue.of([same]))
        due = first_objection(msgspec.structs.replace(log, loader=loader))
        departure = checked(log, text).departure
        assert (departure.seq if departure else 0) == due, (lines[at], departure)
        tried, found = tried + 1, found + (due > 0)
    assert 0 < found < tried
    record_property(
        "counted", ("edited definitions beside their tables", {"tried": tried, "found": found})
    )


def test_tables_that_give_something_else_are_told_of_at_once(whole: Commits) -> None:
    """Without a checkpoint nothing in the log says so; the generated code does."""
    text = BUILT_IN.replace("to: running, set: {noted: true}", "to: running, set: {noted: false}")
    found = checked(whole.log, text, tables=True).departure
    assert found is not None
    assert (found.kind, found.seq, found.subject) == ("tables", 8, "item 'c'")
    (value,) = found.values
    assert (value.name, value.defined, value.found) == ("noted", False, True)
    assert (value.seq, value.row, value.text) == (8, "running.note", "false")


def test_additions_that_a_definition_takes_no_more_stay(whole: Commits) -> None:
    """As the language says: what is recorded stays legal. It is remarked on."""
    found = checked(whole.log, BUILT_IN.replace("grows: [setup, map]", "grows: []"))
    assert found.conforms
    (remark,) = found.remarks
    assert remark.seq == 11
    assert "2 items were added to 'items' in 'map'" in remark.text


def test_without_the_definition_nothing_can_be_told(whole: Commits) -> None:
    """Never sound: another version, or another lifecycle."""
    for old, new, given in (
        ("version: 3", "version: 4", "mapreduce 4"),
        ("lifecycle: mapreduce", "lifecycle: other", "other 3"),
        (
            "lifecycle: mapreduce",
            "lifecycle: mapredcue",
            "mapredcue 3; did you mean 'lifecycle: mapreduce' for 'mapredcue'?",
        ),
    ):
        found = checked(whole.log, BUILT_IN.replace(old, new))
        assert found.conforms is None
        assert found.untold == (
            "from commit 1 on it ran by mapreduce 3, whose definition was not given"
            f" (given: {given})"
        )
        assert (found.commits, found.steps) == (len(whole.commits), 0)


def test_a_definition_that_names_what_there_is_not_is_none() -> None:
    """It is said of the name, before any log is looked at."""
    old, new = "attempts_left: attempts < max_attempts", "attempts_left: attempts < nonsense"
    with pytest.raises(Unreadable) as caught:
        definition_of(BUILT_IN.replace(old, new), "given.yaml")
    line = BUILT_IN[: BUILT_IN.index(old)].count("\n") + 1
    assert str(caught.value).startswith(
        f"given.yaml:{line}: machine 'item': guard 'attempts_left': 'attempts < nonsense':"
        " there is no 'nonsense' that can be read there (there are: attempts, "
    )


@pytest.mark.parametrize(
    ("old", "new", "subjects", "state"),
    [
        (
            "on: succeed, to: done,",
            "on: succeed, to: skipped,",
            ("item 'a'", "item 'a'"),
            "skipped",
        ),
        ("on: skip, to: skipped,", "on: skip, to: dead,", ("item 'g' and 1 more",) * 2, "dead"),
        ("on: succeed, to: done,", "on: succeed, to: running,", ("item 'a'", "the job"), "running"),
    ],
)
def test_a_tally_that_differs_is_told_of_its_members(
    old: str, new: str, subjects: tuple[str, str], state: str, whole: Commits
) -> None:
    """Which of several that are alike it is, the tables alone know; else it is of the job."""
    for subject, tables in zip(subjects, (True, False), strict=True):
        found = checked(whole.log, BUILT_IN.replace(old, new), tables=tables).departure
        assert found is not None
        told = "map" if subject == "the job" else state
        assert (found.kind, found.subject, found.state) == ("tally", subject, told), found
