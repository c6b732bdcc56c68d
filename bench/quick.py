"""`make bench-quick`: what Python and SQLite do for each piece of work, against a stored build.

No clock is read: events of the interpreter, steps of SQLite and calls of files are counted, and
are the same in every run on every machine, however busy it is. They depend on the minor version
of Python, so each has a table of its own in `counts.json`; one that has none is said and left out.
A count that rose by more than a tenth fails. One that fell by as much is told: `UPDATE=1` stores
what there is now, so that nobody can spend it again unseen.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeAlias

import apsw

from counting_files import FILES
from workloads import WORKLOADS

__all__ = ["Change", "Counts", "changes", "counted", "main"]

STORED: Final = Path(__file__).with_name("counts.json")
CHILD: Final = Path(__file__).with_name("quick_child.py")
PYTHON: Final = f"{sys.version_info.major}.{sys.version_info.minor}"
LIMIT: Final = 0.10
"""How much a count may rise, as a part of what is stored."""
SMALLEST: Final = 1
"""One event more is no rise, however few there were."""
PACKAGES: Final = ("apsw", "click", "msgspec", "pyroaring", "rich")

Counts: TypeAlias = dict[str, dict[str, int]]
"""What was counted, by the name of the work and of the counter."""

COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "import": (),
    "version": ("--version",),
    "help": ("--help",),
    "show": ("show", "records", "--db", "jobs.db"),
    "jobs": ("jobs", "--limit", "10", "--db", "jobs.db"),
}
"""Fresh processes: the import of the manager, and the program with these words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A count that is no longer what it was."""

    name: str
    counter: str
    before: int
    now: int

    @property
    def rose(self) -> bool:
        return self.now > self.before * (1 + LIMIT) and self.now - self.before > SMALLEST

    @property
    def fell(self) -> bool:
        return self.now < self.before * (1 - LIMIT) and self.before - self.now > SMALLEST

    def __str__(self) -> str:
        ratio = f" ({self.now / self.before - 1:+.1%})" if self.before else ""
        return f"{self.name}: {self.counter} {self.before:,} -> {self.now:,}{ratio}"


def counted(names: list[str], planted: float = 0.0) -> Iterator[tuple[str, dict[str, int]]]:
    """Counts each piece of work in a process of its own; `planted` does so much more of it."""
    with tempfile.TemporaryDirectory(prefix="milepost-counts-") as folder:
        store = Path(folder) / "store"
        store.mkdir()
        if any(name in COMMANDS or WORKLOADS[name].looks for name in names):
            _child(store, "build")
            _child(store, "command", *COMMANDS["show"])  # compiles what has not been compiled yet
        for name in names:
            if name in COMMANDS:
                yield name, _child(store, "command", *COMMANDS[name])
            else:
                place = Path(folder) / name
                place.mkdir()
                units = round(WORKLOADS[name].units * (1 + planted))
                yield name, _child(place, "workload", name, str(store / "jobs.db"), str(units))


def _child(folder: Path, *words: str) -> dict[str, int]:
    """What a process of its own counted in this folder, with nothing of the environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    done = subprocess.run(
        [sys.executable, CHILD, *words],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env=kept | {"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"},
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def changes(before: Counts, now: Mapping[str, Mapping[str, int]]) -> Iterator[Change]:
    """Every count that both have."""
    for name, counts in now.items():
        for counter, count in counts.items():
            was = before.get(name, {}).get(counter)
            if was is not None:
                yield Change(name=name, counter=counter, before=was, now=count)


def main(arguments: list[str] | None = None) -> int:
    args = _arguments(arguments)
    names = args.names or [*COMMANDS, *WORKLOADS]
    stored = json.loads(args.stored.read_text()) if args.stored.exists() else {}
    of_python = stored.get(PYTHON)
    if of_python is None and not args.update:
        print(
            f"no counts are stored for Python {PYTHON}, only for {', '.join(stored) or 'none'}:"
            " nothing is compared; make bench-quick UPDATE=1 stores them"
        )
        return 0
    found: Counts = {}
    for name, counts in counted(names, args.planted):
        found[name] = counts
        print(_line(name, counts), flush=True)
    before = _comparable(of_python or {}, say=print)
    found_changes = list(changes(before, found))
    rose = [change for change in found_changes if change.rose]
    fell = [change for change in found_changes if change.fell]
    missing = [name for name in found if name not in before]
    for what, those in (("rose", rose), ("fell", fell)):
        for change in those:
            print(f"{what}  {change}")
    if args.update:
        _store(args.stored, stored, found)
        print(f"stored for Python {PYTHON} in {args.stored}")
        return 0
    for name in missing:
        print(f"new   {name}: nothing is stored")
    if fell or missing:
        print("make bench-quick UPDATE=1 stores what is better now, so that it stays so")
    if rose:
        print(f"{len(rose)} counts rose by more than {LIMIT:.0%}: find out why, or store them")
        for package, then, now in _other_packages(of_python or {}):
            print(f"beside that, {package} is {now} and was {then} when they were stored")
    else:
        print(f"no count rose by more than {LIMIT:.0%}")
    return 1 if rose else 0


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="all, if none is named")
    parser.add_argument("--update", action="store_true", help="store what is counted")
    parser.add_argument("--stored", type=Path, default=STORED, help="compare with this file")
    parser.add_argument(
        "--planted", type=float, default=0.0, help="do so much more of each: 0.11 must be found"
    )
    args = parser.parse_args(arguments)
    for name in args.names:
        if name not in COMMANDS and name not in WORKLOADS:
            parser.error(f"there is no {name!r}: there are {', '.join([*COMMANDS, *WORKLOADS])}")
    return args


