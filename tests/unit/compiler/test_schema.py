"""The JSON Schema says of a definition's shape what the compiler says."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from milepost_codegen import definition
from milepost_codegen.checks import check
from milepost_codegen.cli import schema_command
from milepost_codegen.definition import LifecycleFile, read_definition
from milepost_codegen.findings import Findings
from milepost_codegen.resolve import resolve
from milepost_codegen.schema import DESCRIPTIONS, schema, schema_text
from milepost_codegen.source import Source, read_source

from .lifecycles import FINDINGS, GOLDEN, RICH, ROOT

COMMITTED = ROOT / "docs" / "reference" / "lifecycle.schema.json"
EXAMPLES = ROOT / "examples" / "lifecycles"
DEFINITIONS = [
    ROOT / "statemachine.yaml",
    *sorted(EXAMPLES.rglob("*.yaml")),
    *sorted(GOLDEN.glob("*.yaml")),
]
VALIDATOR = Draft202012Validator(schema())


def read(path: Path) -> Source:
    findings = Findings()
    source = read_source(path.read_bytes(), path.name, findings)
    assert source is not None
    return source


def test_the_schema_is_one() -> None:
    """It keeps the rules of its own draft."""
    Draft202012Validator.check_schema(schema())


def test_the_committed_file_is_current() -> None:
    """Else: milepost schema > docs/reference/lifecycle.schema.json."""
    assert COMMITTED.read_text(encoding="utf-8") == schema_text()
    run = CliRunner().invoke(schema_command)
    assert (run.exit_code, run.stdout) == (0, schema_text())


def test_every_key_is_described() -> None:
    """By one line each, and no key that is not there."""
    models = {
        name: {field.alias or key for key, field in vars(definition)[name].model_fields.items()}
        for name in definition.__all__
        if name.endswith("File")
    }
    models["TargetFile"].remove("state")
    assert {name: set(keys) for name, keys in DESCRIPTIONS.items()} == models
    lines = [line for keys in DESCRIPTIONS.values() for line in keys.values()]
    assert all(line.endswith(".") and "\n" not in line for line in lines)


@pytest.mark.parametrize("path", DEFINITIONS, ids=lambda path: path.stem)
def test_every_definition_is_valid(path: Path) -> None:
    """Our own, the examples and the one that uses everything."""
    assert [error.message for error in VALIDATOR.iter_errors(read(path).data)] == []


BEYOND = {
    "E103_key_is_list",  # a key that no data can hold
    "E104_keyword",  # names of the right form, which mean something in Python
}
SHAPES = [path for path in sorted(FINDINGS.glob("E10[1-4]_*.yaml")) if path.stem not in BEYOND]


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_findings_about_the_shape_are_invalid(path: Path) -> None:
    """What E101 to E104 are about, the editor shows as well."""
    assert not VALIDATOR.is_valid(read(path).data)


ALL = read(GOLDEN / "rich_example.yaml").data


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in `data`, the whole not counted."""
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


PLACES = list(places(ALL))
VALUES = st.sampled_from([None, True, 0, 7, "", "open", "not a name", [], ["open"], [3], {}])
EDITS = st.sampled_from(["drop", "rename", "add", "put"])


def edited(edit: str, path: tuple[Any, ...], value: Any) -> Any:
    """The definition that uses everything, changed in one place."""
    data = copy.deepcopy(ALL)
    holder = data
    for key in path[:-1]:
        holder = holder[key]
    if edit == "drop":
        del holder[path[-1]]
    elif edit == "put" or isinstance(holder, list):
        holder[path[-1]] = value
    elif edit == "rename":
        holder[f"{path[-1]}_x"] = holder.pop(path[-1])
    else:
        holder["Unheard Of"] = value
    return data


def compiles(data: Any) -> tuple[bool, bool]:
    """Whether the shape is right, and whether the whole is."""
    source = read_source(RICH.encode(), "x.yaml", Findings())
    assert source is not None
    try:
        file = LifecycleFile.model_validate(data)
    except ValueError:
        return False, False
    findings = Findings()
    try:
        check(file, resolve(file, source, findings), source, findings)
    except KeyError:  # a finding at a place that the text of the unchanged file does not have
        return True, False
    return True, not findings.fatal


@settings(deadline=None)
@given(EDITS, st.sampled_from(PLACES), VALUES)
def test_schema_and_compiler_agree_about_any_edit(edit: str, path: Any, value: Any) -> None:
    """What compiles is valid; what has the wrong shape is not."""
    data = edited(edit, path, value)
    shaped, whole = compiles(data)
    valid = VALIDATOR.is_valid(data)
    assert valid or not whole
    assert shaped or not valid


def test_the_unions_take_each_of_their_forms() -> None:
    """One or many, a state or a history, a text or a number, nothing or a mapping."""
    base: Any = {
        "lifecycle": "a",
        "version": 1,
        "machines": {"m": {"initial": "s", "states": {"s": None}, "transitions": []}},
    }
    row: dict[str, Any] = {"from": "s", "on": "e", "to": "s"}
    forms = [
        ({}, True),
        ({"from": ["s", "t"]}, True),
        ({"from": []}, False),
        ({"from": 3}, False),
        ({"from": "Not A Name"}, False),
        ({"to": {"history": "g"}}, True),
        ({"to": {"history": "g", "default": "s"}}, True),
        ({"to": {"default": "s"}}, False),
        ({"to": {"state": "s"}}, False),
        ({"to": ["s"]}, False),
        ({"when": "otherwise"}, True),
        ({"when": True}, True),
        ({"when": ["a"]}, False),
        ({"set": {"a": 1, "b": "a + 1", "c": False}}, True),
        ({"set": {"a": [1]}}, False),
        ({"members": {"items": {"s": "e"}}}, True),
        ({"members": {"items": "e"}}, False),
        ({"unheard_of": 1}, False),
    ]
    for change, expected in forms:
        base["machines"]["m"]["transitions"] = [row | change]
        assert VALIDATOR.is_valid(base) is expected, change


def test_every_definition_fails_with_a_wrong_value() -> None:
    """One broken value for every file that is valid."""
    for path in DEFINITIONS:
        data = copy.deepcopy(read(path).data)
        assert isinstance(data, dict)
        machines: Any = data["machines"]
        next(iter(machines.values()))["initial"] = 7
        assert not VALIDATOR.is_valid(data), path
        source = replace(read(path), data=data)
        assert read_definition(source, Findings()) is None
