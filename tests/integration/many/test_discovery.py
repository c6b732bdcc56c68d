"""The command line finds lifecycles: by option, variable, project and package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from milepost import StateManager
from milepost.cli import main
from milepost.cli.commands import COMMANDS, command
from milepost.discovery import discover
from milepost.errors import LifecycleAbsent, LifecycleUnfit
from milepost.lifecycles import mapreduce
from tests.integration.many.orders import ORDERS_1, ORDERS_2, compiled, write

SPY = "\nimport pathlib as _p\n(_p.Path(__file__).parent / 'imported').touch()\n"
"""Notes that the module it stands in was run."""


@dataclass(frozen=True)
class Shell:
    """Runs `milepost` in a process of its own, in one folder, with these variables."""

    folder: Path

    def __call__(self, *args: str, exit_code: int = 0, **env: str) -> str:
        """stdout and stderr of `milepost`, one after the other."""
        return "".join(self.apart(*args, exit_code=exit_code, **env))

    def apart(self, *args: str, exit_code: int = 0, **env: str) -> tuple[str, str]:
        """stdout and stderr of `milepost`, run as the installed script: no folder on the path."""
        code = "import sys; from milepost.cli import main; main(prog_name='milepost')"
        run = subprocess.run(
            [sys.executable, "-P", "-c", code, *args],
            cwd=self.folder,
            env={**_without(os.environ), **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert run.returncode == exit_code, run.stdout + run.stderr
        assert "Traceback" not in run.stderr
        return run.stdout, run.stderr

    def found(self, *args: str, **env: str) -> dict[str, Any]:
        """The lifecycles that are used, by name: where each is from, and which versions."""
        answer = json.loads(self("lifecycles", "--json", *args, **env))
        return {
            one["name"]: (one["source"], one["version"], one["earlier"])
            for one in answer["found"]
            if one["used"]
        }


def _without(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("MILEPOST_")}


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    folder = tmp_path / "here"
    folder.mkdir()
    return Shell(folder)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A job of orders version 1, and one of the built-in lifecycle."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path, lifecycles=[compiled(ORDERS_1)]) as manager:
        manager.create_job(["a", "b"], job_id="o")
        manager.fire("o", "start_map")
        manager.create_job(["a"], job_id="m", lifecycle="mapreduce")
    return path


def project(folder: Path) -> Path:
    """A project that lists orders 2, with the tables of version 1; its module notes its import."""
    module = write(folder / "src" / "shop", ORDERS_2, ORDERS_1)
    (module.parent / "__init__.py").touch()
    module.write_text(module.read_text(encoding="utf-8") + SPY, encoding="utf-8")
    (folder / "orders.yaml").write_text(ORDERS_2, encoding="utf-8")
    (folder / "pyproject.toml").write_text(
        '[tool.milepost]\nlifecycles = [{ source = "orders.yaml", python = "src/shop" }]\n',
        encoding="utf-8",
    )
    return module


def package(folder: Path, value: str) -> None:
    """What an installed package leaves: its entry point, beside what it may import."""
    info = folder / "shop-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[milepost.lifecycles]\norders = {value}\n")


def test_an_option_names_a_module_or_a_file(shell: Shell, store: Path) -> None:
    """A module of the current folder too; its earlier versions, which lie beside it, come along."""
    write(shell.folder, ORDERS_2, ORDERS_1)
    for named in ("orders", "orders:LIFECYCLE", "orders.py", str(shell.folder / "orders.py")):
        assert shell.found("--lifecycle", named)["orders"] == ("--lifecycle", 2, [1])
    told = shell("show", "o", "--db", str(store), "--lifecycle", "orders")
    assert "map" in told
    before = shell("--lifecycle", "orders", "--db", str(store), "verify")
    assert "NOT SOUND" not in before


def test_without_it_the_job_is_told_of_and_the_others_go_on(shell: Shell, store: Path) -> None:
    """Exit 2, which lifecycle it is, and how it is named."""
    told = shell("show", "o", "--db", str(store), exit_code=2)
    orders = compiled(ORDERS_1)
    assert f"runs by orders version 1 ({orders.digest:.12})" in told
    assert "--lifecycle MODULE, in MILEPOST_LIFECYCLES" in told
    shell("show", "m", "--db", str(store))
    listed = shell("jobs", "--db", str(store))
    assert "orders 1" in listed
    assert f"mapreduce {mapreduce.LIFECYCLE.version}" in listed
    assert "orders" not in shell("jobs", "--of", "mapreduce", "--db", str(store))


def test_the_variable_names_what_python_finds(shell: Shell, tmp_path: Path) -> None:
    """And files by their whole path: what lies in the current folder is not taken for it."""
    module = write(tmp_path / "lib", ORDERS_2, ORDERS_1)
    found = {"orders": ("MILEPOST_LIFECYCLES", 2, [1])}
    assert found.items() <= shell.found(MILEPOST_LIFECYCLES=str(module)).items()
    on_path = {"MILEPOST_LIFECYCLES": "orders, ", "PYTHONPATH": str(module.parent)}
    assert found.items() <= shell.found(**on_path).items()
    here = Shell(module.parent)
    told = here("lifecycles", exit_code=2, MILEPOST_LIFECYCLES="orders")
    assert "MILEPOST_LIFECYCLES orders: there is no such module" in told
    told = here("lifecycles", exit_code=2, MILEPOST_LIFECYCLES="./orders.py")
    assert "by its whole path" in told


def test_nothing_is_run_because_a_command_is_called_in_its_folder(
    shell: Shell, store: Path
) -> None:
    """The project is read and said to be there; its module is imported once Python finds it."""
    module = project(shell.folder)
    noted = module.parent / "imported"
    inside = Shell(module.parent)
    assert "orders" not in inside.found()
    told = inside("show", "o", "--db", str(store), exit_code=2)
    assert f"say --lifecycle {module}" in told
    assert "install the project" in inside("lifecycles")
    assert not noted.exists()

    source = str(module.parent.parent)
    assert inside.found(PYTHONPATH=source)["orders"] == ("pyproject.toml", 2, [1])
    assert noted.exists(), "control: the module tells that it was run"
    inside("show", "o", "--db", str(store), PYTHONPATH=source)


@pytest.mark.parametrize(
    "text",
    [
        "no toml",
        "[tool.milepost]\nlifecycles = 3\n",
        "[tool.milepost]\nlifecycles = [{ python = 'src' }]\n",
        "[tool.milepost]\nlifecycles = [{ source = 'none.yaml', python = 'src' }]\n",
        "tool = 1\n",
        "tool.milepost.lifecycles = " + "[" * 5_000 + "]" * 5_000 + "\n",
    ],
)
def test_a_project_that_says_nothing_is_no_trouble(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commands go on; what is wrong with it is for `milepost lifecycles` to tell."""
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["lifecycles"])
    assert done.exit_code == 0, done.output
    assert "cannot be read" in done.output


