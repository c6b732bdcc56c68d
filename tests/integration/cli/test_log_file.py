"""One job's log as a file of its own: `export --log`, and `import log` into another store."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from milepost import ItemEvent, Scope, StateManager
from milepost.errors import ImportFailed, JobIdInvalid, StoreNewer
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine
from tests.integration.many.orders import ORDERS_1, compiled
from tests.integration.many.test_without import work

JOB = "nightly"


@pytest.fixture
def file(milepost: CommandLine, tmp_path: Path) -> Path:
    """The log of the story's job."""
    made = tmp_path / "nightly.jsonl"
    told = milepost("export", JOB, "--log", "--out", str(made)).stdout
    assert told == f"{made}: 9 rows of commits, {made.stat().st_size:,} bytes\n"
    return made


@pytest.fixture
def scratch(milepost: CommandLine, tmp_path: Path) -> CommandLine:
    """Another store, that is not there yet."""
    return CommandLine(tmp_path / "scratch.db", milepost.clock)


def test_a_log_is_the_same_job_elsewhere(
    file: Path, milepost: CommandLine, scratch: CommandLine
) -> None:
    """Its history, items, results, checkpoints and digests; sound, and held by nobody."""
    told = scratch.json("import", "log", str(file))
    assert told["whole"]
    assert [(one["job"], one["outcome"], one["phase"]) for one in told["jobs"]] == [
        (JOB, "imported", "map")
    ]
    for call in ("history {}", "items {}", "results {}", "failures {}", "checkpoint {} --list"):
        asked = call.format(JOB).split()
        assert scratch.json(*asked) == milepost.json(*asked), call
    with StateManager.open(milepost.store) as there, StateManager.open(scratch.store) as here:
        assert here.get_state(JOB).digest == there.get_state(JOB).digest
        assert here.verify(JOB)[0].sound
        assert not here.upkeep.strays()
    assert "another may take over" in scratch("show", JOB).stdout
    scratch("recover", JOB, "--apply")


def test_whatever_a_log_tells_of_comes_along(tmp_path: Path) -> None:
    """Items that were added, a way back, a fork, commits in blocks, and how long it is kept."""
    clock, file = FakeClock(), tmp_path / "j.jsonl"
    with (
        StateManager.open(tmp_path / "a.db", clock=clock) as there,
        StateManager.open("memory:", clock=clock) as here,
    ):
        there.create_job([f"k{n}" for n in range(40)], job_id="j")
        there.fire("j", "start_map")
        there.add_items("j", ["more"])
        for n in range(30):
            there.record("j", [ItemEvent(f"k{n}", "start")])
            there.record("j", [ItemEvent(f"k{n}", "succeed", {"result": "é" * n})])
        there.create_checkpoint("j")
        CommandLine(tmp_path / "a.db", clock)("rewind", "j", "20", "--apply")
        there.redo("j", Scope.keys("k1"))
        there.keep("j", for_=None, reason="the audit")
        there.upkeep.compact("j", apply=True)
        there.fork("j", 12, "f")
        for job_id in ("j", "f"):
            there.upkeep.export_log(job_id, file)
            tried = here.upkeep.import_log(file)
            assert not here.has_job(job_id)
            assert here.upkeep.import_log(file, apply=True) == tried
            verified, stands = tried
            assert verified.sound
            assert stands == there.summary(job_id)
            assert here.get_state(job_id).snapshot() == there.get_state(job_id).snapshot()
            assert list(here.results(job_id)) == list(there.results(job_id))
            assert here.kept(job_id) is None
            there.upkeep.export_log(job_id, tmp_path / "again.jsonl")
            here.upkeep.export_log(job_id, file)
            assert file.read_bytes() == (tmp_path / "again.jsonl").read_bytes()
        here.record("j", [ItemEvent("k30", "start")])


