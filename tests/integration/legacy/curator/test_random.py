"""Folders made at random come back as they were meant; mangled ones are told of, no trouble."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ImportFailed
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
        results = dict(manager.results(JOB))
        failures = manager.failures(JOB)
        for row, (_, given) in enumerate(asked):
            key = str(row)
            assert state.inputs.value(row) == requests[row]
            status, context = state.item(key)
            if given is None:
                assert (status, context["attempts"]) == ("pending", 0)
            elif isinstance(given, tuple):
                assert status == "done"
                assert results[key]["response_message"] == given[0]
            else:
                assert (status, context["attempts"]) == ("failed", len(given))
                assert [each.message for each in failures[key]] == given
        assert {*manager.recover_from_checkpoint(JOB).retriable} == {*state.keys_in("failed")}


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


def test_what_python_writes_and_json_does_not_know_is_named() -> None:
    """The control of the above: the one thing that the sample holds is said, and nothing else."""
    with opened() as manager:
        job, state = brought(manager, SAMPLE)
        assert codes(job) == {"value-not-json"}
        assert state.inputs.value(1)["original_row"] == {
            "term": "fence",
            "share": None,
            "seen": None,
        }