def test_a_project_names_nothing_but_its_own_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is installed elsewhere is not imported for it, and a pipe is not waited for."""
    home = tmp_path / "project"
    home.mkdir()
    os.mkfifo(home / "pipe.yaml")
    (home / "evil.yaml").write_text("lifecycle: antigravity\n", encoding="utf-8")
    library = Path(os.__file__).parent
    (home / "pyproject.toml").write_text(
        "[tool.milepost]\nlifecycles = [\n"
        '  { source = "pipe.yaml", python = "." },\n'
        f'  {{ source = "evil.yaml", python = "{library}" }},\n]\n',
        encoding="utf-8",
    )
    assert (library / "antigravity.py").is_file(), "control: it could be imported"
    monkeypatch.chdir(home)
    done = CliRunner().invoke(main, ["lifecycles"])
    assert done.exit_code == 0, done.output
    assert "is no file" in done.output
    assert "antigravity.py is not in the project" in done.output
    assert "antigravity" not in sys.modules


def test_installed_packages_bring_theirs(shell: Shell, tmp_path: Path, store: Path) -> None:
    """By an entry point; one that is broken is told of, and only who needs it fails."""
    lib = tmp_path / "lib"
    write(lib, ORDERS_1)
    package(lib, "orders:LIFECYCLE")
    assert shell.found(PYTHONPATH=str(lib))["orders"] == ("package", 1, [])
    shell("show", "o", "--db", str(store), PYTHONPATH=str(lib))

    broken = tmp_path / "broken"
    package(broken, "gone:LIFECYCLE")
    told = shell("show", "m", "--db", str(store), PYTHONPATH=str(broken))
    assert "orders = gone:LIFECYCLE of a package is not here: there is no such module" in told
    shell("show", "o", "--db", str(store), exit_code=2, PYTHONPATH=str(broken))
    shell("lifecycles", exit_code=2, PYTHONPATH=str(broken))


def test_what_is_named_stands_before_what_is_found(shell: Shell, tmp_path: Path) -> None:
    """The option, the variable, then packages; the tables of the other are still at hand."""
    lib = tmp_path / "lib"
    write(lib, ORDERS_1)
    package(lib, "orders:LIFECYCLE")
    newer = str(write(tmp_path / "newer", ORDERS_2))
    env = {"PYTHONPATH": str(lib)}
    assert shell.found(MILEPOST_LIFECYCLES=newer, **env)["orders"][:2] == ("MILEPOST_LIFECYCLES", 2)
    found = shell.found("--lifecycle", "orders", MILEPOST_LIFECYCLES=newer, **env)
    assert found["orders"][:2] == ("--lifecycle", 1)
    assert "orders stands in its place" in shell(
        "lifecycles", "--lifecycle", "orders", MILEPOST_LIFECYCLES=newer, **env
    )


@pytest.mark.parametrize(
    ("text", "named", "told"),
    [
        (None, "nowhere.at.all", "there is no such module on Python's path, nor in"),
        (None, "./nowhere.py", "there is no file"),
        (None, "~nobody-of-that-name/a.py", "home directory"),
        (None, "a-b", "no name of a module"),
        (None, ":NAME", "names no module"),
        (None, "orders:not a name", "names no module"),
        ("X = 1\n", "mine", "it has no LIFECYCLE"),
        ("LIFECYCLE = 1\n", "mine", "its LIFECYCLE is a int"),
        ("LIFECYCLE = 1\n", "mine:OTHER", "it has no OTHER"),
        (
            "import gone\n",
            "mine",
            "cannot be imported: ModuleNotFoundError: No module named 'gone'",
        ),
        ("def\n", "mine.py", "cannot be imported: SyntaxError"),
        ("1 / 0\n", "mine", "cannot be imported: ZeroDivisionError"),
        (
            "from milepost.lifecycles.mapreduce import LIFECYCLE as OWN\n",
            "mine",
            "it has no LIFECYCLE: name one of OWN",
        ),
    ],
)
def test_what_is_named_and_cannot_be_had_is_an_error(
    text: str | None, named: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says what was named where, and why that is none; exit 2, before a store is opened."""
    if text is not None:
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(main, ["jobs", "--db", "none.db", "--lifecycle", named])
    assert done.exit_code == 2, done.output
    assert f"--lifecycle {named}: " in done.stderr
    assert told in done.stderr
    with pytest.raises(LifecycleAbsent, match="--lifecycle"):
        discover([named], folder=tmp_path, environ={})


