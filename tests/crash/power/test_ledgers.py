"""Programs that have nothing of Milepost: sound ones lose nothing, and each fault is found."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from math import nan
from pathlib import Path
from typing import Any

import apsw
import pytest

from milepost.testing.power import Left, NotAsPromised, Power, Running

SOAK = bool(os.environ.get("MILEPOST_SOAK"))
EVERY = 1 if SOAK else 7
VALUES = ("a", "b", "c")
Story = Callable[[Running], None]


def opened(at: Running, journal: str, synchronous: str) -> apsw.Connection:
    """A ledger that makes sure of the mode that it relies on."""
    ledger = at.connect("ledger.db")
    assert ledger.pragma("journal_mode", journal) == journal
    ledger.pragma("synchronous", synchronous)
    ledger.execute("CREATE TABLE IF NOT EXISTS entries (value TEXT PRIMARY KEY, padding)")
    return ledger


def add(ledger: apsw.Connection, value: str) -> None:
    ledger.execute("INSERT INTO entries VALUES (?, zeroblob(900))", (value,))


def adding(journal: str = "wal", synchronous: str = "full") -> Story:
    """Adds values one by one, each acknowledged once it is committed."""

    def story(at: Running) -> None:
        ledger = opened(at, journal, synchronous)
        for value in VALUES:
            add(ledger, value)
            at.acknowledge(value)

    return story


def entries(at: Left, name: str = "ledger.db") -> list[str]:
    """What a sound ledger holds; then it is written to, as the next run would."""
    if not at.path(name).exists():
        return []
    ledger = at.connect(name)
    assert ledger.pragma("integrity_check") == "ok"
    tables = ledger.execute("SELECT 1 FROM sqlite_schema WHERE name = 'entries'").get
    found = [value for (value,) in ledger.execute("SELECT value FROM entries")] if tables else []
    ledger.execute("CREATE TABLE later (a)")
    return found


SOUND = [("wal", "full"), ("delete", "extra"), ("truncate", "full"), ("persist", "full")]


@pytest.mark.parametrize(("journal", "synchronous"), SOUND, ids=lambda each: each)
def test_a_sound_ledger_loses_nothing(journal: str, synchronous: str, power: Power) -> None:
    """In each kind of journal, with the setting that SQLite's documentation asks for."""
    cut = power.cut(adding(journal, synchronous), entries)
    assert cut.positions > 30
    assert cut.whole > cut.positions // 2
    assert cut.images > 10 * cut.positions
    failed = power.fail(adding(journal, synchronous), entries, every=EVERY)
    assert failed.faults >= 150 // EVERY


UNSOUND = [
    ("wal", "off", "acknowledged and is not there"),
    ("wal", "normal", "'a' was acknowledged and is not there"),
    ("delete", "off", "malformed"),
    ("delete", "normal", "malformed"),
    ("delete", "full", "'a' was acknowledged and is not there"),
    ("memory", "extra", "malformed"),
    ("off", "extra", "malformed"),
]


@pytest.mark.control("power cuts of a story")
@pytest.mark.parametrize(("journal", "synchronous", "what"), UNSOUND, ids=lambda each: each)
def test_a_setting_that_loses_is_found(
    journal: str, synchronous: str, what: str, power: Power
) -> None:
    """The negative controls, and each one's smallest image lacks one thing at the most."""
    with pytest.raises(NotAsPromised, match=what) as told:
        power.cut(adding(journal, synchronous), entries)
    assert len(told.value.missing) == (0 if journal in ("memory", "off") else 1)


def test_the_smallest_image_of_a_known_fault_is_known(power: Power, tmp_path: Path) -> None:
    """With FULL the deletion of the journal commits, and nobody syncs the folder behind it."""
    with pytest.raises(NotAsPromised) as told:
        power.cut(adding("delete", "full"), entries)
    assert told.value.missing == ("undone: the deletion of ledger.db-journal",)
    assert told.value.kept == ()
    assert told.value.files == tmp_path / "power-1"
    assert sorted(path.name for path in told.value.files.iterdir()) == [
        "ledger.db",
        "ledger.db-journal",
    ]
    left = sqlite3.connect(told.value.files / "ledger.db")
    assert left.execute("SELECT count(*) FROM entries").fetchall() == [(0,)]
    left.close()
    assert str(told.value).splitlines() == [
        "a power cut behind what was promised as number 1, position 31:",
        "  'a' was acknowledged and is not there",
        "of what was not durable then (no less will do):",
        "  undone: the deletion of ledger.db-journal",
        "promised last: 'a' was acknowledged at position 31",
        (
            "not synced by position 31: the names in the folder, changed since position 30 by the"
            " deletion of ledger.db-journal"
        ),
        f"what is left: {told.value.files}",
        "this case alone: MILEPOST_POWER=1:cut:31:n0",
    ]