def spoilt(lines: list[bytes]) -> Iterator[tuple[str, list[bytes]]]:
    """Files that are not what was written, by what is the matter with them."""
    for count in range(len(lines)):
        yield f"cut after line {count}", lines[:count]
        if 0 < count < len(lines) - 1:
            yield f"without line {count}", [*lines[:count], *lines[count + 1 :]]
    yield "half a line", [*lines[:-2], lines[-2][:40]]
    yield "more than its end", [*lines, lines[3]]
    for number, line in enumerate(lines):
        if b'"digest":"' in line:
            place = line.rindex(b'"digest":"') + 12
            other = b"A" if line[place : place + 1] != b"A" else b"B"
            changed = line[:place] + other + line[place + 1 :]
            yield f"a digest in line {number}", [*lines[:number], changed, *lines[number + 1 :]]
        if b'"lifecycle":{' in line or b'"checkpoint":{' in line:
            changed = line.replace(b"mapreduce", b"mapreduse").replace(b"by hand", b"by hands")
            assert changed != line
            yield f"a word in line {number}", [*lines[:number], changed, *lines[number + 1 :]]
    yield "deeply nested", [*lines[:2], b'{"keep":' * 100_000 + b"\n", *lines[2:]]
    yield "another time", [each.replace(b'"at_us":17', b'"at_us":16') for each in lines]
    yield "a key twice", [line.replace(b'"fence":', b'"fence":9,"fence":') for line in lines]
    yield "another id", [each.replace(b'"job":"nightly"', b'"job":"daily"') for each in lines]
    yield "no log", [b'{"results": 1}\n']


def test_a_file_that_is_not_whole_makes_no_job(
    file: Path, scratch: CommandLine, tmp_path: Path
) -> None:
    """Wherever it is cut or changed: one message with what to do, and nothing is kept."""
    lines = file.read_bytes().splitlines(keepends=True)
    scratch("import", "log", str(file))
    scratch("cancel", JOB, "--apply")
    scratch("delete", JOB, "--apply")
    other = tmp_path / "other.jsonl"
    for what, changed in spoilt(lines):
        other.write_bytes(b"".join(changed))
        told = scratch("import", "log", str(other), exit_code=2).stderr
        assert "was not imported" in told, what
        assert "leave it out" in told, what
    assert scratch.json("jobs")["jobs"] == []


SAME = {("commit", "codec"), ("items", "codec")}
"""Fields that may say something else though the digests are right: which codec values need."""

UNSEALED = {("lifecycle", "description")}
"""And without tables: what states and events of the lifecycle mean, for people."""


def sealed(lines: list[bytes]) -> bytes:
    """A file of these lines, with the digest of them at its end."""
    told = base64.b64encode(hashlib.blake2b(b"".join(lines), digest_size=32).digest())
    return b"".join([*lines, b'{"digest":"' + told + b'"}\n'])


def others(value: object) -> Iterator[object]:
    """Other values than `value`, of its kind and of none."""
    yield None
    if isinstance(value, int):
        yield from (value + 1, value - 1, -value - 1, 0 if value else 7, 1 << 70, str(value))
    elif isinstance(value, str):
        yield from (value + "x", value[:-1], value + "+other", "", "\ud800", "AAAA" + value[4:], 1)


def altered(lines: list[bytes]) -> Iterator[tuple[str, str, object, bytes]]:
    """The file with one field of one line altered: what the line is of, the field, its value."""
    for number, line in enumerate(lines):
        ((kind, fields),) = json.loads(line).items()
        for name, value in fields.items():
            for other in others(value):
                if other != value:
                    changed = json.dumps({kind: {**fields, name: other}}).encode() + b"\n"
                    yield (
                        kind,
                        name,
                        other,
                        sealed([*lines[:number], changed, *lines[number + 1 :]]),
                    )
            without = {each: fields[each] for each in fields if each != name}
            left = json.dumps({kind: without}).encode() + b"\n"
            yield kind, name, "left out", sealed([*lines[:number], left, *lines[number + 1 :]])