RAISES = {
    "exits": ("import sys\nsys.exit(0)\n", "cannot be imported: SystemExit: 0"),
    "stops": ("class Odd(BaseException): pass\nraise Odd\n", "cannot be imported: Odd"),
    "mute": (
        "class Mute(Exception):\n def __str__(self): raise ValueError\nraise Mute\n",
        "cannot be imported: Mute",
    ),
    "boo": ("def __getattr__(n): raise RuntimeError('boo')\n", "cannot be read: RuntimeError: boo"),
}


@pytest.mark.parametrize("name", RAISES)
def test_no_module_ends_a_command_in_its_own_way(
    name: str, shell: Shell, tmp_path: Path, store: Path
) -> None:
    """One that was named is an error; one of a package is told of, and the command goes on."""
    text, told = RAISES[name]
    verify = ("verify", "m", "--db", str(store))
    (shell.folder / f"{name}.py").write_text(text, encoding="utf-8")
    (shell.folder / f"{name}_package").mkdir()
    (shell.folder / f"{name}_package" / "__init__.py").write_text(text, encoding="utf-8")
    forms = (f"{name}:foo", f"{name}.py", f"{name}_package")
    for named in forms if name == "exits" else forms[:1]:
        assert told in shell(*verify, "--lifecycle", named, exit_code=2)

    lib = tmp_path / "lib"
    package(lib, f"{name}:LIFECYCLE")
    (lib / f"{name}.py").write_text(text, encoding="utf-8")
    on_path = {"PYTHONPATH": str(lib)}
    assert told in shell(*verify, exit_code=2, MILEPOST_LIFECYCLES=name, **on_path)
    passed_over = shell(*verify, **on_path)
    assert f"orders = {name}:LIFECYCLE of a package is not here: " in passed_over
    assert told in passed_over
    assert "sound" in passed_over


def test_what_a_module_prints_is_not_in_the_answer(shell: Shell, tmp_path: Path) -> None:
    """It goes to stderr, however the module was found; stdout is JSON and nothing else."""
    module = write(tmp_path / "lib", ORDERS_1)
    module.write_text(module.read_text(encoding="utf-8") + "\nprint('hello')\n", encoding="utf-8")
    on_path = {"PYTHONPATH": str(module.parent)}
    for named in ("orders", str(module)):
        stdout, stderr = shell.apart("lifecycles", "--json", "--lifecycle", named, **on_path)
        assert json.loads(stdout)["found"]
        assert stderr == "hello\n"
    package(module.parent, "orders:LIFECYCLE")
    stdout, stderr = shell.apart("lifecycles", "--json", **on_path)
    assert json.loads(stdout)["found"]
    assert stderr == "hello\n"


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    """Unless one is an earlier version of the other, which it then comes with."""
    second = str(write(tmp_path / "second", ORDERS_2, ORDERS_1))
    first = str(write(tmp_path / "first", ORDERS_1))
    found = discover([first, second], environ={}, folder=tmp_path)
    assert [one.version for one in found.lifecycles if one.name == "orders"] == [2]
    assert [one.version for one in found.earlier if one.name == "orders"] == [1]
    other = str(write(tmp_path / "other", ORDERS_1.replace("version: 1", "version: 5")))
    with pytest.raises(LifecycleUnfit, match="two of that name"):
        discover([second, other], environ={}, folder=tmp_path)


def test_every_command_takes_the_option() -> None:
    """All that look into a store, the program itself, and salvage; a script of a shell does not."""
    own = [name for name in COMMANDS if command(name).params and name != "completion"]
    for name in own:
        told = CliRunner().invoke(main, [name, "--help"], terminal_width=200).output
        assert "--lifecycle MODULE[:NAME]" in told, name
