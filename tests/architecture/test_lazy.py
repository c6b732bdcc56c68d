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
    assert module.__all__[0] in pydoc.render_doc(module)
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
