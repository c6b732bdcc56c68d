"""Public docstrings can be scanned: a first line, then sections that agree with the signature."""

from __future__ import annotations

import builtins
import inspect
import re
from concurrent import futures
from types import FunctionType

import milepost
from milepost import bridges, errors, executors, testing
from milepost.stores.memory import MemoryStore
from milepost.stores.protocol import Reader, StateStore, Writer
from milepost.stores.sqlite.reading import SqliteReader
from milepost.stores.sqlite.store import SqliteStore
from milepost.stores.sqlite.writing import SqliteWriter
from milepost.testing import power
from tests.architecture.surface import exported, functions

_SECTION = re.compile(r"^(Args|Returns|Raises|Cost):$")
_ENTRY = re.compile(r"^    \*{0,2}(\w+): (\S.*)$")
_ORDER = ["Args", "Returns", "Raises", "Cost"]
_SCANNED = (
    "milepost",
    "milepost.executors",
    "milepost.executors.engines",
    "milepost.testing",
    "milepost.testing.power",
    "milepost.bridges",
)
_ENGINE = {
    "Catalogue",
    "Inputs",
    "Ledger",
    "Ledgers",
    "RayEngine",
    "Users",
    "StateStore",
    "WayBack",
}
"""Classes that people look at, while the engine calls their methods."""
_SHORT = 100
"""Characters of a first line."""


def scanned() -> dict[str, FunctionType]:
    """The public functions and methods of the modules that people work with, by name.

    Older names say no more than the new one.
    """
    found: dict[str, FunctionType] = {}
    for name, thing in exported().items():
        if name.rpartition(".")[0] not in _SCANNED:
            continue
        if isinstance(thing, FunctionType):
            found[name] = thing
        elif isinstance(thing, type) and thing.__name__ not in _ENGINE:
            found |= {f"{name}.{member}": each for member, each in functions(thing)}
    return {
        name: each
        for name, each in found.items()
        if not (each.__doc__ or "").startswith(("The older name of", "The older way to say"))
    }


def sections(doc: str) -> dict[str, list[str]]:
    """The lines of each section of a docstring; those before the first are under ""."""
    found: dict[str, list[str]] = {"": []}
    name = ""
    for line in inspect.cleandoc(doc).splitlines():
        if match := _SECTION.match(line):
            name = match[1]
            found[name] = []
        else:
            found[name].append(line)
    return found


def names(lines: list[str]) -> list[str]:
    """The names that begin the entries of a section."""
    return [match[1] for line in lines if (match := _ENTRY.match(line))]


def faults(function: FunctionType) -> list[str]:
    """Whatever keeps a docstring from being scanned, or makes it untrue."""
    found = []
    parts = sections(function.__doc__ or "")
    first, *rest = parts[""]
    if len(first) > _SHORT or not first.endswith((".", "?")) or (rest and rest[0]):
        found.append(f"a first line of its own, with a full stop: {first!r}")
    if [name for name in parts if name] != [name for name in _ORDER if name in parts]:
        found.append(f"sections in the order {_ORDER}: {list(parts)}")
    given = [name for name in inspect.signature(function).parameters if name not in ("self", "cls")]
    if len(given) > 1 and "Args" not in parts:
        found.append(f"no section Args for {given}")
    if "Args" in parts and names(parts["Args"]) != given:
        found.append(f"Args are {names(parts['Args'])}, parameters {given}")
    for name in names(parts.get("Raises", [])):
        homes = (milepost, errors, executors, bridges, testing, power, builtins, futures)
        kind = next((getattr(home, name) for home in homes if hasattr(home, name)), None)
        if not (isinstance(kind, type) and issubclass(kind, Exception)):
            found.append(f"Raises names {name}, which cannot be imported")
    for name, lines in parts.items():
        if name and not "".join(lines).strip():
            found.append(f"an empty section {name}")
        if name and "".join(lines).strip()[-1:] not in (".", ")"):
            found.append(f"section {name} does not end with a full stop")
    return found


def test_public_docstrings_agree_with_what_they_describe() -> None:
    told = {name: found for name, each in scanned().items() if (found := faults(each))}
    assert told == {}


def test_methods_with_errors_name_them_in_a_section() -> None:
    """No error of ours hides in prose any more."""
    kinds = {name for name in errors.__all__ if name not in ("StateError", "MilepostError")}
    hidden = {
        name: sorted(met)
        for name, each in scanned().items()
        if (
            met := kinds
            & set(re.findall(r"\bRaises (\w+)", " ".join(sections(each.__doc__ or "")[""])))
        )
    }
    assert hidden == {}


def test_a_first_line_begins_with_what_is_given() -> None:
    """With a noun or a verb; not with a clause that has to be read to its end."""
    clause = re.compile(r"(What|That|Those|Who|Which)\b")
    firsts = {name: (thing.__doc__ or "") for name, thing in exported().items()} | {
        name: each.__doc__ or "" for name, each in scanned().items()
    }
    assert {name: doc.splitlines()[0] for name, doc in firsts.items() if clause.match(doc)} == {}


def test_a_fault_would_be_found() -> None:
    """The negative control: a docstring that has everything wrong."""

    def wrong(one: int, other: int) -> None:
        """What of which is no line of its own
        and has no full stop.

        Raises:
            NoSuchError: never

        Args:
            one: A number
        """

    assert len(faults(wrong)) == 6, faults(wrong)  # type: ignore[arg-type]
    assert len(scanned()) > 150


def described_twice(protocol: type, store: type) -> list[str]:
    """Methods that a store describes in the words of the protocol, or leaves without any."""
    promised = {name: _first(each) for name, each in functions(protocol)}
    told = {name: _first(each) for name, each in functions(store)}
    return [
        f"{store.__name__}.{name}"
        for name, line in told.items()
        if (line == promised[name] if name in promised else not line)
    ]


def _first(function: FunctionType) -> str:
    return (function.__doc__ or "").partition("\n")[0]


def test_each_method_of_a_store_is_described_once() -> None:
    """In the protocol; an implementation adds what is its own."""
    pairs = (
        (Reader, SqliteReader),
        (Writer, SqliteWriter),
        (StateStore, SqliteStore),
        (StateStore, MemoryStore),
    )
    for protocol, store in pairs:
        assert described_twice(protocol, store) == []
        assert [name for name, each in functions(protocol) if not each.__doc__] == []

    class Copied:
        def check(self) -> list[str]:
            """The problems of the medium itself; none if it is sound."""
            return []

        def more(self) -> None:
            pass

    Copied.check.__module__ = Copied.more.__module__ = "milepost.stores.copied"
    assert described_twice(StateStore, Copied) == ["Copied.check", "Copied.more"]


def test_both_ways_to_run_describe_their_arguments_alike() -> None:
    """Help stands at both; only the thread in which a phase's function is called differs."""
    described = [_entries(executors.run), _entries(executors.run_async)]
    for each in described:
        each["phases"] = each["phases"].replace("the calling thread", "…")
        each["phases"] = each["phases"].replace("the run's thread", "…")
    assert described[0] == described[1]
    assert len(described[0]) > 20


def _entries(function: FunctionType) -> dict[str, str]:
    """The words about each argument."""
    lines = inspect.getdoc(function).partition("Args:\n")[2].partition("\nReturns:")[0]  # type: ignore[union-attr]
    found: dict[str, str] = {}
    name = ""
    for line in lines.splitlines():
        entry = _ENTRY.match(line)
        if entry:
            name = entry[1]
        found[name] = f"{found.get(name, '')} {entry[2] if entry else line.strip()}".strip()
    return found