@pytest.mark.parametrize("tables", [True, False])
def test_every_field_is_refused_or_the_same(tables: bool, tmp_path: Path) -> None:
    """Of every line, though the digest at the end was redone; what may differ is listed above."""
    clock, file, again = FakeClock(), tmp_path / "j.jsonl", tmp_path / "again.jsonl"
    lifecycle = None if tables else compiled(ORDERS_1)
    with StateManager.open("memory:", clock=clock, lifecycle=lifecycle) as there:
        work(there, "j")
        there.upkeep.export_log("j", file)
    *lines, _ = file.read_bytes().splitlines(keepends=True)
    kinds = {next(iter(json.loads(line))) for line in lines}
    assert kinds == {"opening", "lifecycle", "items", "commit", "checkpoint"}
    accepted = set()
    url = tmp_path / "empty.db"
    with ExitStack() as stack:
        here = stack.enter_context(StateManager.open(url, durability="process", clock=clock))
        for kind, name, other, changed in altered(lines):
            file.write_bytes(changed)
            try:
                here.upkeep.import_log(file, apply=True)
            except (ImportFailed, StoreNewer, JobIdInvalid) as error:
                assert str(file) in str(error) or "job id" in str(error), (kind, name, other)
                assert not here.job_ids()
                continue
            here.upkeep.export_log("j", again)
            if again.read_bytes() != sealed(lines):
                accepted.add((kind, name))
                assert name != "codec" or str(other).endswith("+other"), (kind, other)
            url = tmp_path / f"{len(list(tmp_path.iterdir()))}.db"
            here = stack.enter_context(StateManager.open(url, durability="process", clock=clock))
    assert accepted == (SAME if tables else SAME | UNSEALED)


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (1, b"{}"),
        (1, b'{"opening":{"form":1,"job":"j","created_at_us":0,"lifecycle":""}}'),
        (2, b""),
        (3, b"again"),
        (2, b"both"),
    ],
)
def test_a_line_is_one_thing_in_its_place(
    where: int, line: bytes, file: Path, scratch: CommandLine
) -> None:
    """A second opening or description, nothing, and two things at once are refused by line."""
    *lines, _ = file.read_bytes().splitlines(keepends=True)
    if line == b"again":
        line = lines[1][:-1]
        assert line.startswith(b'{"lifecycle"')
    if line == b"both":
        line = lines[1][:-2] + b"," + lines[2][1:-1]
    file.write_bytes(sealed([*lines[:where], line + b"\n", *lines[where:]]))
    told = scratch("import", "log", str(file), exit_code=2).stderr
    assert f"line {where + 1} of" in " ".join(told.split())
    assert "was not imported" in told


@pytest.mark.parametrize(
    ("written", "altered"),
    [(b'"reason":"by hand"', b'"reason":"by foot"'), (b'"at_us":', b'"at_us":1')],
)
def test_a_checkpoint_is_what_the_log_tells_of(
    written: bytes, altered: bytes, file: Path, scratch: CommandLine
) -> None:
    """Its reason and its time are in the log: others are refused, though the digest was redone."""
    *lines, _ = file.read_bytes().splitlines(keepends=True)
    lines = [
        line.replace(written, altered) if line.startswith(b'{"checkpoint"') else line
        for line in lines
    ]
    file.write_bytes(sealed(lines))
    assert (
        "is not one that the log tells of"
        in scratch("import", "log", str(file), exit_code=2).stderr
    )


def test_verify_finds_a_checkpoint_that_the_log_does_not_tell_of() -> None:
    """As a list of checkpoints does; a repair takes one anew."""
    with StateManager.open("memory:", clock=FakeClock()) as manager:
        manager.create_job(["a"], job_id="j")
        manager.create_checkpoint("j")
        assert manager.verify("j")[0].sound
        with manager._store.writing() as writer:
            (stored,) = writer.checkpoints(1)
            writer.put_checkpoint(1, msgspec.structs.replace(stored, reason="by another"))
        (problem,) = manager.verify("j")[0].problems
        assert "is not one that the log tells of" in problem.message
        manager.upkeep.repair("j", apply=True)
        assert manager.verify("j")[0].sound


