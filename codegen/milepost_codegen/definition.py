"""A definition file as written: its shape checked, its names and expressions not yet looked at."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from milepost_codegen.findings import Findings, nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from milepost_codegen.source import Data, Path, Source

__all__ = [
    "AllowanceFile",
    "AttemptsFile",
    "CausesFile",
    "CollectionFile",
    "CrashesFile",
    "DeferralFile",
    "EventFile",
    "FailureFile",
    "FieldFile",
    "Given",
    "IgnoredFile",
    "InvariantFile",
    "LifecycleFile",
    "MachineFile",
    "MigrationFile",
    "NoteFile",
    "ProgressFile",
    "RecoveryFile",
    "RedoFile",
    "RolesFile",
    "RowFile",
    "StateFile",
    "TargetFile",
    "VariableFile",
    "read_definition",
]

_MAX_NAME: Final = 39


def _expression(value: object) -> object:
    """Bare numbers and truth values are expressions too."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int) else value


def _one_or_many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _nothing_is_empty(value: object) -> object:
    return {} if value is None else value


def _target(value: object) -> object:
    return {"state": value} if isinstance(value, str) else value


def _event(value: object) -> object:
    return {"event": value} if isinstance(value, str) else value


def _counter(value: object) -> object:
    return {"counts": value} if isinstance(value, str) else value


def _given(value: object) -> object:
    return Given(value=value)