def strict(at: Left) -> list[str]:
    """A judge that expects a table, whatever was promised."""
    return [value for (value,) in at.connect("ledger.db").execute("SELECT value FROM entries")]


def test_a_judge_that_expects_what_nobody_promised_is_told(power: Power) -> None:
    """At which position, and that there was nothing that it could expect."""
    early = r"no such table: entries\n  nothing had been promised by then "
    with pytest.raises(NotAsPromised, match=rf"{early}\(the first promise is at position") as told:
        power.cut(adding(), strict)
    assert told.value.args[0].startswith("a power cut behind the start, position 0:")
    with pytest.raises(NotAsPromised, match=early) as told:
        power.fail(adding(), strict, every=EVERY)
    assert told.value.promised == ()


def test_a_judge_that_finds_half_of_a_transaction_is_not_told_to_allow_for_nothing(
    power: Power,
) -> None:
    """The tables are there, and that nothing was promised yet is no excuse for what is in them."""

    def story(at: Running) -> None:
        ledger = opened(at, "wal", "full")
        add(ledger, "debit")
        add(ledger, "credit")  # they were to be one transaction
        at.acknowledge("credit")

    def judge(at: Left) -> list[str]:
        found = entries(at)
        if len(found) == 1:
            raise ValueError(f"half of it: {found}")
        return found

    with pytest.raises(NotAsPromised, match="ValueError: half of it:") as told:
        power.cut(story, judge)
    assert told.value.complaint == "ValueError: half of it: ['debit']"
    assert "must allow" not in str(told.value)


def test_values_of_another_shape_are_shown(power: Power) -> None:
    """As the judge gives them, but no more than a line."""

    def story(at: Running) -> None:
        ledger = opened(at, "wal", "full")
        for value in VALUES:
            add(ledger, value)
            at.acknowledge((value, "e"))

    with pytest.raises(NotAsPromised) as told:
        power.cut(story, entries)
    first, *_, last = told.value.complaint.splitlines()
    assert first == "('a', 'e') was acknowledged and is not there"
    assert last == f"the judge gives {list(VALUES)!r}"

    def many(at: Left) -> list[str]:
        return entries(at) + ["x" * 100] * 100

    with pytest.raises(NotAsPromised, match=r"the judge gives \[") as told:
        power.cut(story, many)
    assert len(told.value.complaint.splitlines()[-1]) < 200


def test_where_a_sync_is_missing_no_call_is_blamed(power: Power) -> None:
    """What was promised, and when, and what was not synced by then is what matters."""
    with pytest.raises(NotAsPromised) as told:
        power.fail(adding("wal", "normal"), entries, kinds=["io"], every=EVERY)
    first, *lines = str(told.value).splitlines()
    assert first.startswith("no call need fail: a power cut is enough. Met first by an I/O error")
    promised, unsynced, *_ = told.value.promised
    assert promised.startswith("promised last: 'a' was acknowledged at position")
    assert "ledger.db-wal, changed since position" in unsynced
    assert f"  {unsynced}" in lines or unsynced in lines
    assert told.value.again.split(":")[1] == "fail"


@pytest.mark.parametrize("unsound", [adding("wal", "normal"), adding("delete", "normal")])
def test_a_case_is_tried_again_alone(unsound: Story, power: Power, place: Path) -> None:
    """By what the message tells; it fails alike, the judge is asked little, and others pass by."""
    with pytest.raises(NotAsPromised) as told:
        power.cut(unsound, entries)
    asked = []

    def judge(at: Left) -> list[str]:
        asked.append(at.acknowledged)
        return entries(at)

    again = Power(place / "again", again=told.value.again)
    with pytest.raises(NotAsPromised) as repeated:
        again.cut(unsound, judge)
    assert repeated.value.complaint == told.value.complaint
    assert repeated.value.missing == told.value.missing
    assert len(asked) < 20
    assert again.cut(unsound, entries).images == again.fail(unsound, entries).faults == 0
    mended = Power(place / "mended", again=told.value.again)
    with pytest.raises(ValueError, match="has it changed"):
        mended.cut(lambda at: at.acknowledge(), entries)
    gone = Power(place / "gone", again="1:fail:io:4000:once")
    with pytest.raises(ValueError, match="has it changed"):
        gone.fail(adding(), entries)


