"""Every error leads to the next step, by itself or by what the place that raises it says."""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

import milepost
from milepost import errors
from milepost.cli.commands import COMMANDS
from milepost.errors import MilepostError, StateError
from tests.architecture.test_messages import ERRORS, built

SOURCE: Final = Path(milepost.__file__).parent

WORDS: Final = (
    "begin bring check choose close copy end free give go hand import install keep leave load make"
    " mend name open pass pip read recover restore resume say see stop store take try use wait"
    " write"
)
STEP: Final = re.compile(
    rf"(?i)(?:[:;,.] |\()(?:or |and )?(?:{WORDS.replace(' ', '|')})\b|`milepost "
)
"""A step: what to do, in the imperative, after a pause; or a command."""

ABOUT_WHAT_IS_GIVEN: Final = {
    "ArgumentInvalid": r"x is wanted, not x",
    "ContextInvalid": r"parameter 'x': x",
    "InvariantBroken": r"would break the invariant 'x' in 'x'",
    "NumberUnfit": r"'x' would make 'x' 0",
    "PayloadInvalid": r"payload of 'x': x",
    "TransitionRefused": r"is not allowed in 'x' .(allowed: x.)",
    "ValueInvalid": r"x: x x",
}
"""What was given is not right: the message says what, and what there may be, which is the step.

Each stands with what its message says whatever it was built from.
"""

SAID_WHERE_IT_IS_RAISED: Final = {
    *(
        "CodecAbsent",
        "CommitUnknown",
        "EngineUnfit",
        "ImportConflict",
        "LifecycleUnfit",
        "ScopeInvalid",
    ),
    *("StoreAbsent", "StoreError", "StoreForeign", "StoreFull", "StoreLocked", "StoreNewer"),
    *("StoreReadOnly", "StoreReplaced", "StoreUnsafe", "TooLarge"),
}
"""The step depends on what was found: `problem` has it."""

OF_ANOTHER: Final = {
    "JobFailed": "advice",
    "LifecycleChanged": "problem",
    "LifecycleUnknown": "problem",
}
"""What makes these is one function for all cases, whose own tests hold its words."""

NEVER_SEEN: Final = {"InputInvalid", "MilepostError", "StateError"}
"""Bases, which nothing raises."""


NAMES: Final = "|".join(sorted(COMMANDS))


def test_every_public_error_is_of_one_kind() -> None:
    """An error that is added fails until it is said where its step is."""
    apart = [set(ABOUT_WHAT_IS_GIVEN), SAID_WHERE_IT_IS_RAISED, set(OF_ANOTHER), NEVER_SEEN]
    assert len(set.union(*apart)) == sum(map(len, apart))
    assert set.union(*apart) <= set(errors.__all__)


@pytest.mark.parametrize("name", sorted(set(errors.__all__) - NEVER_SEEN))
def test_an_error_says_what_to_do(name: str) -> None:
    """By itself, whatever it was built from; or it names what was wrong with what was given."""
    told = str(_of_nothing(name))
    if name in ABOUT_WHAT_IS_GIVEN:
        assert re.search(ABOUT_WHAT_IS_GIVEN[name], told)
    elif name in OF_ANOTHER:
        assert str(getattr(_of_nothing(name), OF_ANOTHER[name])) in told
    elif name not in SAID_WHERE_IT_IS_RAISED:
        assert STEP.search(told), told


def _of_nothing(name: str) -> MilepostError:
    """An error built from texts that say nothing, but for those that it has by itself."""
    error = built(ERRORS[name], "x")
    for one in dataclasses.fields(error):  # type: ignore[arg-type]  # all of these are
        if one.default is not dataclasses.MISSING:
            setattr(error, one.name, one.default)
        elif one.default_factory is not dataclasses.MISSING:
            setattr(error, one.name, one.default_factory())
    return error


def test_places_that_raise_say_what_to_do() -> None:
    """Each `problem` that stands in the source has a step in it."""
    found = list(problems())
    assert len(found) > 35
    assert [each for each in found if not STEP.search(each[1])] == []


def test_a_message_without_a_step_would_be_found() -> None:
    """The negative control: what `ResultAbsent` said once, and a problem that only complains."""

    class Mute(StateError):
        def __str__(self) -> str:
            return "job x: item 'x' has given no result: it is in 'x'"

    assert not STEP.search(str(Mute()))
    assert STEP.search(str(_of_nothing("ResultAbsent")))
    raising = 'raise StoreAbsent(url=url, problem=f"the file {name} is not there")'
    assert list(_in(ast.parse(raising))) == [("StoreAbsent", "the file … is not there")]


