"""Every code of a report: a folder that brings it about, and one that brings about none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from milepost.legacy.curator import Code, Limits, open_home
from milepost.log.drafts import ReportLine
from tests.hostile import HOSTILE, misbehaving
from tests.integration.legacy.curator.folders import answer, brought, codes, opened, request, write

Case: TypeAlias = Callable[[Path, pytest.MonkeyPatch], Limits | None]
REQUESTS = [request(row) for row in range(3)]
CASES: dict[Code, Case] = {}


def brings(code: Code) -> Callable[[Case], None]:
    def keep(make: Case) -> None:
        assert code not in CASES
        CASES[code] = make

    return keep


def line_with(answered: dict[str, Any], more: str) -> bytes:
    """A line with more in its object, which may be there before."""
    return f"{json.dumps(answered)[:-1]}, {more}}}\n".encode()


def said(home: Path, limits: Limits | None = None) -> list[ReportLine]:
    found = open_home(home, limits)
    return [*found.report, *(line for name in found.names for line in found.tell(name).report)]


@pytest.mark.parametrize("code", Code)
def test_each_code_is_brought_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: Code
) -> None:
    limits = CASES[code](tmp_path, monkeypatch)
    found = [line for line in said(tmp_path, limits) if line.code == code]
    assert found
    for line in found:
        assert line.message
        assert not line.place.startswith("/")
        assert str(line).isprintable()


def test_a_folder_in_order_brings_about_none(tmp_path: Path) -> None:
    """The control: what a test above finds is there because of its one fault."""
    zone = {"created_at": None, "finished_at": "2026-03-01 12:00:00+01:00"}
    write(tmp_path, REQUESTS, [answer(0, "a", **zone), answer(1, None, ["no(x2)"], **zone)])
    assert said(tmp_path) == []


@brings(Code.NOT_LISTED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS)
    listed = os.scandir

    def refuse(path: Path) -> Any:
        if Path(path) != home:
            raise PermissionError(13, "Permission denied")  # whoever is root is refused nothing
        return listed(path)

    patch.setattr(os, "scandir", refuse)


@brings(Code.NOT_ALL_LISTED)
def _(home: Path, patch: pytest.MonkeyPatch) -> Limits:
    write(home, REQUESTS)
    return Limits(max_entries=1)


@brings(Code.LINK_NOT_FOLLOWED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    outside = write(home.parent / "outside", REQUESTS, [answer(0, "a")])
    (write(home, REQUESTS) / "responses_0.jsonl").symlink_to(outside / "responses_0.jsonl")


@brings(Code.FILE_UNREADABLE)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    os.mkfifo(write(home, REQUESTS) / "responses_0.jsonl")


@brings(Code.FILE_TOO_LARGE)
def _(home: Path, patch: pytest.MonkeyPatch) -> Limits:
    write(home, REQUESTS)
    return Limits(max_file_bytes=100)


@brings(Code.FILE_NOT_READ)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    (write(home, REQUESTS) / "failed_requests.jsonl").write_text("{}")


@brings(Code.BATCHES_OPEN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    (write(home, REQUESTS, [answer(0, "a")]) / "batch_objects.jsonl").write_text("{}")


@brings(Code.LINES_SKIPPED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, [answer(0, "a"), b"half\n", answer(1, "b")])


@brings(Code.LINE_TORN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, [answer(0, "a"), json.dumps(answer(1, "b")).encode()[:200]])


@brings(Code.KEY_TWICE)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, [line_with(answer(0, "a"), '"response_message": "b"')])


@brings(Code.REQUESTS_UNCOUNTED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    (write(home, REQUESTS) / "metadata_0.json").unlink()


@brings(Code.ITEMS_MISSING)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, count=4)


@brings(Code.ITEM_DUPLICATE)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, [*REQUESTS, request(1)])


@brings(Code.ITEM_UNLISTED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, [answer(7, "a")])


@brings(Code.VALUE_DIFFERS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, [*REQUESTS, request(1, "otherwise")])


@brings(Code.VALUE_NOT_JSON)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, [*REQUESTS, request(3, original_row={"n": float("inf")})])


@brings(Code.REQUEST_DIFFERS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, [answer(1, "a", generic_request=request(1, "otherwise"))])


@brings(Code.ANSWER_REPEATED)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, [answer(1, "a"), answer(1, "a")])


@brings(Code.RESULT_DIFFERS)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, [answer(1, "a"), answer(1, "b")])


@brings(Code.ZONE_UNKNOWN)
def _(home: Path, patch: pytest.MonkeyPatch) -> None:
    write(home, REQUESTS, [answer(1, "a")])


def test_a_line_that_lost_only_its_end_counts(tmp_path: Path) -> None:
    whole = json.dumps(answer(1, "b")).encode()
    write(tmp_path, REQUESTS, [answer(0, "a"), whole])
    with opened() as manager:
        job, state = brought(manager, tmp_path)
        assert codes(job) == set()
        assert [*state.keys_in("done")] == ["0", "1"]


@pytest.mark.parametrize("cut", [1, 40, 200, 400])
def test_what_a_torn_line_said_is_to_do(tmp_path: Path, cut: int) -> None:
    """Wherever it was cut: the item waits, and the loss is named."""
    write(tmp_path, REQUESTS, [answer(0, "a"), json.dumps(answer(1, "b")).encode()[:-cut]])
    with opened() as manager:
        job, state = brought(manager, tmp_path)
        assert codes(job) == {"line-torn"}
        assert not job.whole
        assert [*state.keys_in("pending")] == ["1", "2"]


def test_the_first_answer_of_a_row_counts_and_what_failed_before_it_is_told(
    tmp_path: Path,
) -> None:
    """Also where a failure stands behind it in the file, and where files are many."""
    write(tmp_path, REQUESTS[:2], [answer(1, None, ["slow(x2)"]), answer(1, "b")])
    write(tmp_path, REQUESTS[2:], [answer(2, "c"), answer(2, None, ["late"])], number=1)
    (tmp_path / "0123456789abcdef" / "responses_10.jsonl").write_text(
        json.dumps(answer(1, "other")) + "\n"
    )
    with opened() as manager:
        job, state = brought(manager, tmp_path)
        assert codes(job) == {"result-differs"}
        results = {key: each["response_message"] for key, each in manager.results(job.job_id)}
        assert results == {"1": "b", "2": "c"}
        failures = manager.failures(job.job_id)
        assert {key: [each.message for each in told] for key, told in failures.items()} == {
            "1": ["slow", "slow"],
            "2": ["late"],
        }
        assert [state.item(key)[1]["attempts"] for key in "012"] == [0, 3, 2]


def test_what_else_a_failure_tells_is_in_its_message(tmp_path: Path) -> None:
    """A provider may have answered, and been paid, all the same."""
    known = {"raw_response": {"error": {"code": 7}}, "token_usage": None, "response_cost": 0.25}
    errors = ["slow(x2)", {"type": "overloaded"}]
    write(tmp_path, REQUESTS, [answer(0, None, errors, **known)])
    with opened() as manager:
        job, _ = brought(manager, tmp_path)
        told = [each.message for each in manager.failures(job.job_id)["0"]]
    last = '{"type":"overloaded"}\nraw_response: {"error":{"code":7}}\nresponse_cost: 0.25'
    assert told == ["slow", "slow", last]


def test_folders_of_any_name_are_jobs(tmp_path: Path) -> None:
    """Each has an id that is legal here, and nothing of a name steers a terminal."""
    names = [name for name in HOSTILE.values() if "/" not in name and "\0" not in name]
    names = [name for name in names if len(name.encode()) < 250]
    for name in names:
        write(tmp_path, REQUESTS, [b"half\n"], job=name)
    with opened() as manager:
        done = manager.upkeep.import_jobs(tmp_path, tool="curator", apply=True)
        assert len({job.job_id for job in done.jobs}) == len(names)
        for job in done.jobs:
            assert job.error is None
            assert misbehaving(job.source, lines=False) == []
            assert [line for line in job.report if misbehaving(line.place, lines=False)] == []


def test_a_home_whose_name_is_no_text_is_one(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"no\xfftext")
    write(tmp_path, REQUESTS, [answer(0, "a")]).rename(folder)
    (tmp_path / "named").symlink_to(folder)
    with opened() as manager:
        job, _ = brought(manager, tmp_path / "named")
        assert job.old_id == "no\\xfftext"


def test_a_job_of_answers_alone_has_its_items_from_them(tmp_path: Path) -> None:
    (write(tmp_path, [], [answer(5, "a")]) / "requests_0.jsonl").unlink()
    with opened() as manager:
        job, state = brought(manager, tmp_path)
        assert codes(job) == {"item-unlisted"}
        assert state.inputs.value(0) == request(5)


def test_nothing_that_can_be_read_is_no_job(tmp_path: Path) -> None:
    write(tmp_path, [b"half"], [b"\0\0\0\n"])
    with opened() as manager:
        [job] = manager.upkeep.import_jobs(tmp_path, apply=True).jobs
        assert (job.outcome, manager.job_ids()) == ("failed", [])
        assert codes(job) >= {"line-torn", "lines-skipped"}


def test_more_attempts_than_there_may_be_are_named(tmp_path: Path) -> None:
    errors = ["first", *["again(x9999)"] * 20_000]
    write(tmp_path, REQUESTS, [answer(0, None, errors)])
    with opened() as manager:
        job, state = brought(manager, tmp_path)
        assert codes(job) == {"attempts-dropped"}
        assert state.item("0")[1]["attempts"] == 99


def test_a_request_that_cannot_be_stored_is_no_work(tmp_path: Path) -> None:
    """It is deeper than a value may be: the item is left out, and that is a loss."""
    deep: Any = 0
    for _ in range(300):
        deep = [deep]
    write(tmp_path, [*REQUESTS, request(3, original_row={"deep": deep})])
    with opened() as manager:
        job, state = brought(manager, tmp_path)
        assert codes(job) == {"value-not-stored", "items-skipped"}
        assert [*state.keys_in("skipped")] == ["3"]


def test_a_line_with_a_key_twice_is_left_out_and_named(tmp_path: Path) -> None:
    """However deep: of two values nobody can tell which is meant. The row waits."""
    deep = '"token_usage": {"input": 1, "input": 9}'
    lines = [
        answer(0, "a"),
        line_with(answer(1, "b"), '"response_cost": 9.0'),
        line_with(answer(2, "c", token_usage=None), f'"more": {{{deep}}}, "nan": NaN'),
    ]
    folder = write(tmp_path, REQUESTS, lines)
    (folder / "metadata_0.json").write_text('{"num_jobs": 3, "num_jobs": 4}')
    with opened() as manager:
        job, state = brought(manager, tmp_path)
        assert codes(job) == {"key-twice", "requests-uncounted"}
        [line] = [line for line in job.report if line.code == "key-twice"]
        assert (line.severity, line.place) == ("loss", f"{folder.name}/responses_0.jsonl")
        assert line.message.startswith("2 lines")
        assert "'response_cost' in line 2, 'input' in line 3" in line.message
        assert [*state.keys_in("pending")] == ["1", "2"]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("response_message", "b"),
        ("token_usage", {"input": 1, "output": 200, "total": 201}),
        ("response_cost", 7.5),
        ("raw_response", {"id": "another"}),
        ("finish_reason", "length"),
        ("finished_at", "2026-03-01 12:09:00.000001"),
        ("seed", True),
    ],
)
def test_whatever_an_answer_says_otherwise_is_lost_and_named(
    tmp_path: Path, name: str, other: object
) -> None:
    """Not only the message: what was paid, and when, is lost with it."""
    first, again = answer(1, "a", seed=1), answer(1, "a", seed=1) | {name: other}
    write(tmp_path, REQUESTS, [first, again])
    with opened() as manager:
        job, _ = brought(manager, tmp_path)
        assert codes(job) == {"result-differs"}
        assert not job.whole
        [line] = [line for line in job.report if line.code == "result-differs"]
        assert f"otherwise in {name!r}: the first" in line.message