@pytest.mark.control("power cuts of a story")
def test_who_acknowledges_before_the_commit_is_found(power: Power) -> None:
    """A negative control: all else is as it should be."""

    def story(at: Running) -> None:
        ledger = opened(at, "wal", "full")
        for value in VALUES:
            with ledger:
                add(ledger, value)
                at.acknowledge(value)

    with pytest.raises(NotAsPromised, match="'a' was acknowledged and is not there") as told:
        power.cut(story, entries)
    assert told.value.missing == ()
    (promised,) = told.value.promised
    assert promised.startswith("promised last: 'a'"), "no sync is missing"
    with pytest.raises(NotAsPromised, match="no call need fail: the end of the process is enough"):
        power.fail(story, entries, kinds=["io"], every=EVERY)


@pytest.mark.control("I/O errors of a story")
def test_who_passes_over_an_io_error_is_found(power: Power) -> None:
    """A negative control: it goes on, and tells its caller that all is well."""

    def story(at: Running) -> None:
        ledger = opened(at, "wal", "full")
        for value in VALUES:
            with suppress(apsw.IOError):
                add(ledger, value)
            at.acknowledge(value)

    power.cut(story, entries)
    with pytest.raises(NotAsPromised, match="'a' was acknowledged and is not there") as told:
        power.fail(story, entries, kinds=["io"], lasting=[False])
    fault, complaint, lost, promised, left, again = str(told.value).splitlines()
    assert fault.startswith("an I/O error at call ")
    assert complaint == "  'a' was acknowledged and is not there"
    assert lost == (
        "nothing of what was done by then is lost: the end of the process at that moment is enough"
    )
    assert promised.startswith("promised last: 'a' was acknowledged at position ")
    assert left.startswith("what is left: ")
    assert again.startswith("this case alone: MILEPOST_POWER=2:fail:io:")
    assert told.value.missing == ()


@pytest.mark.control("I/O errors of a story")
def test_a_fault_is_tried_again_alone(power: Power, place: Path) -> None:
    """A sync that fails, and whose error nobody hears, is found by the cut that follows it."""

    def story(at: Running) -> None:
        ledger = opened(at, "wal", "full")
        for value in VALUES:
            try:
                add(ledger, value)
            except apsw.FullError:
                at.refuse(value)
            except apsw.IOError as error:
                if error.extendedresult != apsw.SQLITE_IOERR_FSYNC:
                    raise
            at.acknowledge(value)

    with pytest.raises(NotAsPromised) as told:
        power.fail(story, entries)
    assert "sync of ledger.db-wal" in str(told.value)
    again = Power(place / "again", again=told.value.again)
    with pytest.raises(NotAsPromised) as repeated:
        again.fail(story, entries)
    assert repeated.value.again == told.value.again
    assert str(repeated.value).splitlines()[:3] == str(told.value).splitlines()[:3]


@pytest.mark.control("I/O errors of a story")
def test_what_was_refused_must_not_be_there(power: Power) -> None:
    """Who says that nothing was written while it comes back has promised too much."""

    def story(at: Running) -> None:
        ledger = opened(at, "wal", "full")
        for value in VALUES:
            try:
                add(ledger, value)
            except apsw.Error:
                at.refuse(value)
                return
            at.acknowledge(value)

    with pytest.raises(NotAsPromised, match="was refused and is there"):
        power.fail(story, entries, kinds=["io"], lasting=[False])


