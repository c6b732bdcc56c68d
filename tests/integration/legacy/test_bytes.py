"""Bytes on disk: told by their content, bounded, and never half read in silence."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from pathlib import Path

import lz4.block
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost.legacy.prodigy import Code, ItemStatus, Limits, OldJob, read_home
from tests.integration.legacy.old_homes import (
    MadeItem,
    Packing,
    checkpoint,
    job_events,
    job_state,
    lines_of,
    pack,
    text_of,
    write_checkpoint,
    write_events,
    write_state,
)

DONE = MadeItem(value="a", status=ItemStatus.DONE)
PACKINGS: tuple[Packing, ...] = ("gz", "json", "zst", "lz4")


def only(home: Path, limits: Limits | None = None) -> OldJob:
    [job] = read_home(home, limits=limits)
    return job


def codes(job: OldJob) -> set[Code]:
    return {finding.code for finding in job.report}


@pytest.mark.parametrize("named", PACKINGS)
@pytest.mark.parametrize("packed", PACKINGS)
def test_content_tells_the_packing_and_not_the_name(
    tmp_path: Path, packed: Packing, named: Packing
) -> None:
    document = checkpoint([DONE])
    path = write_checkpoint(tmp_path, document, packing=named)
    path.write_bytes(pack(text_of(document), packed))
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    assert (Code.ENCODING_MISNAMED in codes(job)) == (packed != named)


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("keep", [0, 1, 3, 5, 0.2, 0.5, 0.9, -1])
def test_what_is_cut_short_is_said_and_not_used(
    tmp_path: Path, packing: Packing, keep: float
) -> None:
    path = write_checkpoint(tmp_path, checkpoint([DONE] * 20), packing=packing)
    raw = path.read_bytes()
    path.write_bytes(raw[: keep if isinstance(keep, int) else int(len(raw) * keep)])
    job = only(tmp_path)
    assert job.items == ()
    assert Code.BYTES_DAMAGED in codes(job)
    assert Code.PARTIAL_SOURCE in codes(job)


@pytest.mark.parametrize("packing", ["gz", "zst"])
def test_what_follows_the_content_is_damage_too(tmp_path: Path, packing: Packing) -> None:
    path = write_checkpoint(tmp_path, checkpoint([DONE]), packing=packing)
    path.write_bytes(path.read_bytes() + b"more")
    assert Code.BYTES_DAMAGED in codes(only(tmp_path))


def test_a_flipped_byte_in_gzip_is_found(tmp_path: Path) -> None:
    """The integrity hash covers no value; gzip's own checksum does."""
    path = write_checkpoint(tmp_path, checkpoint([DONE]))
    text = gzip.decompress(path.read_bytes()).replace(b'"a"', b'"b"')
    packer = zlib.compressobj(wbits=-15)
    body = packer.compress(text) + packer.flush()
    raw = path.read_bytes()
    path.write_bytes(raw[:10] + body + raw[-8:])  # header and checksum of the original
    assert codes(only(tmp_path)) >= {Code.BYTES_DAMAGED}


def test_a_lz4_size_that_looks_like_something_else(tmp_path: Path) -> None:
    """The size in front of an LZ4 block may begin like JSON or like gzip."""
    document = checkpoint([DONE])
    path = write_checkpoint(tmp_path, document, packing="lz4")
    text = text_of(document)
    for beginning in (b"{", b"[", b"\x1f\x8b"):
        size = len(text.encode())
        while not size.to_bytes(4, "little").startswith(beginning):
            size += 1
        path.write_bytes(pack(text.ljust(size), "lz4"))
        assert path.read_bytes().startswith(beginning)
        assert only(tmp_path).items[0].status is ItemStatus.DONE


@pytest.mark.parametrize("packing", ["gz", "zst", "lz4"])
def test_what_unpacks_to_more_than_the_limit_is_not_unpacked(
    tmp_path: Path, packing: Packing
) -> None:
    """A megabyte of spaces packs into next to nothing."""
    path = write_checkpoint(tmp_path, checkpoint([DONE]), packing=packing)
    path.write_bytes(pack(" " * 1_000_000 + text_of(checkpoint([DONE])), packing))
    assert path.stat().st_size < 20_000
    assert only(tmp_path).items
    job = only(tmp_path, Limits(max_bytes=100_000))
    assert job.items == ()
    assert codes(job) & {Code.FILE_TOO_LARGE, Code.BYTES_DAMAGED}


@pytest.mark.parametrize(("size", "limit"), [(0xFFFFFFFF, 1 << 40), (100_000, 99_999)])
def test_an_lz4_size_that_cannot_be_is_refused_before_anything_is_set_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, limit: int
) -> None:
    """Whether it is beyond what so few bytes can hold, or beyond the limit."""
    path = write_checkpoint(tmp_path, checkpoint([DONE]), packing="lz4")
    path.write_bytes(size.to_bytes(4, "little") + path.read_bytes()[4:])

    def never(block: bytes) -> bytes:
        raise AssertionError("memory was about to be set aside")

    monkeypatch.setattr(lz4.block, "decompress", never)
    assert Code.BYTES_DAMAGED in codes(only(tmp_path, Limits(max_bytes=limit)))


def test_a_file_beyond_the_limit_is_not_read_and_one_below_is(tmp_path: Path) -> None:
    path = write_state(tmp_path, job_state([DONE]))
    size = path.stat().st_size
    assert only(tmp_path, Limits(max_file_bytes=size)).items
    job = only(tmp_path, Limits(max_file_bytes=size - 1))
    assert job.items == ()
    [finding] = [f for f in job.report if f.path.endswith("-v1.json")]
    assert finding.code is Code.FILE_TOO_LARGE
    assert "Limits.max_file_bytes" in finding.message