def test_a_dry_run_writes_nothing(file: Path, scratch: CommandLine) -> None:
    """It verifies all the same, and makes no store."""
    told = scratch("import", "log", str(file), "--dry-run")
    *_, row = told.stdout.splitlines()
    assert row.split()[:3] == [JOB, "would-import", "map"]
    assert "nothing was written" in told.stderr
    assert not scratch.store.exists()
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    assert "is not whole" in scratch("import", "log", str(file), "--dry-run", exit_code=2).stderr


def test_a_dry_run_tells_what_an_import_does(file: Path, scratch: CommandLine) -> None:
    """Phase and progress are those of the job."""
    tried = scratch.json("import", "log", str(file), "--dry-run")["jobs"]
    (done,) = scratch.json("import", "log", str(file))["jobs"]
    assert tried == [{**done, "outcome": "would-import"}]


def refusals(file: Path, folder: Path) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Imports that keep nothing, by what is the matter with them."""
    for number, (what, lines) in enumerate(spoilt(file.read_bytes().splitlines(keepends=True))):
        other = folder / f"{number}.jsonl"
        other.write_bytes(b"".join(lines))
        yield what, ("log", str(other))
    later = folder / "later.jsonl"
    later.write_bytes(file.read_bytes().replace(b'"form":1', b'"form":9', 1))
    (folder / "home").mkdir()
    yield "of a later form", ("log", str(later))
    yield "no such file", ("log", str(folder / "no such file"))
    yield "a folder", ("log", str(folder))
    yield "no such home", ("prodigy", str(folder / "no such home"))
    yield "an empty home", ("prodigy", str(folder / "home"))
    yield "no such job", ("prodigy", str(folder / "home"), "--job", "no")
    yield "no such repo", ("prodigy", str(folder / "home"), "--repo", "no")


def test_a_refused_import_makes_no_store(file: Path, scratch: CommandLine, tmp_path: Path) -> None:
    """No file is left of it, and a file that was there is byte for byte as it was."""
    there = CommandLine(tmp_path / "there.db", scratch.clock)
    with StateManager.open(there.store, clock=scratch.clock) as manager:
        manager.create_job(["a"], job_id="another")
    before = there.store.read_bytes()
    empty = CommandLine(tmp_path / "empty.db", scratch.clock)
    empty.store.touch()
    files = set(tmp_path.iterdir()) | {tmp_path / "spoilt"}
    (tmp_path / "spoilt").mkdir()
    for what, args in refusals(file, tmp_path / "spoilt"):
        for store in (scratch, there, empty):
            store("import", *args, exit_code=0 if what == "an empty home" else 2)
        assert set(tmp_path.iterdir()) == files, what
        assert there.store.read_bytes() == before, what
        assert empty.store.read_bytes() == b"", what


def test_a_job_that_is_there_stays(file: Path, milepost: CommandLine) -> None:
    """The file is not merged into it, by a dry run neither."""
    before = milepost.json("show", JOB)
    for more in ((), ("--dry-run",)):
        told = milepost("import", "log", str(file), *more, exit_code=2)
        assert f"job '{JOB}' exists" in told.stderr
    assert milepost.json("show", JOB) == before


def test_a_later_form_is_said(file: Path, scratch: CommandLine) -> None:
    first, *rest = file.read_bytes().splitlines(keepends=True)
    opening = json.loads(first)
    opening["opening"]["form"] += 1
    file.write_bytes(b"".join([json.dumps(opening).encode() + b"\n", *rest]))
    assert "install a newer milepost" in scratch("import", "log", str(file), exit_code=2).stderr


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("export", JOB, "--log"), "which file?"),
        (("export", JOB, "--log", "--what", "items", "--out", "x"), "leave --what out"),
        (("export", "nigth", "--log", "--out", "x"), "did you mean nightly"),
        (("import", "log", "no such file"), "there is no such file to import from: check the path"),
        (("import", "log", "x", "--job", JOB), "--job, --repo and --notes are for a home"),
    ],
)
def test_what_makes_no_sense_is_refused(
    args: tuple[str, ...], problem: str, milepost: CommandLine
) -> None:
    assert problem in milepost(*args, exit_code=2).stderr
