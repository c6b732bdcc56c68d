"""The page of evidence: what a run counted is read, written and held against it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.evidence import Harness, added_up, fallen, read, rewrite

ROOT = Path(__file__).parents[2]
EMPTY = "# Evidence\n\n<!-- counts: written by make evidence -->\n<!-- counts end -->\n\nMore.\n"
Run: TypeAlias = Callable[..., tuple[int, str]]

words = st.text("abc xyz,", min_size=1).map(str.strip).filter(bool)
harnesses = st.dictionaries(
    words,
    st.builds(
        lambda counts, about, controls, files: Harness(
            counts, about & counts.keys(), controls, files
        ),
        st.dictionaries(words, st.integers(0, 10**9), min_size=1),
        st.sets(words),
        st.integers(0, 9),
        st.sets(st.sampled_from(["tests/a.py", "tests/b/c.py"]), min_size=1),
    ),
)


@given(harnesses)
def test_a_page_says_what_was_written(found: dict[str, Harness]) -> None:
    page = rewrite(EMPTY, found)
    assert read(page) == found
    assert page.startswith("# Evidence\n")
    assert page.endswith("\n\nMore.\n")
    assert rewrite(page, read(page)) == page


def test_counts_and_controls_of_all_tests_are_added_up() -> None:
    found = added_up(
        [
            ("tests/a.py::one", [("counted", ("cuts", {"images": 3, "lost": 0}))]),
            ("tests/b.py::two[x]", [("counted", ["cuts", {"images": 4}]), ("other", 1)]),
            ("tests/b.py::three", [("counted about", ("walks", {"acts": 9})), ("control", "cuts")]),
        ]
    )
    assert found == {
        "cuts": Harness({"images": 7, "lost": 0}, set(), 1, {"tests/a.py", "tests/b.py"}),
        "walks": Harness({"acts": 9}, {"acts"}, 0, {"tests/b.py"}),
    }


@pytest.mark.parametrize(
    "page",
    [
        "nothing",
        EMPTY.replace("<!-- counts end -->", ""),
        EMPTY.replace(
            "<!-- counts end", "| a |\n| - |\n| cuts | many | 0 | `pytest a` |\n<!-- counts end"
        ),
        EMPTY.replace("<!-- counts end", "| a |\n| - |\n| cuts |\n<!-- counts end"),
    ],
)
def test_a_page_that_cannot_be_read_is_told(page: str) -> None:
    with pytest.raises(ValueError, match=r"evidence\.md"):
        read(page)


SUITE = """
import pytest

@pytest.mark.parametrize("number", [1, 2])
def test_cuts(number, record_property):
    record_property("counted", ("cuts", {"images": 10 * number}))

def test_walks(record_property):
    record_property("counted about", ("walks", {"acts": 100}))

@pytest.mark.control("cuts")
def test_a_fault_is_found():
    pass

def test_with_java(record_property):
    pytest.importorskip("no_such_module")
    record_property("counted", ("in Java", {"states": 5}))
"""

ROWS = """
| what | counted | controls | again |
| --- | --- | ---: | --- |
| cuts | 30 images | 1 | `pytest tests/test_it.py` |
| elsewhere | 8 things | 0 | `pytest tests/test_it.py tests/test_other.py` |
| in Java | 5 states | 0 | `pytest tests/test_it.py` |
| walks | about 100 acts | 0 | `pytest tests/test_it.py` |

"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs SUITE, edited, by pytest as a program, beside a page; what it says, and its code."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_other.py").touch()
    (tmp_path / "conftest.py").write_text(
        "from pathlib import Path\n"
        "from tests.evidence import Evidence\n"
        "def pytest_configure(config):\n"
        "    config.addinivalue_line('markers', 'control(harness): ')\n"
        "    config.pluginmanager.register(Evidence(Path(__file__).parent / 'page.md'))\n"
    )
    page = tmp_path / "page.md"

    def one(
        *edits: tuple[str, str],
        rows: str = ROWS,
        arguments: str = "-q tests/test_it.py",
        write: bool = False,
    ) -> tuple[int, str]:
        text = SUITE
        for old, new in edits:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "tests" / "test_it.py").write_text(text)
        page.write_text(EMPTY.replace("<!-- counts end", f"{rows}<!-- counts end"))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments.split()],
            cwd=tmp_path,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "MILEPOST_EVIDENCE": "write" if write else "",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    return one