def replaced(at: Running, *, syncs_folder: bool) -> None:
    """A new file that takes the place of the old one, as many programs write one."""
    for number, value in enumerate(VALUES):
        new = at.connect("new.db")
        new.pragma("journal_mode", "truncate")
        new.execute("CREATE TABLE entries (value)")
        new.executemany("INSERT INTO entries VALUES (?)", [(v,) for v in VALUES[: number + 1]])
        new.close()
        at.path("new.db-journal").unlink()
        at.path("new.db").replace(at.path("ledger.db"))
        if syncs_folder:
            handle = os.open(at.folder, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        at.acknowledge(value)


@pytest.mark.control("power cuts of a story")
def test_a_folder_that_is_not_synced_is_found(power: Power) -> None:
    """A negative control, beside the same that syncs it, of what a program does by itself."""
    power.cut(lambda at: replaced(at, syncs_folder=True), entries)
    with pytest.raises(NotAsPromised, match="acknowledged and is not there") as told:
        power.cut(lambda at: replaced(at, syncs_folder=False), entries)
    assert told.value.missing == ("undone: the renaming of new.db to ledger.db",)
    _, unsynced = told.value.promised
    assert "the names in the folder, changed since" in unsynced


def transferring(journal: str) -> Story:
    """Two files by one connection, and a second one that reads them meanwhile."""

    def story(at: Running) -> None:
        ledger = at.connect("ledger.db")
        ledger.execute("ATTACH ? AS other", (str(at.path("other.db")),))
        reader = at.connect("other.db")
        for schema in ("main", "other"):
            ledger.execute(f"PRAGMA {schema}.journal_mode = {journal}").fetchall()
            ledger.execute(f"PRAGMA {schema}.synchronous = extra")
            ledger.execute(f"CREATE TABLE {schema}.entries (value)")
        for value in VALUES[:2]:
            with ledger:
                ledger.execute("INSERT INTO main.entries VALUES (?)", (value,))
                ledger.execute("INSERT INTO other.entries VALUES (?)", (value,))
            assert reader.execute("SELECT max(value) FROM entries").get == value
            at.acknowledge(value)

    return story


def both(at: Left) -> list[str]:
    here, there = entries(at), entries(at, "other.db")
    assert here == there, "one file has what the other has not"
    return here


@pytest.mark.control("power cuts of a story")
def test_two_files_are_one_transaction_in_a_rollback_journal_alone(power: Power) -> None:
    """So says SQLite's documentation: in WAL mode each file is whole, and not all of them."""
    cut = power.cut(transferring("delete"), both, share=1 if SOAK else 0.25)
    assert cut.positions > 20
    with pytest.raises(NotAsPromised, match="one file has what the other has not"):
        power.cut(transferring("wal"), both)


def test_what_was_prepared_is_durable_and_not_cut(power: Power) -> None:
    """And so is what was promised then."""

    def prepare(at: Running) -> None:
        assert at.vfs is None
        add(opened(at, "wal", "off"), "x")
        at.acknowledge("x")

    def story(at: Running) -> None:
        add(at.connect("ledger.db"), "y")
        at.acknowledge("y")

    def judge(at: Left) -> list[str]:
        assert at.acknowledged[0] == "x"
        return entries(at)

    assert power.cut(story, judge, prepare=prepare).positions < 20
    assert power.fail(story, judge, prepare=prepare, kinds=["full"]).faults < 20


@pytest.mark.control("power cuts of a story")
def test_a_disk_that_lies_is_found_out_by_a_judge_that_looks(power: Power) -> None:
    """The control that anybody has for a judge: one that sees nothing sees nothing then either."""
    with pytest.raises(NotAsPromised, match="a power cut behind"):
        power.cut(adding(), entries, lies=True)
    assert power.cut(adding(), lambda at: None, lies=True, promises=False).images


def test_a_judge_is_tried_first_where_nothing_happened(power: Power) -> None:
    for tried in (power.cut, power.fail):
        with pytest.raises(NotAsPromised, match="nothing was cut and nothing failed"):
            tried(adding(), lambda at: ["a"])
        with pytest.raises(TypeError, match="gives what can be looked into, or None, and not 7"):
            tried(adding(), lambda at: 7)  # type: ignore[arg-type, return-value]


def test_a_story_must_come_to_its_end_where_nothing_fails(power: Power) -> None:
    def story(at: Running) -> None:
        raise KeyError("mine")

    for tried in (power.cut, power.fail):
        with pytest.raises(KeyError, match="mine"):
            tried(story, entries)


@pytest.mark.control("I/O errors of a story")
def test_an_error_that_a_story_may_not_end_in_is_found(power: Power) -> None:
    """A program of which callers catch its own errors alone."""

    def story(at: Running) -> None:
        try:
            add(opened(at, "wal", "full"), "a")
        except apsw.IOError as error:
            raise LookupError("not ours") from error
        at.acknowledge("a")

    with pytest.raises(NotAsPromised, match=r"LookupError.* which is none of") as told:
        power.fail(story, entries, kinds=["io"], lasting=[False])
    assert isinstance(told.value.__cause__, LookupError)
    assert power.fail(story, entries, raises=(LookupError, apsw.Error), every=EVERY).faults


@pytest.mark.control("power cuts of a story")
def test_files_that_are_changed_beside_it_are_not_passed_over(power: Power) -> None:
    """A write that is not SQLite's, and a folder in the folder."""

    def written(at: Running) -> None:
        with at.path("notes.txt").open("w") as file:
            file.write("by hand")

    with pytest.raises(AssertionError, match=r"^notes\.txt: written past the harness"):
        power.cut(written, entries)

    def with_another_library(at: Running) -> None:
        ledger = sqlite3.connect(at.path("ledger.db"))
        ledger.execute("CREATE TABLE entries (value)")
        ledger.close()

    def without_the_vfs(at: Running) -> None:
        apsw.Connection(str(at.path("ledger.db"))).execute("CREATE TABLE entries (value)")

    def with_the_vfs(at: Running) -> None:
        ledger = apsw.Connection(str(at.path("ledger.db")), vfs=at.vfs)
        ledger.execute("CREATE TABLE entries (value)")
        ledger.execute("INSERT INTO entries VALUES ('a')")
        ledger.close()
        at.acknowledge("a")

    for past in (with_another_library, without_the_vfs):
        with pytest.raises(AssertionError, match=r"at\.connect\(name\).* vfs=at\.vfs\)"):
            power.cut(past, entries)
    assert power.fail(with_the_vfs, entries, every=EVERY).faults
    with pytest.raises(ValueError, match="files stand beside each other"):
        power.cut(lambda at: at.path("deeper/ledger.db").touch(), entries)
    with pytest.raises(AssertionError, match=r"^deeper: a folder in the folder"):
        power.cut(lambda at: (at.folder / "deeper").mkdir(), entries)


def rows(at: Left) -> list[object]:
    """The entries, each as JSON has it."""
    return [json.loads(value) for value in entries(at)]


def test_values_that_nothing_can_be_looked_up_by_are_promised(power: Power) -> None:
    """A dict, a list and a set, as they were when they were promised."""

    def story(at: Running) -> None:
        ledger = opened(at, "wal", "full")
        row: dict[str, object] = {"a": 1}
        for value in (row, [1, [2]], None, 1.5):
            add(ledger, json.dumps(value))
            at.acknowledge(value)
        row["a"] = 2
        add(ledger, "[]")

    assert power.cut(story, rows, share=0).images
    with pytest.raises(
        TypeError, match=r"\{'a': 1\} cannot be looked up in the set .* give a list"
    ):
        power.cut(story, lambda at: set(entries(at)))
    with pytest.raises(TypeError, match="not one text, in which any part is: give a list"):
        power.cut(adding(), lambda at: "".join(entries(at)))


class Array:
    """Compares bit by bit, as arrays do."""

    __hash__ = None  # type: ignore[assignment]  as arrays have none

    def __eq__(self, other: object) -> Any:
        return [True, True]

    def __repr__(self) -> str:
        return "array([1, 2])"


@pytest.mark.parametrize(
    "value", [nan, (1, nan), {"a": [nan]}, {nan: 1}, Array(), [Array()]], ids=repr
)
def test_what_no_judge_could_find_is_refused_where_it_is_promised(
    value: object, power: Power
) -> None:
    for promise in (Running.acknowledge, Running.refuse):
        with pytest.raises(TypeError, match="cannot be promised, since it is not plainly equal to"):
            power.cut(lambda at, promise=promise: promise(at, value), entries)  # type: ignore[misc]


def test_what_could_not_fail_is_told_of(power: Power) -> None:
    """A judge that looks at no promise; a story that makes none, writes nothing, calls nothing."""

    def soundness(at: Left) -> None:
        entries(at)

    def silent(at: Running) -> None:
        add(opened(at, "wal", "full"), "a")

    for tried in (power.cut, power.fail):
        with pytest.raises(TypeError, match=r"gives None and has not looked at `at\.acknowledged`"):
            tried(adding(), soundness)
        with pytest.raises(
            ValueError, match=r"the story promised nothing, .*`promises=False` says"
        ):
            tried(silent, entries)
    assert power.cut(silent, soundness, promises=False).images
    assert power.fail(adding(), soundness, promises=False, every=EVERY).faults
    with pytest.raises(ValueError, match="the story wrote nothing, so there was nothing to lose"):
        power.cut(lambda at: at.acknowledge("a"), lambda at: ["a"])
    for nothing in ({"kinds": []}, {"lasting": []}):
        with pytest.raises(ValueError, match="no call of the story can fail"):
            power.fail(adding(), entries, **nothing)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="every=0"):
        power.fail(adding(), entries, every=0)


def test_a_judge_may_look_at_what_was_promised_itself(power: Power) -> None:
    def looks(at: Left) -> None:
        assert set(at.acknowledged) <= set(entries(at)), "one is lost"

    assert power.cut(adding(), looks).images
    with pytest.raises(NotAsPromised, match="one is lost"):
        power.cut(adding("wal", "normal"), looks)


def test_a_judge_that_gives_nothing_where_all_is_lost_has_not_looked(power: Power) -> None:
    """Here it gives what is there, there None: so what is lost would pass."""

    def judge(at: Left) -> list[str] | None:
        return entries(at) or None

    with pytest.raises(NotAsPromised, match=r"the judge gives None .* \[\] if there is nothing"):
        power.cut(adding("wal", "normal"), judge)
