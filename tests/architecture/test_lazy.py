"""What is loaded when it is first used: names are said thrice and agree, and little is loaded."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import pydoc
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

import milepost

SOURCE: Final = Path(milepost.__file__).parent


def _lazy_modules() -> Iterator[str]:
    """The modules that load names when they are used."""
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        if name != "milepost.lazy" and "loaded_when_used(" in path.read_text(encoding="utf-8"):
            yield name


LAZY: Final = list(_lazy_modules())


def _for_checkers(module: ModuleType) -> dict[str, str]:
    """The names that a module imports for checkers alone, each with where it comes from."""
    found = {}
    for block in ast.parse(inspect.getsource(module)).body:
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING":
            for node in block.body:
                assert isinstance(node, ast.ImportFrom)
                names = node.names
                found |= {each.asname or each.name: f"{node.module}.{each.name}" for each in names}
    return found


def _homes(module: ModuleType) -> dict[str, str]:
    """The names that a module loads when they are used, each with where it comes from."""
    (call,) = (
        node
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "loaded_when_used"
    )
    given = {part.arg: ast.literal_eval(part.value) for part in call.keywords}
    names: dict[str, str] = ast.literal_eval(call.args[1]) if call.args[1:] else {}
    modules: dict[str, str] = given.get("modules", {})
    return {name: f"{home}.{name}" for name, home in names.items()} | modules


@pytest.mark.parametrize("name", LAZY)
def test_what_is_loaded_late_is_what_checkers_see(name: str) -> None:
    """One list for those who import, one for checkers and contracts, one for the loading: equal."""
    module = importlib.import_module(name)
    assert _homes(module) == _for_checkers(module)
    assert sorted(module.__all__) == sorted(_homes(module)) == dir(module)


@pytest.mark.parametrize("name", LAZY)
def test_what_is_loaded_late_is_there_for_everyone(name: str) -> None:
    """For a star, for `help`, for pickles, and once for all; what is not there is said as usual."""
    module = importlib.import_module(name)
    namespace: dict[str, object] = {}
    exec(f"from {name} import *", namespace)  # noqa: S102
    assert set(module.__all__) <= set(namespace)
    assert module.__all__[0] in pydoc.render_doc(module, renderer=pydoc.plaintext)
    for each in module.__all__:
        found = getattr(module, each)
        assert vars(module)[each] is namespace[each] is found
        if isinstance(found, type):
            assert pickle.loads(pickle.dumps(found)) is found
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nothing'"):
        _ = module.nothing
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        exec(f"from {name} import nothing")  # noqa: S102


def test_the_modules_that_load_late_are_met() -> None:
    assert {"milepost", "milepost.executors"} <= set(LAZY)


IMPORTED: Final = (
    *("milepost", "milepost.lazy", "milepost.defaults", "milepost.refusals", "milepost.errors"),
    *("milepost.integers", "milepost.arguments", "milepost.text*", "milepost.process"),
    *("milepost.process.forks", "milepost.state", "milepost.state.manager*"),
    *("milepost.stores", "milepost.stores.unreadable"),
)
"""What `from milepost import StateManager` may load, of ours; of others, nothing."""

WORKED: Final = (
    *(*IMPORTED, "milepost.clock", "milepost.machine", "milepost.roles", "milepost.metrics"),
    *("milepost.lifecycles", "milepost.lifecycles.mapreduce", "milepost.process.identity"),
    *("milepost.items*", "milepost.job*", "milepost.log*", "milepost.worker*"),
    *("milepost.stores.opening", "milepost.stores.protocol", "milepost.stores.sqlite*"),
    *("milepost.state.limits", "milepost.state.transitions", "milepost.state.writing*"),
    *("milepost.state.reading", "milepost.state.reading.departures"),
    *(f"milepost.state.reading.{each}" for each in ("failures", "hands", "loading")),
    *(
        f"milepost.state.reading.{each}"
        for each in ("followed", "locating", "meaning", "naming", "outline")
    ),
    *(f"milepost.state.reading.{each}" for each in ("results", "spanned", "values")),
)
"""What it may load to open a store, make a job, record and look: no keeping, and no recovering."""

SHOWN: Final = (
    *(*WORKED, "milepost.cli*", "milepost.discovery*", "milepost.inspect", "milepost.drawings"),
    *("milepost.drawings.looks", "milepost.inspect.show", "milepost.inspect.advice"),
    *("milepost.inspect.allowed", "milepost.inspect.checkpoint", "milepost.inspect.counts"),
    *("milepost.inspect.failures", "milepost.inspect.json", "milepost.inspect.page"),
    *(
        "milepost.inspect.standing",
        "milepost.inspect.states",
        "milepost.inspect.text",
        "milepost.inspect.view",
    ),
    *("milepost.inspect.words", "milepost.state.reading.events"),
    *(f"milepost.state.reading.{each}" for each in ("history", "outlined", "passages", "phases")),
)
"""What `milepost show` may load."""

HELPED: Final = (
    *("milepost", "milepost.lazy", "milepost.cli*", "milepost.refusals", "milepost.text*"),
)
"""What `milepost --help` may load: of `cli`, no command and no session."""

_WORK: Final = """
from milepost import ItemEvent, StateManager
with StateManager.open("jobs.db") as manager:
    manager.create_job(["a", "b"], job_id="j")
    manager.fire("j", "start_map")
    manager.record("j", [ItemEvent("a", "start")])
    manager.record("j", [ItemEvent("a", "succeed", {"result": 1})])
    assert manager.get_state("j").progress.done == 1