Expression: TypeAlias = Annotated[str, BeforeValidator(_expression)]
Name: TypeAlias = Annotated[str, Field(pattern=rf"^[a-z][a-z0-9_]{{0,{_MAX_NAME - 1}}}$")]
EnumName: TypeAlias = Annotated[str, Field(pattern=rf"^[A-Za-z][A-Za-z0-9_]{{0,{_MAX_NAME - 1}}}$")]
RowId: TypeAlias = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$", max_length=127)
]
Names: TypeAlias = Annotated[list[str], BeforeValidator(_one_or_many), Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Given(BaseModel):
    """A value that may be null, told apart from one that is not given."""

    model_config = ConfigDict(frozen=True)

    value: Any  # Any: JSON of any shape


# The union is within: what is written as null is a value, and what is left out is None.
Value: TypeAlias = Annotated[Given | None, BeforeValidator(_given)]


class StateFile(_Part):
    """A state: `perpetual` ones need no way to a final state."""

    doc: str = ""
    was: Name | None = None
    final: bool = False
    perpetual: bool = False


class VariableFile(_Part):
    """A context variable, or with `param` one that is fixed when the machine is created."""

    type: str
    initial: Value = None
    default: Value = None
    param: bool = False
    where: Expression | None = None
    was: Name | None = None
    doc: str = ""


class FieldFile(_Part):
    """A field of a payload; required unless it has a default."""

    type: str
    default: Value = None
    was: Name | None = None
    doc: str = ""


class EventFile(_Part):
    """An event and the fields that it carries."""

    doc: str = ""
    was: Name | None = None
    payload: dict[Name, FieldFile] = {}


class TargetFile(_Part):
    """Where a row leads: a state, or the member of a group that was left last."""

    state: str | None = None
    history: str | None = None
    default: str | None = None


class RowFile(_Part):
    """A row of the table."""

    id: RowId | None = None
    source: Names = Field(alias="from")
    event: str = Field(alias="on")
    target: Annotated[TargetFile, BeforeValidator(_target)] = Field(alias="to")
    when: Expression | None = None
    assign: dict[str, Expression] = Field(alias="set", default={})
    members: dict[str, dict[str, str]] = {}
    partial: bool = False
    doc: str = ""


class IgnoredFile(_Part):
    """Events that some states accept without any effect."""

    states: Names = Field(alias="in")
    events: Names = Field(alias="on")
    doc: str = ""


class InvariantFile(_Part):
    """What must hold in some states, or in all."""

    states: Names | None = Field(alias="in", default=None)
    holds: Expression
    doc: str = ""


class CollectionFile(_Part):
    """Members that a machine owns, which of their events it accepts, and when there can be more.

    `grows` may be empty: all members are there from the start.
    """

    machine: str
    accepts: dict[str, Names] = {}
    grows: Annotated[list[str], BeforeValidator(_one_or_many)] | None = None
    doc: str = ""


class ProgressFile(_Part):
    """A measure that every cycle decreases, but those with an excepted event."""

    decreases: Annotated[list[Expression], BeforeValidator(_one_or_many), Field(min_length=1)]
    excepted: Annotated[list[str], BeforeValidator(_one_or_many)] = Field(
        alias="except", default=[]
    )


class CausesFile(_Part):
    """The causes by which work ends without a result, as the lifecycle calls them."""

    error: str | None = None
    timeout: str | None = None
    lost: str | None = None


class FailureFile(_Part):
    """How work ends without a result; null says that the event has no such field."""

    event: str
    cause: str | None = None
    message: str | None = None
    kind: str | None = None
    details: str | None = None
    permanent: str | None = None
    causes: CausesFile = CausesFile()


class DeferralFile(_Part):
    """How an attempt ends that is to begin later; null says that the event has no such field."""

    event: str
    until: str | None = None
    everyone: str | None = None
    message: str | None = None
    marks: str | None = None


class NoteFile(_Part):
    """How a held member gets a note of work that was begun outside."""

    event: str
    note: str | None = None
    marks: str | None = None


class RedoFile(_Part):
    """How a member that is done is to be done again; null says that there is no such field."""

    event: str
    counts: str | None = None
    reason: str | None = None


class AllowanceFile(_Part):
    """How a job is allowed more dead members; null says that the event has no such field."""

    event: str
    more: str | None = None
    reason: str | None = None


class RecoveryFile(_Part):
    """How another executor takes over; null says that the event has no such field."""

    event: str
    lost: str | None = None
    reason: str | None = None


class AttemptsFile(_Part):
    """The variable that counts attempts, and the parameter that bounds it."""

    counts: str
    most: str | None = None


class CrashesFile(_Part):
    """What tells of members in flight as executors died: a mark, a counter and its bound."""

    marks: str | None = None
    counts: str | None = None
    most: str | None = None


class RolesFile(_Part):
    """What the parts of a machine mean; what is left out is inferred where it can be."""

    waiting: Names | None = None
    held: Names | None = None
    done: Names | None = None
    failed: Names | None = None
    dead: Names | None = None
    skipped: Names | None = None
    begin: str | None = None
    result: str | None = None
    stored: str | None = None
    failure: Annotated[FailureFile, BeforeValidator(_event)] | None = None
    release: str | None = None
    lost: str | None = None
    crash: str | None = None
    defer: Annotated[DeferralFile, BeforeValidator(_event)] | None = None
    note: Annotated[NoteFile, BeforeValidator(_event)] | None = None
    retry: str | None = None
    give_up: str | None = None
    requeue: str | None = None
    redo: Annotated[RedoFile, BeforeValidator(_event)] | None = None
    skip: str | None = None
    attempts: Annotated[AttemptsFile, BeforeValidator(_counter)] | None = None
    crashes: CrashesFile | None = None
    phases: dict[str, str] = {}
    recover: Annotated[RecoveryFile, BeforeValidator(_event)] | None = None
    pause: str | None = None
    paused: Names | None = None
    resume: dict[str, str] = {}
    cancel: str | None = None
    reopen: str | None = None
    allow_dead: Annotated[AllowanceFile, BeforeValidator(_event)] | None = None
    variables: Names | None = None
    outcomes: dict[str, str] = {}


class MachineFile(_Part):
    """One machine."""

    doc: str = ""
    initial: str
    states: dict[Name, Annotated[StateFile, BeforeValidator(_nothing_is_empty)]] = Field(
        min_length=1
    )
    groups: dict[Name, Names] = {}
    context: dict[Name, VariableFile] = {}
    collections: dict[Name, CollectionFile] = {}
    events: dict[Name, Annotated[EventFile, BeforeValidator(_nothing_is_empty)]] = {}
    guards: dict[Name, Expression] = {}
    transitions: list[RowFile] = []
    ignored: list[IgnoredFile] = []
    invariants: dict[Name, InvariantFile] = {}
    progress: ProgressFile | None = None
    roles: RolesFile | None = None


class MigrationFile(_Part):
    """How jobs of an older version go on under this one; everything is given by machine."""

    version: Annotated[int, Field(ge=1)] = Field(alias="from")
    states: dict[Name, dict[Name, str]] = {}
    context: dict[Name, dict[str, Expression]] = {}
    events: dict[Name, dict[Name, str]] = {}
    old: dict[Name, dict[Name, str]] = {}
    retired: dict[Name, Names] = {}
    doc: str = ""


class LifecycleFile(_Part):
    """A whole definition file."""

    lifecycle: Name
    version: Annotated[int, Field(ge=1)]
    doc: str = ""
    enums: dict[EnumName, Annotated[list[Name], Field(min_length=1)]] = {}
    machines: dict[Name, MachineFile] = Field(min_length=1)
    migrations: list[MigrationFile] = []


_KINDS: Final[Mapping[str, str]] = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "dict_type": "a mapping",
    "list_type": "a list",
    "model_type": "a mapping",
}


