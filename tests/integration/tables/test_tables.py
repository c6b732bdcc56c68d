"""Tables of a job: what goes in comes out, in Arrow, in files, and by the PyCapsule interface."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import ipc

from milepost import ExtraAbsent, Item, ItemEvent, JobAbsent, RowUnfit, StateManager
from milepost.cli import main
from milepost.errors import ArgumentInvalid
from milepost.tables import Table, table, write_table
from milepost.testing import FakeClock

Made = Callable[..., StateManager]

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**80), 2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text("abc", max_size=2), inner, max_size=3)
    ),
    max_leaves=6,
)
SHAPES = st.sampled_from(
    [
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2**64 - 1).map(lambda n: n | 2**63),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(codec="utf-8"), max_size=8),
        st.lists(st.integers(-9, 9), min_size=1, max_size=3),
        st.fixed_dictionaries({"a": st.integers(-9, 9), "b": st.none() | st.booleans()}),
        st.fixed_dictionaries(
            {"n": st.fixed_dictionaries({"x": st.lists(st.text("é\n", max_size=2))})}
        ),
    ]
)


@pytest.fixture
def made() -> Iterator[Made]:
    """A job `j` whose items have these results; the manager is closed at the end."""
    opened: list[StateManager] = []

    def make(results: list[Any], store: str | Path = "memory:") -> StateManager:
        manager = StateManager.open(store, durability="process", clock=FakeClock())
        opened.append(manager)
        keys = [f"k{n}" for n in range(len(results))] or ["none"]
        manager.create_job(keys, job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(n, "start") for n in range(len(results))])
        for n, result in enumerate(results):
            manager.record("j", [ItemEvent(n, "succeed", {"result": result})])
        return manager

    yield make
    for manager in opened:
        manager.close()


def read(found: Table) -> pa.Table:
    """What any reader of Arrow gets: by the capsule alone."""
    return pa.RecordBatchReader.from_stream(found).read_all()


def of(values: list[Any]) -> list[Any]:
    """`values` as a table of that type would have them, out of a job and back."""
    with StateManager.open("memory:", clock=FakeClock()) as manager:
        manager.create_job([f"k{n}" for n in range(len(values))], job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(n, "start") for n in range(len(values))])
        done = [ItemEvent(n, "succeed", {"result": v}) for n, v in enumerate(values)]
        manager.record("j", done)
        return read(table(manager, "j", values="infer"))["result"].to_pylist()


@settings(max_examples=40, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=4))
def test_any_result_comes_back_as_text(values: list[Any]) -> None:
    with StateManager.open("memory:", clock=FakeClock()) as manager:
        manager.create_job([f"k{n}" for n in range(len(values))], job_id="j")
        manager.fire("j", "start_map")
        manager.record("j", [ItemEvent(n, "start") for n in range(len(values))])
        done = [ItemEvent(n, "succeed", {"result": v}) for n, v in enumerate(values)]
        manager.record("j", done)
        found = read(table(manager, "j"))
        stored = [value for _, value in manager.results("j")]
    assert [json.loads(text) for text in found["result"].to_pylist()] == stored == values


@settings(max_examples=40, deadline=None)
@given(SHAPES.flatmap(lambda shape: st.lists(shape, min_size=1, max_size=5)))
def test_a_result_of_one_shape_comes_back_in_its_type(values: list[Any]) -> None:
    assert of(values) == values


def test_the_columns_of_results(made: Made) -> None:
    found = read(table(made([{"a": 1}, None, 2**70]), "j"))
    assert found.schema.names == [
        *("key", "ordinal", "state", "attempts", "result", "recorded_at", "seq")
    ]
    assert found.schema.field("recorded_at").type == pa.timestamp("us", tz="UTC")
    assert found["key"].to_pylist() == ["k0", "k1", "k2"]
    assert found["result"].to_pylist() == ['{"a":1}', "null", str(2**70)]
    assert found["attempts"].to_pylist() == [1, 1, 1]
    assert found["state"].to_pylist() == ["done"] * 3
    seqs = found["seq"].to_pylist()
    assert seqs == sorted(set(seqs))


def test_when_and_where_a_result_was_recorded(made: Made) -> None:
    manager = made(["x", "y"])
    told = {(e.seq, e.at) for e in manager.get_state_history("j")}
    rows = read(table(manager, "j"))
    assert set(zip(rows["seq"].to_pylist(), rows["recorded_at"].to_pylist(), strict=True)) < told


def test_the_columns_of_items_and_failures(made: Made) -> None:
    manager = made([1])
    manager.create_job([Item(key="a", value={"n": 1}), Item(key="b", value=None)], job_id="f")
    manager.fire("f", "start_map")
    manager.record("f", [ItemEvent("a", "start")])
    manager.record("f", [ItemEvent("a", "fail", {"cause": "error", "message": "no\x00"})])
    manager.record("f", [ItemEvent("a", "retry"), ItemEvent("a", "start")])
    manager.record("f", [ItemEvent("a", "fail", {"cause": "timeout", "message": "slow"})])
    items = read(table(manager, "f", "items")).to_pylist()
    assert items[0] == {
        "key": "a",
        "ordinal": 0,
        "collection": "items",
        "state": "failed",
        "attempts": 2,
        "crashes": 0,
        "suspect": False,
        "value": '{"n":1}',
    }
    assert (items[1]["state"], items[1]["value"]) == ("pending", "null")
    failures = read(table(manager, "f", "failures")).to_pylist()
    assert [(f["key"], f["attempt"], f["cause"], f["message"]) for f in failures] == [
        ("a", 1, "error", "no\x00"),
        ("a", 2, "timeout", "slow"),
    ]
    assert failures[0]["at"] <= failures[1]["at"]
    assert failures[0]["seq"] < failures[1]["seq"]


def test_batches_are_bounded_by_their_bytes(made: Made) -> None:
    manager = made(["x" * 1000] * 40)
    batches = list(table(manager, "j", batch_bytes=5_000).record_batches())
    assert sum(batch.num_rows for batch in batches) == 40
    assert max(batch.nbytes for batch in batches) < 6_000
    assert len(batches) > 8


def test_a_reader_reads_no_further_than_it_is_asked(made: Made) -> None:
    """What comes later in the log is not read for the first batch: damage there is met later."""
    manager = made([1, 2, "three"])
    batches = table(manager, "j", values=pa.int64(), batch_bytes=1024).record_batches()
    with pytest.raises(RowUnfit):
        list(batches)
    small = table(made(["x" * 2000, 2]), "j", values=pa.string(), batch_bytes=1024)
    few = small.record_batches()
    assert next(few)["result"].to_pylist() == ["x" * 2000]
    with pytest.raises(RowUnfit):
        next(few)


@pytest.mark.parametrize(
    ("results", "values", "problem"),
    [
        ([1, "a"], "infer", "some are int64 and some are string"),
        ([{"a": 1}, {"a": [1]}], "infer", "some are int64 and some are list"),
        ([2**64], "infer", "beyond 64 bits"),
        ([True, 1], "infer", "some are bool and some are int64"),
        ([{"a": 1}, {"a": 1, "b": 2}], pa.schema([("a", pa.int64())]), "has the field 'b'"),
        ([1, True], pa.int64(), r"\$ is True, which is no int64"),
        ([300], pa.int8(), r"\$ is 300, which is no int8"),
        ([1.5], pa.int64(), "is 1.5, which is no int64"),
        ([2**60 + 1], pa.float64(), "does not hold exactly"),
        ([0.5, 2**60 + 1], "infer", "does not hold exactly"),
        ([[1, [2]]], pa.list_(pa.int64()), r"\$\[1\] is \[2\]"),
        (["2024"], pa.timestamp("s"), "is no timestamp|which is no timestamp"),
    ],
)
def test_a_row_that_does_not_fit_is_named(
    made: Made, results: list[Any], values: Any, problem: str
) -> None:
    """Nothing is dropped, rounded or turned into something else to make it fit."""
    manager = made(results)
    with pytest.raises(RowUnfit, match=problem) as caught:
        list(table(manager, "j", values=values).record_batches())
    assert caught.value.item == f"k{len(results) - 1}"
    result_seqs = {one.key: one.seq for one in manager.recorded_results("j")}
    assert caught.value.seq == result_seqs[caught.value.item]


def test_what_the_first_batch_did_not_tell_is_a_misfit(made: Made) -> None:
    manager = made([None, "x" * 2000, None])
    assert read(table(manager, "j", values="infer"))["result"].to_pylist()[2] is None
    late = made([None] * 30 + ["late"])
    found = table(late, "j", values="infer", batch_bytes=1024)
    with pytest.raises(RowUnfit, match="all rows before had null"):
        list(found.record_batches())
    with pytest.raises(pa.ArrowException, match="k30"):  # the same through the capsule
        read(found)


def test_fields_that_only_some_rows_have(made: Made) -> None:
    found = read(table(made([{"a": 1}, {"b": "x"}, {}]), "j", values="infer"))
    assert found["result"].to_pylist() == [
        {"a": 1, "b": None},
        {"a": None, "b": "x"},
        {"a": None, "b": None},
    ]


@pytest.mark.parametrize("values", ["json", "infer"])
def test_a_job_without_results_gives_a_table_without_rows(made: Made, values: str) -> None:
    found = read(table(made([]), "j", values=values))
    assert found.num_rows == 0
    assert "result" in found.schema.names


def test_a_table_can_be_read_twice_and_goes_along_with_the_job(made: Made) -> None:
    manager = made([1])
    found = table(manager, "j")
    assert read(found).num_rows == 1
    manager.create_job(["a"], job_id="other")
    assert read(found).num_rows == 1
    assert found.schema == read(found).schema


def test_what_is_asked_for_is_checked_at_once(made: Made) -> None:
    manager = made([1])
    with pytest.raises(JobAbsent):
        table(manager, "absent")
    with pytest.raises(ArgumentInvalid, match="'what'"):
        table(manager, "j", "letters")  # type: ignore[arg-type]
    with pytest.raises(ArgumentInvalid, match="'values'"):
        table(manager, "j", values=3)
    with pytest.raises(ArgumentInvalid, match="'batch_bytes'"):
        table(manager, "j", batch_bytes=1)


def test_files(made: Made, tmp_path: Path) -> None:
    results = [{"a": 1}, [1, "two\n", None], 'a "quoted", text', 2**70]
    manager = made(results)
    found = table(manager, "j")
    assert write_table(found, tmp_path / "t.parquet") == 4
    assert pq.read_table(tmp_path / "t.parquet").equals(read(found))
    assert write_table(found, tmp_path / "t.arrow", "arrow") == 4
    with ipc.open_file(tmp_path / "t.arrow") as file:
        assert file.read_all().equals(read(found))
    assert write_table(found, tmp_path / "t.csv", "csv") == 4
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as lines:
        assert [json.loads(row["result"]) for row in csv.DictReader(lines)] == results
    assert write_table(found, tmp_path / "t.jsonl", "jsonl") == 4
    lines_of = (tmp_path / "t.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["result"] for line in lines_of] == results
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("t.arrow", "t.csv", "t.jsonl", "t.parquet")
    ]


def test_a_file_is_whole_or_as_it_was(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"before")
    with pytest.raises(RowUnfit):
        write_table(table(made([1, "a"]), "j", values=pa.int64()), path)
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_types_without_a_place_in_a_format_are_refused(made: Made, tmp_path: Path) -> None:
    typed = table(made([{}]), "j", values="infer")
    with pytest.raises(ArgumentInvalid, match="'parquet' or 'arrow'"):
        write_table(typed, tmp_path / "t.csv", "csv")
    with pytest.raises(ArgumentInvalid, match="a place for all types"):
        write_table(typed, tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []


def test_without_pyarrow_there_is_a_line_for_pip(
    made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what needs none works."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    found = table(made([1]), "j")
    for needs in (
        lambda: write_table(found, tmp_path / "t.parquet"),
        lambda: list(found.record_batches()),
        found.__arrow_c_stream__,
        lambda: table(made([1]), "j", values=object()),
    ):
        with pytest.raises(ExtraAbsent, match=r"pip install 'milepost\[arrow\]'"):
            needs()
    assert list(tmp_path.iterdir()) == []
    assert write_table(found, tmp_path / "t.csv", "csv") == 1


def ask(store: Path, *args: str, exit_code: int = 0) -> Any:
    result = CliRunner().invoke(main, args, env={"MILEPOST_DB": str(store)}, terminal_width=80)
    assert result.exit_code == exit_code, result.output
    return result


def test_the_command(made: Made, tmp_path: Path) -> None:
    store = tmp_path / "jobs.db"
    made([{"a": 1}, "x\u202e"], store)
    out = tmp_path / "out.parquet"
    page = ask(store, "export", "j", "--format", "parquet", "--out", str(out)).stdout
    assert page.startswith(f"{out}: 2 rows of results, ")
    assert pq.read_table(out).num_rows == 2
    answer = json.loads(ask(store, "export", "j", "--out", str(tmp_path / "l"), "--json").stdout)
    assert (answer["schema"], answer["rows"], answer["format"]) == ("milepost.export/1", 2, "jsonl")
    lines = ask(store, "export", "j").stdout
    assert "\u202e" not in lines
    assert [json.loads(line)["result"] for line in io.StringIO(lines)] == [{"a": 1}, "x\u202e"]
    items = [
        json.loads(line)
        for line in io.StringIO(ask(store, "export", "j", "--what", "items").stdout)
    ]
    assert [item["state"] for item in items] == ["done", "done"]


def test_the_command_says_what_it_needs(made: Made, tmp_path: Path) -> None:
    store = tmp_path / "jobs.db"
    made([1, "a"], store)
    assert "--out" in ask(store, "export", "j", "--format", "csv", exit_code=2).stderr
    assert "--infer" in ask(store, "export", "j", "--infer", exit_code=2).stderr
    out = str(tmp_path / "t.parquet")
    told = ask(store, "export", "j", "--format", "parquet", "--out", out, "--infer", exit_code=2)
    assert "item 'k1'" in told.stderr
    assert not Path(out).exists()


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_break_of_a_line_stays_within_its_cell(end: str, tmp_path: Path) -> None:
    """A reader takes each of them for the end of a row, unless the cell is quoted."""
    key = f"a{end}b"
    with StateManager.open("memory:") as manager:
        manager.create_job([key], job_id="j")
        assert write_table(table(manager, "j", "items"), tmp_path / "t.csv", "csv") == 1
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as lines:
        assert [row["key"] for row in csv.DictReader(lines)] == [key]
    assert (tmp_path / "t.csv").read_bytes().endswith(b"\n")
    assert not (tmp_path / "t.csv").read_bytes().endswith(b"\r\n")
