"""The model of a medium, and of what a cut leaves, against plain words on what a disk may do."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from milepost.testing.power.images import SECTOR_BYTES, images, sectors
from milepost.testing.power.medium import (
    Change,
    Create,
    Delete,
    Link,
    Medium,
    Operation,
    Rename,
    Sync,
    SyncFolder,
    Truncate,
    Write,
    applied,
)
from milepost.testing.power.recorder import Recorder

NAMES = ("a", "b", "c")


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 images are drawn, not secrets


changes = st.one_of(
    st.builds(
        Write, st.just("a"), st.integers(0, 2000), st.binary(min_size=1, max_size=3 * SECTOR_BYTES)
    ),
    st.builds(Truncate, st.just("a"), st.integers(0, 3000)),
)


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[str, bytes], list[Operation]]:
    """What is there at first, and operations that are each possible after those before."""
    before = draw(st.dictionaries(st.sampled_from(NAMES), st.binary(max_size=600), max_size=2))
    there = set(before)
    done: list[Operation] = []
    for _ in range(draw(st.integers(0, 12))):
        absent = sorted(set(NAMES) - there)
        kinds = [SyncFolder, *([Create] if absent else [])]
        kinds += [Write, Truncate, Sync, Delete, Rename] if there else []
        kinds += [Link] if there and absent else []
        kind = draw(st.sampled_from(kinds))
        file = draw(st.sampled_from(absent if kind is Create else sorted(there) or ["a"]))
        if kind is SyncFolder:
            done.append(SyncFolder())
        elif kind is Create:
            done.append(Create(file))
            there.add(file)
        elif kind is Sync:
            done.append(Sync(file, draw(st.booleans())))
        elif kind is Delete:
            done.append(Delete(file, draw(st.booleans())))
            there.discard(file)
        elif kind is Rename:
            to = draw(st.sampled_from(NAMES))
            if to != file:
                done.append(Rename(file, to))
                there = set(plainly(before, done))
        elif kind is Link:
            to = draw(st.sampled_from(absent))
            done.append(Link(file, to))
            there.add(to)
        else:
            done.append(draw(changes)._replace(file=file))
    return before, done


def played(before: dict[str, bytes], done: list[Operation]) -> Medium:
    medium = Medium(before)
    for operation in done:
        medium.do(operation)
    return medium


def plainly(before: dict[str, bytes], done: list[Operation]) -> dict[str, bytes]:
    """What programs see, without a thought of what is durable."""
    files = {name: bytearray(data) for name, data in before.items()}
    for operation in done:
        match operation:
            case Create(file):
                files[file] = bytearray()
            case Write(file, offset, data):
                there = files[file]
                there.extend(bytes(max(offset + len(data) - len(there), 0)))
                there[offset : offset + len(data)] = data
            case Truncate(file, size_bytes):
                files[file][:] = files[file][:size_bytes].ljust(size_bytes, b"\0")
            case Delete(file, _):
                del files[file]
            case Rename(file, to):
                if files[file] is not files.get(to):
                    files[to] = files.pop(file)
            case Link(file, to):
                files[to] = files[file]
    return {name: bytes(data) for name, data in files.items()}


@given(histories())
def test_a_medium_shows_programs_all_that_was_done(
    history: tuple[dict[str, bytes], list[Operation]],
) -> None:
    assert played(*history).files() == plainly(*history)


@given(histories(), st.integers())
def test_what_is_durable_is_in_every_image(
    history: tuple[dict[str, bytes], list[Operation]], seed: int
) -> None:
    """Once files and folder are synced there is one image; the same seed gives the same ones."""
    medium = played(*history)
    first = list(images(medium, seeded(seed), 3))
    assert first == list(images(medium, seeded(seed), 3))
    assert medium.files() in [image.files for image in first]
    for name in list(medium.names):
        medium.do(Sync(name, folder=True))
    medium.do(SyncFolder())
    assert {repr(image.files) for image in images(medium, seeded(seed), 3)} == {
        repr(plainly(*history))
    }


@given(histories(), st.integers())
def test_an_image_has_no_byte_that_was_never_there(
    history: tuple[dict[str, bytes], list[Operation]], seed: int
) -> None:
    """Each file of an image is one that was there, each byte one that was written there, or 0."""
    before, done = history
    medium = played(before, done)
    for kind, files in images(medium, seeded(seed), 3):
        for name, data in files.items():
            assert name in NAMES
            if kind == "junk":
                continue
            numbers = {medium.durable_names.get(name), medium.names.get(name)}
            numbers |= {n for renaming in medium.renamings for at, n in renaming if at == name}
            assert any(
                _could_be(data, medium.contents[number].durable, medium.contents[number].pending)
                for number in numbers
                if number is not None
            )


def _could_be(data: bytes, durable: bytes, pending: list[Change]) -> bool:
    possible = [{0, *durable[place : place + 1]} for place in range(len(data))]
    for change in pending:
        if isinstance(change, Write):
            for place, byte in enumerate(change.data, change.offset):
                if place < len(possible):
                    possible[place].add(byte)
    return all(byte in bytes_ for byte, bytes_ in zip(data, possible, strict=True))


@given(st.binary(max_size=3000), changes)
def test_the_sectors_of_a_change_are_the_change(data: bytes, change: Change) -> None:
    parts = sectors(change)
    assert applied(data, parts) == applied(data, [change])
    for part in parts:
        if isinstance(part, Write):
            first, last = part.offset, part.offset + len(part.data) - 1
            assert first // SECTOR_BYTES == last // SECTOR_BYTES


def all_files(medium: Medium) -> list[dict[str, bytes]]:
    return [image.files for image in images(medium, seeded(1), 8)]


def test_a_name_is_durable_by_its_folder_alone() -> None:
    """A new file that is synced may be gone; with its folder synced it may not."""
    medium = played({}, [Create("a"), Write("a", 0, b"x"), Sync("a", folder=False)])
    assert {} in all_files(medium)
    assert {"a": b"x"} in all_files(medium)
    medium.do(SyncFolder())
    assert all(files == {"a": b"x"} for files in all_files(medium))


def test_a_deletion_may_be_undone_until_its_folder_is_synced() -> None:
    """Even when there is a new file of that name by now, which is not durable either."""
    medium = played({"a": b"old"}, [Delete("a", synced=False)])
    assert {"a": b"old"} in all_files(medium)
    assert {} in all_files(medium)
    medium.do(Create("a"))
    medium.do(Write("a", 0, b"new"))
    assert {"a": b"old"} in all_files(medium)
    assert {"a": b"new"} in all_files(medium)
    medium.do(Sync("a", folder=True))
    assert all(files == {"a": b"new"} for files in all_files(medium))
    assert all(files == {} for files in all_files(played({"a": b""}, [Delete("a", synced=True)])))


def test_a_rename_is_whole_or_not_there() -> None:
    medium = played({"a": b"new", "b": b"old"}, [Rename("a", "b")])
    found = {repr(sorted(files.items())) for files in all_files(medium)}
    whole = [("b", b"new")]
    assert found == {repr(whole), repr([("a", b"new"), ("b", b"old")])}


def test_a_write_that_is_not_synced_is_kept_lost_torn_and_filled_with_junk() -> None:
    """And of two writes each may be lost alone."""
    one, two = bytes([1]) * 1024, bytes([2]) * 1024
    medium = played({"a": bytes(2048)}, [Write("a", 0, one), Write("a", 1024, two)])
    found = [files["a"] for files in all_files(medium)]
    assert one + two in found
    assert bytes(2048) in found
    assert one + bytes(1024) in found
    assert bytes(1024) + two in found
    assert one + two[:512] + bytes(512) in found
    assert any(set(data[1024:]) - {0, 2} for data in found), "junk"
    assert any(data[:512] != data[512:1024] for data in found), "sectors of one write"


def test_the_recorder_notices_what_passes_it_by(tmp_path: Path) -> None:
    """The negative control of every recording: bytes that came to the file by another way."""
    recorder = Recorder("recorder-control", tmp_path)
    connection = apsw.Connection(str(tmp_path / "a.db"), vfs="recorder-control")
    connection.execute("CREATE TABLE t (a); INSERT INTO t VALUES (1)")
    connection.close()
    recorder.check()
    assert any(
        isinstance(operation, Sync) and operation.folder for operation in recorder.operations
    )
    with (tmp_path / "a.db").open("ab") as file:
        file.write(b"x")
    with pytest.raises(AssertionError):
        recorder.check()