def test_a_run_that_counted_as_much_passes(run: Run) -> None:
    code, said = run()
    assert code == 0, said
    assert "cuts: 30 images" in said


def test_processes_that_share_a_run_count_together(run: Run) -> None:
    code, said = run(arguments="-q -n 2 --dist worksteal tests/test_it.py")
    assert code == 0, said
    assert "walks: about 100 acts" in said
    code, said = run(("[1, 2]", "[1]"), arguments="-q -n 2 --dist worksteal tests/test_it.py")
    assert code == 1, said
    assert "cuts: 10 images, where the page says 30" in said


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("10 * number", "9 * number", "cuts: 27 images, where the page says 30"),
        ("[1, 2]", "[1]", "cuts: 10 images, where the page says 30"),
        ("100}", "74}", "walks: 74 acts, where the page says 100"),
        ('("cuts", {', '("slices", {', "slices: counted (30 images), and not on the page"),
        ('control("cuts")', 'control("walks")', "cuts: 0 controls, where the page says 1"),
        ('control("cuts")', 'control("cut")', "cut: a control names this harness"),
        ('pytest.importorskip("no_such_module")', "return", "in Java: 0 states"),
    ],
)
def test_a_run_that_counted_less_fails(run: Run, old: str, new: str, told: str) -> None:
    """Each is a control: without what judges, the run would pass."""
    code, said = run((old, new))
    assert code == 1, said
    assert told in said


def test_a_harness_whose_file_is_gone_has_fallen(run: Run, tmp_path: Path) -> None:
    (tmp_path / "tests" / "test_other.py").unlink()
    code, said = run()
    assert code == 1, said
    assert "elsewhere: 0 things, where the page says 8" in said


def test_what_chance_has_a_part_in_may_be_a_little_less(run: Run) -> None:
    code, said = run(("100}", "76}"))
    assert code == 0, said


@pytest.mark.parametrize(
    "arguments", ["-q -k cuts tests/test_it.py", "-q tests/test_it.py::test_walks"]
)
def test_a_part_of_a_file_is_not_judged(run: Run, arguments: str) -> None:
    code, said = run(("[1, 2]", "[1]"), arguments=arguments)
    assert code == 0, said


def test_a_run_that_writes_is_the_next_ones_page(run: Run, tmp_path: Path) -> None:
    """What was not run, or was skipped, stays as it is."""
    code, said = run(
        ("10 * number", "9 * number"), ('control("cuts")', 'control("walks")'), write=True
    )
    assert code == 0, said
    table = (tmp_path / "page.md").read_text()
    assert read(table) == {
        "cuts": Harness({"images": 27}, set(), 0, {"tests/test_it.py"}),
        "elsewhere": Harness({"things": 8}, set(), 0, {"tests/test_it.py", "tests/test_other.py"}),
        "in Java": Harness({"states": 5}, set(), 0, {"tests/test_it.py"}),
        "walks": Harness({"acts": 100}, {"acts"}, 1, {"tests/test_it.py"}),
    }


def test_of_a_small_count_by_chance_all_but_five_are_there_again() -> None:
    said = {"walks": Harness({"acts": 8}, {"acts"}, 0, {"tests/a.py"})}
    seen = {"walks": Harness({"acts": 3}, {"acts"}, 0, {"tests/a.py"})}
    assert not list(fallen(said, seen))
    seen["walks"].counts["acts"] = 2
    assert list(fallen(said, seen)) == ["walks: 2 acts, where the page says 8"]


def test_a_harness_that_nobody_counts_has_fallen() -> None:
    said = {"cuts": Harness({"images": 1}, set(), 0, {"tests/a.py"})}
    assert list(fallen(said, {})) == ["cuts: 0 images, where the page says 1"]
    assert not list(fallen(said, {}, ["tests/a.py"]))
