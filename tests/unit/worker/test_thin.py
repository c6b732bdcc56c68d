"""What runs on a worker is little: a process that makes one call loads no store and no tables."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from milepost.worker.attempts import Terms, attempt, attempts
from milepost.worker.items import WorkItem

ROOT = Path(__file__).parents[3]
HEAVY = (
    *("apsw", "pyroaring", "pydantic", "zstd", "backports", "click", "rich", "yaml", "jinja2"),
    *("milepost.lifecycles", "milepost.state", "milepost.stores", "milepost.job", "milepost.log"),
)
FUNCTIONS = """
from milepost.executors import Later, Permanent, Verdict, WorkItem


def work(item: WorkItem) -> object:
    if item.value == "later":
        raise Later("busy", after_s=1)
    if item.value == "never":
        raise Permanent("no")
    return {"value": (item.value, item.attempt)}
"""
WORKER = """
import pickle, sys
call, function, given, terms = pickle.load(sys.stdin.buffer)
outcomes = [timed.outcome for timed in call(function, given, terms, typed=False)]
heavy = [name for name in sys.modules if name.startswith(tuple(sys.argv[1].split()))]
outside = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names
print([type(each).__name__ for each in outcomes], sorted(heavy), sorted(outside))
"""


def _run(folder: Path, code: str, given: bytes) -> str:
    (folder / "functions_of_the_user.py").write_text(FUNCTIONS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(HEAVY)],
        input=given,
        capture_output=True,
        check=True,
        env={"PYTHONPATH": f"{ROOT / 'src'}:{folder}"},
    )
    return done.stdout.decode().strip()


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A call as an engine sends it, whose function is of a module of the user's."""
    (tmp_path / "functions_of_the_user.py").write_text(FUNCTIONS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    from functions_of_the_user import work  # type: ignore[import-not-found]

    items = [WorkItem(key=name, value=name, attempt=1) for name in ("now", "later", "never")]
    sent = pickle.dumps((attempts, work, items, Terms(most_bytes=1_000)))
    del sys.modules["functions_of_the_user"]
    return sent


def test_a_worker_loads_msgspec_and_nothing_else(tmp_path: Path, call: bytes) -> None:
    """In a process of its own: unpickling the call, making it, with all that it can say."""
    said = _run(tmp_path, WORKER, call)
    kinds, rest = said.split("] ", 1)
    assert kinds == "['Given', 'Deferred', 'NotGiven'"
    heavy, outside = rest.split(" ", 1)
    assert heavy == "[]"
    names = set(outside.strip("[]").replace("'", "").split(", "))
    assert names <= {"functions_of_the_user", "milepost"} | _of_msgspec()


def test_a_store_would_be_seen(tmp_path: Path, call: bytes) -> None:
    """The negative control: the same worker, once it has opened a store."""
    opened = f"from milepost import StateManager; StateManager.open({str(tmp_path / 'j.db')!r})"
    said = _run(tmp_path, f"{opened}{WORKER}", call)
    assert "'apsw'" in said
    assert "milepost.state" in said


def test_one_call_is_a_call_of_several() -> None:
    """The outcomes of a chunk are those of its calls."""
    items = [WorkItem(key=str(n), value=n) for n in range(3)]
    terms = Terms(most_bytes=1_000)
    alone = [attempt(lambda item: item.value, item, terms, typed=False) for item in items]
    together = attempts(lambda item: item.value, items, terms, typed=False)
    assert [one.outcome for one in alone] == [one.outcome for one in together]


def _of_msgspec() -> set[str]:
    """What a process of this environment has loaded that imports msgspec."""
    code = "import sys, msgspec.json; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    return set(done.stdout.decode().split())