def read_definition(source: Source, findings: Findings) -> LifecycleFile | None:
    """The definition in `source`, or None if its shape is wrong; reports all that is wrong.

    Unknown keys are reported and then read as the key that they look like, or left out, so
    that the rest of the file is checked as well.
    """
    data = source.data
    if not isinstance(data, dict):
        findings.report("E103", source.at(), "a definition must be a mapping", _OUTLINE)
        return None
    try:
        return LifecycleFile.model_validate(data)
    except ValidationError as problem:
        errors = problem.errors(include_url=False)
    for error in errors:
        _report(error, source, findings)
    unknown = [_path(error) for error in errors if error["type"] == "extra_forbidden"]
    mended = copy.deepcopy(data)
    for path in unknown:
        _mend(mended, path)
    try:
        return LifecycleFile.model_validate(mended)
    except ValidationError:
        return None


_OUTLINE: Final = "begin with 'lifecycle:', 'version:' and 'machines:'"


def _path(error: ErrorDetails) -> Path:
    return tuple(part for part in error["loc"] if part != "[key]")


def _report(error: ErrorDetails, source: Source, findings: Findings) -> None:
    path = _path(error)
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _known_keys(path[:-1])
        near = nearest(str(path[-1]), known)
        hint = f"did you mean '{near}'?" if near else f"the keys here are: {', '.join(known)}"
        findings.report("E101", source.key_at(*path), f"unknown key '{path[-1]}'", hint)
    elif kind == "missing":
        findings.report("E102", source.key_at(*path[:-1]), f"the key '{path[-1]}' is missing")
    elif kind in ("string_pattern_mismatch", "string_too_long"):
        place = source.key_at(*path) if error["loc"][-1] == "[key]" else source.at(*path)
        findings.report("E104", place, f"bad name '{error['input']}'", _name_rule(path))
    elif kind in ("too_short", "greater_than_equal"):
        wanted = "must not be empty" if kind == "too_short" else "must be 1 or more"
        findings.report("E103", source.at(*path), f"'{path[-1]}' {wanted}")
    else:
        wanted = _KINDS.get(kind, "something else")
        findings.report("E103", source.at(*path), f"'{_label(path)}' must be {wanted}")


def _label(path: Path) -> str:
    """The last key of a path, with the index of what is meant within its list."""
    names = [part for part in path if isinstance(part, str)]
    return names[-1] if names else "file"


def _name_rule(path: Path) -> str:
    if path[-1] == "id":
        return "an id is made of words of a-z, 0-9 and _ with dots between them"
    letters = "a letter" if path[0] == "enums" and len(path) == 2 else "a-z"
    return f"a name begins with {letters} and goes on with a-z, 0-9 and _, up to {_MAX_NAME} in all"


def _known_keys(path: Path) -> tuple[str, ...]:
    """The keys that the mapping at `path` may have, in the order that they are documented."""
    part: type[BaseModel] = LifecycleFile
    for step in path:
        inner = next(
            (
                model
                for name, info in part.model_fields.items()
                if (info.alias or name) == step
                for model in _models_in(info.annotation)
            ),
            None,
        )
        part = inner or part
    return tuple(info.alias or name for name, info in part.model_fields.items() if name != "state")


def _models_in(annotation: object) -> list[type[BaseModel]]:
    """The model classes that an annotation is made of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in getattr(annotation, "__args__", ()) for model in _models_in(inner)]


def _mend(data: dict[str, Data], path: Path) -> None:
    """Give the unknown key at `path` the name that it looks like, if that is free; drop it else."""
    holder: Data = data
    for step in path[:-1]:
        holder = cast("Any", holder)[step]  # Any: validation has just walked this path
    if not isinstance(holder, dict):
        return
    value = holder.pop(str(path[-1]))
    near = nearest(str(path[-1]), _known_keys(path[:-1]))
    if near and near not in holder:
        holder[near] = value