WITHOUT_STORE: Final = re.compile(r"`milepost (compile|serve)`|--db STORE`")
"""Commands that no store makes different, and one that is asked of another store."""


def test_advised_commands_are_composed_in_one_place() -> None:
    """A text that spells a command out would lack the store that `--db` named."""
    found = [
        f"{path.relative_to(SOURCE)}: {told}"
        for path in sorted(SOURCE.rglob("*.py"))
        for told in spelt_out(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert found == []


def test_a_command_that_is_spelt_out_would_be_found() -> None:
    """The negative control: as messages said it once, and as they say it now."""
    once = "def f(job):\n    return f'it is there: `milepost show {job}` shows it'"
    now = "def f(job):\n    return f'it is there: `{command(\"show\", job)}` shows it'"
    assert list(spelt_out(ast.parse(once))) == ["it is there: `milepost show "]
    assert list(spelt_out(ast.parse("x = f'milepost dead {job} tells'"))) == ["milepost dead "]
    assert list(spelt_out(ast.parse(now))) == []


def spelt_out(module: ast.AST) -> Iterator[str]:
    """The texts of a module, but for docstrings and for help, that spell out a command of ours."""
    for node in ast.walk(module):
        for child in ast.iter_child_nodes(node):
            if isinstance(node, ast.Expr) or _is_help(node):
                continue
            if isinstance(child, ast.Constant) and isinstance(child.value, str):
                said = re.search(rf"`milepost |^milepost (?:{NAMES})\b", child.value)
                if said and not WITHOUT_STORE.search(child.value):
                    yield child.value


def _is_help(node: ast.AST) -> bool:
    """True for the help of an option, and for the examples of a command."""
    if isinstance(node, ast.keyword):
        return node.arg == "help"
    return isinstance(node, ast.Call) and ast.unparse(node.func) == "examples"


def problems() -> Iterator[tuple[str, str]]:
    """The texts that errors of SAID_WHERE_IT_IS_RAISED are raised with, by place."""
    for path in sorted(SOURCE.rglob("*.py")):
        for name, text in _in(ast.parse(path.read_text(encoding="utf-8"))):
            yield f"{path.relative_to(SOURCE)}: {name}", text


def _in(module: ast.AST) -> Iterator[tuple[str, str]]:
    for scope in ast.walk(module):
        if not isinstance(scope, ast.FunctionDef | ast.Module):
            continue
        assigned, known = _assigned(scope), _constants(module, scope)
        for node in _own(scope):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in SAID_WHERE_IT_IS_RAISED:
                for given in (each.value for each in node.keywords if each.arg == "problem"):
                    texts = assigned.get(given.id, []) if isinstance(given, ast.Name) else [given]
                    told = (_text(each, known) for each in texts)
                    yield from ((node.func.id, text) for text in told if text)


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of functions in it."""
    for child in ast.iter_child_nodes(scope):
        if not isinstance(child, ast.FunctionDef):
            yield child
            yield from _own(child)


def _assigned(scope: ast.AST) -> dict[str, list[ast.expr]]:
    """What names are given in a scope."""
    found: dict[str, list[ast.expr]] = {}
    for node in _own(scope):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found.setdefault(node.targets[0].id, []).append(node.value)
    return found


def _text(given: ast.expr, known: Mapping[str, str] = MappingProxyType({})) -> str:
    """A text as it stands in the source, `…` for what is put into it; "" for anything else.

    But for names that are `known`.
    """
    if isinstance(given, ast.Constant):
        return str(given.value)
    if isinstance(given, ast.FormattedValue) and _is_command(given.value):
        return "milepost …"
    if isinstance(given, ast.FormattedValue):
        return known.get(given.value.id, "…") if isinstance(given.value, ast.Name) else "…"
    if isinstance(given, ast.JoinedStr):
        return "".join(_text(each, known) for each in given.values)
    return ""


def _is_command(given: ast.expr) -> bool:
    """True for what composes a command that is advised, by `milepost.text.commands`."""
    if not isinstance(given, ast.Call) or not isinstance(given.func, ast.Name):
        return False
    return given.func.id in {"command", "salvage_of"}


def _constants(module: ast.AST, scope: ast.AST) -> dict[str, str]:
    """The texts that names stand for in a scope: constants of the module, and what is usual."""
    found = {}
    for node in ast.iter_child_nodes(module):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value:
            found[node.target.id] = _text(node.value)
    if isinstance(scope, ast.FunctionDef):
        usual = scope.args.defaults
        named = scope.args.args[len(scope.args.args) - len(usual) :]
        found |= {name.arg: _text(each) for name, each in zip(named, usual, strict=True)}
    return {name: text for name, text in found.items() if text}