def test_a_terabyte_with_nothing_in_it_is_refused_by_its_size(tmp_path: Path) -> None:
    path = write_state(tmp_path, job_state([DONE]))
    with path.open("r+b") as stream:
        stream.truncate(1 << 40)
    assert Code.FILE_TOO_LARGE in codes(only(tmp_path))


def test_a_state_of_a_hundred_megabytes_is_read(tmp_path: Path) -> None:
    large = "x" * 1_000_000
    write_state(tmp_path, job_state([MadeItem(value=large)] * 100))
    assert [len(item.value) for item in only(tmp_path).items] == [1_000_000] * 100


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "7",
        "{}",
        '{"metadata": NaN}',
        "[" * 100_000,
        '{"a": "\udcff"}',
        "\ufeff{}",
    ],
)
def test_json_of_any_other_shape_is_said(tmp_path: Path, text: str) -> None:
    for path in (
        write_state(tmp_path, job_state([DONE])),
        write_checkpoint(tmp_path, checkpoint([DONE]), packing="json"),
    ):
        path.write_bytes(text.encode(errors="surrogateescape"))
    job = only(tmp_path)
    assert job.items == ()
    assert codes(job) & {Code.SHAPE_INVALID, Code.BYTES_DAMAGED}


@settings(max_examples=50, deadline=None)
@given(raw=st.binary(max_size=60))
def test_any_bytes_at_all_are_said_to_be_damaged(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    home = tmp_path_factory.mktemp("home")
    write_checkpoint(home, checkpoint([DONE]), packing="lz4").write_bytes(raw)
    write_state(home, job_state([DONE])).write_bytes(raw)
    write_events(home, raw)
    job = only(home)
    assert job.items == ()


def test_torn_and_foreign_lines_are_counted(tmp_path: Path) -> None:
    whole = lines_of(job_events([DONE])).splitlines(keepends=True)
    text = "".join([whole[0], "not json\n", "[]\n", "\n", *whole[1:], whole[-1][:-20]])
    write_events(tmp_path, text)
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    [finding] = [f for f in job.report if f.code is Code.LINES_SKIPPED]
    assert finding.message.startswith("3 of 6 lines could not be read, the first is line 2")
    assert finding.message.endswith("the last was torn off")


def test_a_last_line_without_its_line_feed_counts_if_it_is_whole(tmp_path: Path) -> None:
    write_events(tmp_path, lines_of(job_events([DONE])).rstrip("\n"))
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    assert Code.LINES_SKIPPED not in codes(job)


def test_rotated_logs_are_text_whatever_their_name_and_archives_may_be_packed(
    tmp_path: Path,
) -> None:
    events = job_events([DONE])
    name = "events-20260301_120000.20260301_130000.jsonl.gz"
    write_events(tmp_path, events[:2], name=name)
    packed = gzip.compress(lines_of(events[2:]).encode())
    write_events(tmp_path, packed, name="events-20260301_130000.jsonl.gz")
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    assert [f.path.rpartition("/")[2] for f in job.report if f.code is Code.ENCODING_MISNAMED] == [
        name
    ]


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.9])
def test_a_torn_archive_gives_the_lines_before_the_tear(tmp_path: Path, keep: float) -> None:
    """Random content, so that it packs badly and the tear is somewhere in the middle."""
    events = job_events(
        [MadeItem(status=ItemStatus.FAILED, message=f"{n * 7919:x}") for n in range(500)]
    )
    packed = gzip.compress(lines_of(events).encode())
    write_events(
        tmp_path, packed[: int(len(packed) * keep)], name="events-20260301_130000.jsonl.gz"
    )
    job = only(tmp_path)
    assert 0 < len(job.items) < 500
    assert Code.BYTES_DAMAGED in codes(job)


def test_a_line_without_end_is_bounded(tmp_path: Path) -> None:
    write_events(tmp_path, b"x" * 100_000)
    job = only(tmp_path, Limits(max_bytes=50_000))
    assert Code.FILE_TOO_LARGE in codes(job)


def test_lz4_says_what_to_install_and_all_else_is_read_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(tmp_path, job_state([DONE], at=10))
    write_checkpoint(tmp_path, checkpoint([DONE]), packing="lz4")
    monkeypatch.setitem(sys.modules, "lz4", None)
    job = only(tmp_path)
    assert job.items[0].status is ItemStatus.DONE
    [finding] = [f for f in job.report if f.code is Code.PACKAGE_MISSING]
    assert "pip install 'milepost[legacy]'" in finding.message


def test_importing_milepost_loads_none_of_this() -> None:
    code = (
        "import sys, milepost\n"
        "for name in milepost.__all__: getattr(milepost, name)\n"
        "print(sorted(n for n in sys.modules if n in {'pydantic', 'lz4'} or 'legacy' in n))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    door = ["milepost.legacy", "milepost.legacy.telling", "milepost.legacy.telling.door"]
    assert run.stdout.strip() == str(door)  # what the manager's parameter is, and no more


def test_what_is_written_is_json_as_the_old_tool_writes_it(tmp_path: Path) -> None:
    """The control of the maker: indented by two, not escaped, no line feed at the end."""
    path = write_state(tmp_path, job_state([MadeItem(value="é")]))
    text = path.read_text(encoding="utf-8")
    assert '"é"' in text
    assert text == json.dumps(json.loads(text), indent=2, ensure_ascii=False)