def _line(name: str, counts: Mapping[str, int]) -> str:
    """What one unit takes of each counter that is not zero."""
    each = WORKLOADS[name].units if name in WORKLOADS else 1
    unit = WORKLOADS[name].unit if name in WORKLOADS else "process"
    said = ", ".join(f"{count / each:,.4g} {what}" for what, count in counts.items() if count)
    return f"{name:12} per {unit}: {said}"


def _comparable(stored: dict[str, Counts], say: Callable[[str], None]) -> Counts:
    """The stored counts, without those of SQLite where another version of it is at hand."""
    work = stored.get("work", {})
    then = stored.get("built with", {}).get("sqlite")
    if work and then != apsw.sqlite_lib_version():
        say(f"SQLite is {apsw.sqlite_lib_version()} and was {then}: its steps are not compared")
        return {
            name: {what: count for what, count in counts.items() if what != FILES[0]}
            for name, counts in work.items()
        }
    return work


def _built_with() -> dict[str, str]:
    return {"sqlite": apsw.sqlite_lib_version()} | {name: version(name) for name in PACKAGES}


def _other_packages(stored: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, str]]:
    then = stored.get("built with", {})
    for name, now in _built_with().items():
        if then.get(name) not in (None, now):
            yield name, then[name], now


def _store(path: Path, stored: dict[str, object], found: Counts) -> None:
    """Put what was found in the place of what was stored for this Python, a line for each work."""
    of_python = stored.get(PYTHON)
    known = of_python.get("work", {}) if isinstance(of_python, dict) else {}
    work = {name: counts for name, counts in (known | found).items() if name in _order()}
    stored[PYTHON] = {
        "built with": _built_with(),
        "work": {name: work[name] for name in _order() if name in work},
    }
    lines = json.dumps(dict(sorted(stored.items())), indent=1, ensure_ascii=False)
    path.write_text(_joined(lines), encoding="utf-8")


def _order() -> list[str]:
    return [*COMMANDS, *WORKLOADS]


def _joined(text: str) -> str:
    """The same JSON with the innermost mappings on one line each."""
    joined: list[str] = []
    inner: list[str] | None = None
    for line in text.splitlines():
        depth = len(line) - len(line.lstrip())
        if depth == 3 and line.endswith("{"):
            inner = [line]
        elif inner is not None:
            inner.append(line.strip())
            if line.strip().startswith("}"):
                joined.append(inner[0] + " ".join(inner[1:-1]) + inner[-1])
                inner = None
        else:
            joined.append(line)
    return "\n".join(joined) + "\n"


if __name__ == "__main__":
    sys.exit(main())