"""

_SHOW: Final = """
from milepost.cli import main
main(["show", "j", "--db", "jobs.db"], standalone_mode=False)
"""


def _loaded(source: str, folder: Path) -> set[str]:
    """The modules that a fresh process has loaded after `source`, without the standard library."""
    told = "\nimport sys; print('loaded:', *sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", source + told],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    names = run.stdout.rpartition("loaded:")[2].split()
    bare = {"__main__", "_distutils_hack", "sitecustomize", *sys.stdlib_module_names}
    return {name for name in names if name.partition(".")[0] not in bare}


def _beyond(loaded: set[str], allowed: tuple[str, ...]) -> list[str]:
    ours = [name for name in loaded if name.partition(".")[0] == "milepost"]
    return sorted(name for name in ours if not any(fnmatchcase(name, each) for each in allowed))


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ("from milepost import StateManager", IMPORTED),
        (_WORK, WORKED),
        (_SHOW, SHOWN),
        ("from milepost.cli import main; main(['--help'], standalone_mode=False)", HELPED),
    ],
    ids=["import", "work", "show", "help"],
)
def test_no_more_is_loaded_than_is_needed(
    source: str, allowed: tuple[str, ...], tmp_path: Path
) -> None:
    """By name. What is beyond: load it where it is called, or say here why all need it."""
    if source is _SHOW:
        _loaded(_WORK, tmp_path)
    loaded = _loaded(source, tmp_path)
    assert _beyond(loaded, allowed) == []
    assert allowed is not HELPED or "milepost.cli.session" not in loaded
    others = {name.partition(".")[0] for name in loaded}
    assert not others & {"jinja2", "opentelemetry", "pydantic", "pyarrow", "rich", "yaml", "z3"}
    if allowed is IMPORTED:
        assert others == {"milepost"}


def test_what_is_loaded_beyond_would_be_noticed(tmp_path: Path) -> None:
    """The negative control: a view of another command, and the tables of an earlier version."""
    source = "import milepost.inspect.gc, milepost.lifecycles.mapreduce_v1"
    beyond = _beyond(_loaded(source, tmp_path), SHOWN)
    assert {"milepost.inspect.gc", "milepost.lifecycles.mapreduce_v1"} <= set(beyond)


_TOGETHER: Final = """
import threading
import milepost, milepost.executors
names = [(m, n) for m in (milepost, milepost.executors) for n in m.__all__]
found, start = [], threading.Barrier(8)
def take(order):
    start.wait()
    found.append({id(getattr(m, n)) if n != "NOTHING" else 0: n for m, n in order})
threads = [
    threading.Thread(target=take, args=(names[k * 20 :] + names[: k * 20],)) for k in range(8)
]
for each in threads: each.start()
for each in threads: each.join(60)
assert not any(each.is_alive() for each in threads), "they wait for each other"
assert len(found) == 8 and all(set(each) == set(found[0]) for each in found)
"""

_NONE_WHILE_LOADED: Final = """
import importlib, pkgutil
import milepost, milepost.lazy
met = []
def told(name):
    met.append(name)
    return importlib.import_module(name)
milepost.lazy.import_module = told
for each in pkgutil.walk_packages(milepost.__path__, "milepost."):
    if each.name != "milepost.__main__":
        try:
            importlib.import_module(each.name)
        except ImportError as error:
            assert not (error.name or "").startswith("milepost"), error  # of an extra
assert met == [], met
_ = milepost.StateManager
assert met == ["milepost.state.manager"], "the control: late names are met"
"""

_CHILD: Final = """
import os, tempfile
from milepost import StateManager
with tempfile.TemporaryDirectory() as folder:
    with StateManager.open(f"{folder}/jobs.db") as manager:
        manager.create_job(["a"], job_id="j")
        child = os.fork()
        if child == 0:
            from milepost import Repair, Verification
            with StateManager.open(f"{folder}/jobs.db", create=False) as own:
                (told,) = own.verify("j")
                assert type(told) is Verification and told.sound
                assert type(own.upkeep.repair("j")) is Repair
            os._exit(17)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 17
        (told,) = manager.verify("j")
        assert told.sound
"""


@pytest.mark.parametrize(
    "source", [_TOGETHER, _CHILD, _NONE_WHILE_LOADED], ids=["threads", "fork", "no late name"]
)
def test_threads_and_children_load_as_well(source: str) -> None:
    """Eight threads that ask for all names at once, each in another order; the child of a fork.

    No module uses a late name while it is loaded itself, so that loads cannot wait for each other.
    """
    run = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=False, timeout=120
    )
    assert (run.returncode, run.stderr) == (0, "")


_FORKS: Final = """
import os, signal, sys, threading, time
import milepost, milepost.executors

def load():
    for module in (milepost, milepost.executors):
        for name in module.__all__:
            getattr(module, name)

def forked():
    children = []
    for _ in range(6):
        child = os.fork()
        if child == 0:
            signal.alarm(20)
            load()
            os._exit(0)
        children.append(child)
        time.sleep(0.004)  # between forks, while the others load
    ended.extend(os.waitpid(child, 0)[1] for child in children)

signal.alarm(40)
ended = []
threads = [threading.Thread(target=load) for _ in range(3)] + [threading.Thread(target=forked)]
for thread in threads: thread.start()
for thread in threads: thread.join()
sys.exit(ended != [0] * 6)
"""


def test_forks_while_others_load_end_well() -> None:
    """Neither the parent nor a child waits for a lock that nobody gives back.

    From Python 3.12 on a fork beside threads warns; these are what is tried here.
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore:This process:DeprecationWarning", "-c", _FORKS],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
