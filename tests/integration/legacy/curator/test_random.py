"""Folders made at random come back as they were meant; mangled ones are told of, no trouble."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ImportFailed, JobState, StateManager
from milepost.legacy.curator import job as job_files
from milepost.legacy.curator import wire
from tests.integration.legacy.curator.folders import (
    JOB,
    SAMPLE,
    SAMPLE_JOB,
    answer,
    brought,
    codes,
    opened,
    request,
    write,
)

SOAK = int(os.environ.get("MILEPOST_SOAK", "1"))
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
).filter(lambda value: b"Infinity" not in json.dumps(value).encode())
answered = texts | st.dictionaries(texts, values, max_size=2)
errors = st.lists(texts.map(lambda text: text.rstrip(")")), min_size=1, max_size=3)
rows = st.lists(
    st.tuples(
        st.dictionaries(texts, values, max_size=3),
        st.none() | errors | st.tuples(answered),
    ),
    min_size=1,
    max_size=8,
)


@contextmanager
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@settings(max_examples=30 * SOAK, deadline=None)
@given(rows, st.data())
def test_every_row_comes_back(asked: list[tuple[Any, Any]], data: st.DataObject) -> None:
    """Requests in any order over any number of files, answers as they came."""
    requests = [request(row, original_row=value) for row, (value, _) in enumerate(asked)]
    responses = [
        answer(row, given[0], generic_request=requests[row])
        if isinstance(given, tuple)
        else answer(row, None, given, generic_request=requests[row])
        for row, (_, given) in enumerate(asked)
        if given is not None
    ]
    mixed = data.draw(st.permutations(requests))
    split = data.draw(st.integers(0, len(mixed)))
    with home() as root, opened() as manager:
        write(root, mixed[:split], data.draw(st.permutations(responses)))
        write(root, mixed[split:], number=1)
        job, state = brought(manager, root)
        assert codes(job) == set()
        assert job.whole
        assert_same(manager, state, asked, requests)


def assert_same(
    manager: StateManager, state: JobState, asked: list[tuple[Any, Any]], requests: list[Any]
) -> None:
    """Every row stands as it was made, and what is left to do is what had no answer."""
    results = dict(manager.results(JOB))
    failures = manager.failures(JOB)
    for row, (_, came) in enumerate(asked):
        key = str(row)
        assert state.inputs.value(row) == requests[row]
        status, context = state.item(key)
        if came is None:
            assert (status, context["attempts"]) == ("pending", 0)
        elif isinstance(came, tuple):
            assert status == "done"
            assert results[key]["response_message"] == came[0]
        else:
            assert (status, context["attempts"]) == ("failed", len(came))
            assert [each.message for each in failures[key]] == came
    assert {*manager.recover_from_checkpoint(JOB).retriable} == {*state.keys_in("failed")}


@pytest.mark.control("mutated folders of curator")
def test_an_answer_at_another_row_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: a reader that puts each answer to the next row."""

    def shifted(line: bytes) -> wire.Answer:
        told = wire.answer_of(line)
        return replace(told, request=replace(told.request, row=(told.request.row + 1) % 3))

    asked = [({"n": 0}, ("a",)), ({"n": 1}, None), ({"n": 2}, ["no"])]
    requests = [request(row) for row in range(3)]
    with home() as root, opened() as manager:
        write(root, requests, [answer(0, "a"), answer(2, None, ["no"])])
        monkeypatch.setattr(job_files, "answer_of", shifted)
        _, state = brought(manager, root)
        with pytest.raises(AssertionError):
            assert_same(manager, state, asked, requests)


strange = st.sampled_from(
    [
        b"NaN",
        b"-Infinity",
        b"1e999",
        b'"\\ud800"',
        b"18446744073709551616",
        b"9" * 5000,
        b"-1",
        b"true",
        b"null",
        b'"x"',
        b"[" * 5000,
        b'{"a":' * 3000,
        b"\0",
        b"\xff\xfe",
        b"\n",
        b"\r",
        b'"9999-12-31T23:59:59-14:00"',
        b'"0001-01-01"',
        b'["a(x9999)","b(x0)"]',
        b"",
    ]
)
LINES = {
    each: (SAMPLE / SAMPLE_JOB / each).read_bytes()
    for each in ("requests_0.jsonl", "responses_0.jsonl", "metadata_0.json")
}
TRIED: Counter[str] = Counter()


@settings(max_examples=60 * SOAK, deadline=None)
@given(st.data())
def mangle(data: st.DataObject) -> None:
    """Bytes of a real folder replaced, cut out, doubled or cut off, at any places."""
    files = dict(LINES)
    for _ in range(data.draw(st.integers(1, 4))):
        name = data.draw(st.sampled_from(sorted(files)))
        content = files[name]
        at = data.draw(st.integers(0, len(content)))
        end = min(len(content), at + data.draw(st.integers(0, 60)))
        files[name] = data.draw(
            st.sampled_from(
                [
                    content[:at] + data.draw(strange) + content[end:],
                    content[:at] + content[end:],
                    content[:end] + content[at:],
                    content[:at],
                ]
            )
        )
    bring_over(files)


def bring_over(files: Mapping[str, bytes]) -> None:
    """A folder of these files is refused, or is a sound job with all that can be read of it."""
    with home() as root, opened() as manager:
        folder = root / SAMPLE_JOB
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        [job] = manager.upkeep.import_jobs(root, apply=True).jobs
        TRIED["mutated folders"] += 1
        if job.error is not None:
            assert isinstance(job.error, ImportFailed)
            TRIED["refused"] += 1
            return
        assert manager.verify(job.job_id)[0].sound
        TRIED["told of" if codes(job) else "read as they are"] += 1
        for key, result in manager.results(job.job_id):
            assert isinstance(result, dict), key
        manager.recover_from_checkpoint(job.job_id)


def test_a_mangled_folder_is_told_of_and_never_trouble(record_property: Any) -> None:
    """Whatever is in a file, it is read to its end, and what becomes of it is a sound job."""
    TRIED.clear()
    mangle()
    assert TRIED["told of"]
    counted = {"mutated folders": TRIED["mutated folders"]}
    record_property("counted", ("mutated folders of curator", counted))


@pytest.mark.control("mutated folders of curator")
def test_a_reader_that_trusts_its_files_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the first line that is cut short ends it."""

    def trusting(line: bytes) -> wire.Request:
        value = json.loads(line)
        return wire.Request(row=value["original_row_idx"], value=value, changed=False)

    monkeypatch.setattr(job_files, "request_of", trusting)
    files = {"requests_0.jsonl": b"".join((*LINES["requests_0.jsonl"].splitlines(True)[2:3], b"{"))}
    with pytest.raises(ValueError, match="Expecting"):
        bring_over(files)
