"""No word of a lifecycle stands in the code that keeps jobs: what a state means, its roles say.

A state, an event or a variable that was renamed in a definition and not in a constant would be
told apart from itself, without an error. So there are no such constants.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import milepost
from milepost.lifecycles import mapreduce, mapreduce_v1
from milepost.machine import Lifecycle, Machine

SOURCE: Final = Path(milepost.__file__).parent

APART: Final = ("lifecycles", "legacy", "testing/contracts")
"""`lifecycles` has the words; `legacy` makes jobs of the one lifecycle that is built in, and so do
the suites in `testing/contracts`."""

ROLE_TAKERS: Final = ("require", "takers_of", "_absent", "at")
"""Functions that take the name of a role, which some lifecycle may have given to an event too."""

CHOOSERS: Final = {
    "cli/program.py",  # says which version of it comes with the package
    "discovery/found.py",
    "job/versions.py",
}
"""Where the built-in lifecycle is chosen, unless somebody names another."""

COMMAND: Final = "the command's name"
LABEL: Final = "a label of a page"
PARAMETER: Final = "the name of a parameter"
COLUMN: Final = "a column of the tables"
ROLE: Final = "the name of a role"
HISTORY: Final = "a name in the history's payloads"
ORDER: Final = "an order of results"
OUTPUT: Final = "what a phase's function gives"
EXISTING: Final = "what becomes of items that there are"
FUNCTION: Final = "the name of a function"

OURS: Final[dict[str, dict[str, str]]] = {
    "aio/manager.py": {"items": ORDER},
    "cli/commands/__init__.py": dict.fromkeys(
        (
            *("allow_dead", "dead", "items", "recover", "redo", "requeue"),
            *("skip", "pause", "resume", "retry", "cancel"),
        ),
        COMMAND,
    ),
    "cli/commands/allow_dead.py": {"more": PARAMETER},
    "cli/commands/cancel.py": {"cancel": COMMAND},
    "cli/commands/dead.py": {"dead": COMMAND},
    "cli/commands/items.py": {"items": COMMAND},
    "cli/commands/move.py": {"job": PARAMETER},
    "cli/commands/pause.py": {"pause": COMMAND},
    "cli/commands/recover.py": {"recover": COMMAND, "job": PARAMETER},
    "cli/commands/redo.py": {"redo": COMMAND},
    "cli/commands/requeue.py": {"requeue": COMMAND},
    "cli/commands/results.py": {"item": PARAMETER},
    "cli/commands/resume.py": {"resume": COMMAND},
    "cli/commands/retry.py": {"retry": COMMAND},
    "cli/commands/skip.py": {"skip": COMMAND},
    "cli/commands/verify.py": {"job": PARAMETER},
    "cli/naming.py": {"job": PARAMETER},
    "definition/roles.py": dict.fromkeys(
        (
            *("attempts", "cancelled", "cause", "crash", "crashes", "dead", "done", "failed"),
            *("paused", "result", "resume", "skipped", "stored", "variables"),
        ),
        ROLE,
    ),
    "definition/shape.py": dict.fromkeys(
        (
            *("allow_dead", "attempts", "cancel", "cause", "crash", "crashes", "dead", "defer"),
            *("details", "done", "error", "everyone", "failed", "give_up", "kind", "lost"),
            *("message", "more", "note", "pause", "paused", "permanent", "reason", "recover"),
            *("redo", "release", "reopen", "requeue", "result", "resume", "retry", "skip"),
            *("skipped", "stored", "timeout", "until", "variables"),
        ),
        ROLE,
    ),
    "drawings/canvas.py": {"note": "a part of a drawing"},
    "drawings/dot.py": {"active": "a kind of box", "failed": "a kind of box"},
    "drawings/draw.py": {"active": "a kind of box", "failed": "a kind of box"},
    "drawings/mermaid.py": {"note": "a word of Mermaid"},
    "drawings/words.py": dict.fromkeys(
        (
            *("done", "failed", "dead", "skipped", "paused", "result", "release", "lost", "crash"),
            *("retry", "give_up", "requeue", "skip", "recover", "pause", "cancel", "variables"),
            *("defer", "note", "redo", "reopen", "allow_dead"),
        ),
        ROLE,
    ),
    "executors/asking.py": {"retry": PARAMETER, "items": PARAMETER},
    "executors/local.py": {"skip": EXISTING},
    "executors/outcome.py": dict.fromkeys(
        ("done", "pending", "running", "failed", "dead", "skipped"), "a count of Progress"
    ),
    "executors/phases.py": {"result": OUTPUT, "variables": OUTPUT},
    "executors/calls.py": {"done": "how waiting for a call ended"},
    "executors/engines/dask.py": dict.fromkeys(("running", "cancelled"), "a status of Dask's"),
    "executors/engines/find.py": {"kind": PARAMETER},
    "executors/engines/probe.py": {"done": "how waiting for a call ended"},
    "executors/engines/scheduling.py": dict.fromkeys(("lost", "reason"), "a message of Dask's"),
    "executors/resolving.py": {"result": OUTPUT, "variables": OUTPUT, "retry": PARAMETER},
    "executors/stopping.py": {"reason": PARAMETER, "cancel": "a method of futures"},
    "inspect/changes.py": {"job": LABEL},
    "inspect/dead.py": {
        "item": LABEL,
        "attempts": LABEL,
        "crashes": LABEL,
        "cause": "a name of the exported lines",
        "message": "a name of the exported lines",
        "kind": "a name of the exported lines",
        "permanent": "a name of the exported lines",
        "details": "a name of the exported lines",
    },
    "inspect/diagram.py": {"job": LABEL},
    "inspect/failures.py": dict.fromkeys(("item", "cause", "message", "kind"), LABEL),
    "inspect/fork.py": {"job": LABEL, "items": LABEL},
    "inspect/import_jobs.py": {"note": "how grave a line of a report is"},
    "inspect/plan.py": {"job": LABEL},
    "inspect/redo.py": {"redo": LABEL},
    "inspect/allow_dead.py": {"job": LABEL, "dead": LABEL, "more": LABEL},
    "inspect/requeue.py": {"requeue": LABEL},
    "inspect/sent_back.py": {"job": LABEL},
    "inspect/notebook.py": {"job": LABEL, "dead": LABEL},
    "inspect/show.py": dict.fromkeys(("job", "variables", "dead"), LABEL),
    "inspect/sizes.py": {"job": LABEL},
    "inspect/delete.py": {"job": LABEL},
    "inspect/skip.py": dict.fromkeys(("job", "skip", "skipped"), LABEL),
    "inspect/steering.py": {
        "job": LABEL,
        **dict.fromkeys(("pause", "resume", "cancel"), ROLE),
        "reason": PARAMETER,
    },
    "inspect/standing.py": {"settled": LABEL},
    "inspect/watch.py": {"job": LABEL},
    "log/codec.py": {"variables": "what is wrong with a value"},
    "log/facts.py": {"job": "the tag of a fact", "items": "the tag of a fact"},
    "job/described.py": {"variables": ROLE, "result": ROLE, "redo": ROLE, "stored": ROLE},
    "progress/wording.py": {"dead": LABEL, "skipped": LABEL},
    "state/checkpoint.py": {"items": PARAMETER},
    "state/keeping/old_homes.py": {"failed": "an outcome of an import"},
    "state/keeping/retention.py": {
        **dict.fromkeys(("completed", "failed", "cancelled"), "an outcome, as policies name it"),
        "active": "what has no outcome yet",
    },
    "state/limits.py": {"variables": "the place of a large value"},
    "state/manager/jobs.py": {"items": PARAMETER, "variables": PARAMETER, "skip": EXISTING},
    "state/manager/records.py": {"items": ORDER, "reason": PARAMETER},
    "state/manager/recoveries.py": dict.fromkeys(("reason", "items", "more"), PARAMETER),
    "state/manager/said.py": {"items": PARAMETER},
    "state/manager/retention.py": {"reason": PARAMETER},
    "state/reading/events.py": {"job": HISTORY, "items": HISTORY, "reason": HISTORY},
    "state/reading/failures.py": {
        "message": "a name in the details of a failure, as they are stored"
    },
    "state/reading/history.py": {"job": HISTORY, "items": HISTORY},
    "state/reading/outlined.py": {"job": HISTORY, "items": HISTORY},
    "state/reading/recorded.py": {"result": ROLE},
    "state/reading/results.py": {"items": ORDER},
    "state/recovering/scope.py": {"attempts": PARAMETER},
    "state/recovery.py": {"retry": ROLE, "give_up": ROLE},
    "state/transitions.py": {"item": PARAMETER},
    "state/writing/additions.py": {"skip": EXISTING},
    "state/writing/given.py": {"items": PARAMETER},
    "state/writing/lease.py": {"lost": "a standing of a lease, as metrics have it"},
    "state/writing/new_jobs.py": {"variables": "the place of a large value"},
    "tables/rows.py": dict.fromkeys(
        (
            *("attempts", "result", "crashes", "suspect", "cause", "message", "items"),
            *("kind", "permanent"),
        ),
        "a column of exported tables, or what they are of",
    ),
    "stores/sqlite/reading.py": {"job": COLUMN},
    "stores/sqlite/salvage.py": {"job": COLUMN},
    "testing/definition/jobs.py": dict.fromkeys(
        ("dead", "done", "failed", "redo", "result", "skipped", "variables"), ROLE
    ),
    "testing/lifecycle/coverage.py": {"kind": "a key of traces"},
    "testing/lifecycle/declared.py": dict.fromkeys(
        (
            *("attempts", "crashes", "max_attempts", "max_crashes", "suspect"),
            *("resume", "variables"),
        ),
        ROLE,
    ),
    "testing/lifecycle/doing.py": {"job": "the id of a job"},
    "testing/lifecycle/looking.py": dict.fromkeys(("dead", "done", "failed", "skipped"), ROLE),
    "testing/lifecycle/reading.py": dict.fromkeys(("items", "variables"), OUTPUT),
    "testing/lifecycle/traces.py": dict.fromkeys(("error", "message"), "a key of findings"),
    "testing/lifecycle/touring.py": dict.fromkeys(("kind", "start"), "a key of traces"),
    "tracing.py": dict.fromkeys(
        ("done", "failed", "deferred"), "how an attempt ended, as spans have it"
    ),
    "web/answers.py": {"items": "the name of a page", "failed": PARAMETER},
    "web/app.py": {"job": PARAMETER, "message": "a name in the data of a problem"},
    "web/rendering.py": {
        **dict.fromkeys(
            ("done", "skipped", "running", "pending", "failed", "dead"), "a count of Counts"
        ),
        "kind": "a filter of templates",
    },
    "worker/attempts.py": {"cancel": "a method of futures"},
    "worker/forms.py": {"item": "a method of the scalars of array libraries"},
    "worker/rules.py": {
        "timeout": "what is said of an exception",
        "permanent": "what is said of an exception",
        "kind": PARAMETER,
    },
    "worker/signals.py": {"everyone": PARAMETER},
    "worker/telling.py": {"message": "a name in the details of failures"},
    "state/manager/work.py": dict.fromkeys(("redo", "requeue", "skip"), FUNCTION),
    "stores/postgres/reading.py": {"job": COLUMN},
    "stores/postgres/writing.py": {"job": COLUMN},
}
"""Words that are our own where they stand, with the reason."""


def words_of(lifecycle: Lifecycle) -> set[str]:
    """The names that a definition gives."""
    found = {lifecycle.name, *lifecycle.enums, *lifecycle.machines}
    found |= {member for members in lifecycle.enums.values() for member in members}
    for machine in lifecycle.machines.values():
        found |= set(_of_machine(machine))
    return found


def _of_machine(machine: Machine) -> Iterator[str]:
    yield from (*machine.states, *machine.events, *machine.groups, *machine.guards)
    yield from (*machine.collections, *(each.name for each in machine.variables))
    for event in machine.event_specs.values():
        yield from (field.name for field in event.fields)


WORDS: Final = words_of(mapreduce.LIFECYCLE) | words_of(mapreduce_v1.LIFECYCLE)


def constants(code: str) -> Iterator[tuple[int, str]]:
    """Strings of `code` that are a word of the lifecycle, with their lines.

    What is listed in `__all__` are names of the module, and what a `Literal` lists or a function
    that takes a role is given are roles. The first word of a command that is advised is its name.
    """
    tree = ast.parse(code)
    passed = {
        id(each) for node in ast.walk(tree) for part in _ours(node) for each in ast.walk(part)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and id(node) not in passed and node.value in WORDS:
            yield node.lineno, str(node.value)


def _ours(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
    ):
        yield node.value
    if isinstance(node, ast.Subscript) and getattr(node.value, "id", "") == "Literal":
        yield node.slice
    if isinstance(node, ast.Call) and _called(node) in ROLE_TAKERS:
        yield from node.args
    if isinstance(node, ast.Call) and ast.unparse(node.func) == "command":
        yield from node.args[:1]


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", "") or getattr(node.func, "id", "")


def modules() -> Iterator[tuple[str, str]]:
    """The modules that are checked: place and text."""
    for path in sorted(SOURCE.rglob("*.py")):
        place = path.relative_to(SOURCE)
        if not any(place.is_relative_to(each) for each in APART):
            yield place.as_posix(), path.read_text(encoding="utf-8")


def test_no_word_of_the_lifecycle_is_a_constant() -> None:
    """But for those that are our own words where they stand."""
    found = [
        f"{place}:{line}: {word!r}"
        for place, text in modules()
        for line, word in constants(text)
        if word not in OURS.get(place, {})
    ]
    assert found == [], "\n".join(found)


def test_every_exception_is_needed() -> None:
    used = {(place, word) for place, text in modules() for _, word in constants(text)}
    assert {(place, word) for place, words in OURS.items() for word in words} <= used


def test_generated_names_are_asked_for_where_the_built_in_lifecycle_is_chosen() -> None:
    """A member of a generated enum is a word of one lifecycle as much as a string is."""
    importing = {place for place, text in modules() if _lifecycles_of(text)}
    assert importing == CHOOSERS


def test_an_import_is_found() -> None:
    """Control: each form of it, and none of what only looks so."""
    for code in (
        "from milepost.lifecycles.mapreduce import Cause",
        "from milepost.lifecycles import mapreduce",
        "import milepost.lifecycles.mapreduce as one",
    ):
        assert _lifecycles_of(code) == 1
    assert not _lifecycles_of("from milepost.inspect import lifecycles")


def _lifecycles_of(code: str) -> int:
    """How many imports of generated modules there are in `code`."""
    names: list[str] = []
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return sum(f"{name}.".startswith("milepost.lifecycles.") for name in names)


def test_a_word_is_found() -> None:
    """Control: names of each kind in code that could be ours, and none of what only looks so."""
    planted = ["failed", "retry", "item", "active", "attempts_left", "max_crashes", "executor_lost"]
    planted += ["message", "items"]
    code = "\n".join(f"state.takers({word!r})" for word in planted)
    assert [word for _, word in constants(code)] == planted
    innocent = '__all__ = ["retry"]\nRole = Literal["retry"]\nstate.require("retry")\nx = "retries"'
    assert list(constants(innocent)) == []
