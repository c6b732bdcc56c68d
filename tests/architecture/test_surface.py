"""The public surface is what it says, and costs what it may."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import milepost
from milepost import errors
from milepost.machine import MilepostError

SOURCE = Path(milepost.__file__)


def test_every_module_says_what_it_is_for_and_what_it_offers() -> None:
    """A first line for the reader, and an explicit list of names."""
    for path in SOURCE.parent.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        first = (ast.get_docstring(tree) or "").splitlines()[0:1]
        assert first, path
        assert first[0].endswith("."), path


def test_a_generated_module_imports_nothing_heavy() -> None:
    """Only the standard library, milepost.machine and what makes its messages printable."""
    code = (
        "import sys; before = set(sys.modules); import milepost.lifecycles.mapreduce;"
        "print('\\n'.join(sorted(set(sys.modules) - before)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) == {"milepost"}
    ours = {name for name in run.stdout.split() if name.startswith("milepost")}
    assert ours == {
        "milepost",
        "milepost.integers",
        "milepost.lazy",
        "milepost.lifecycles",
        "milepost.lifecycles.mapreduce",
        "milepost.machine",
        "milepost.refusals",
        "milepost.roles",
        "milepost.text",
        "milepost.text.escapes",
        "milepost.text.wording",
    }


def test_errors_are_one_tree_drawn_where_they_are_defined() -> None:
    """Each is in the drawing, has a code of its own, and survives the trip between processes."""
    drawn = errors.__doc__ or ""
    classes = [getattr(errors, name) for name in errors.__all__]
    assert all(issubclass(kind, MilepostError) for kind in classes)
    for kind in classes:
        assert kind.__name__ in drawn
    codes = [kind.code for kind in classes]
    assert len(set(codes)) == len(codes)
    until = datetime(2026, 1, 1, tzinfo=UTC)
    held = errors.LeaseHeld(job_id="j", owner="o", expires_at=until)
    again = pickle.loads(pickle.dumps(held))
    assert (str(again), again.owner) == (str(held), "o")
    assert "take the job over with a reason" in str(held)


def test_every_error_has_a_heading_in_the_reference() -> None:
    """What can go wrong is explained, by its code."""
    page = (SOURCE.parents[2] / "docs" / "reference" / "state-errors.md").read_text(
        encoding="utf-8"
    )
    for name in errors.__all__:
        kind = getattr(errors, name)
        assert f"### `{kind.code}`" in page, name
