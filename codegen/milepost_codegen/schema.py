"""The JSON Schema of definition files, for editors: made from the models that read them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from pydantic.json_schema import GenerateJsonSchema

from milepost.roles import Outcome
from milepost_codegen.definition import LifecycleFile, RolesFile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic_core import core_schema

__all__ = ["DESCRIPTIONS", "schema", "schema_text"]

# Any: a JSON Schema is JSON of many shapes, and pydantic declares it so.
Schema: TypeAlias = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_ABOUT: Final = "A lifecycle definition, version 1 of the language."
_FIRST: Final = ("title", "description", "type")
_INTERNAL: Final = {("TargetFile", "state")}  # how a plain state is kept once it is read
_REQUIRED: Final = {"TargetFile": ("history",)}  # a mapping without it says nothing
_REFERENCES: Final[Mapping[str, tuple[str, ...]]] = {
    "MachineFile": ("initial", "groups"),
    "RowFile": ("from", "on", "to", "members"),
    "TargetFile": ("history", "default"),
    "IgnoredFile": ("in", "on"),
    "InvariantFile": ("in",),
    "CollectionFile": ("machine", "accepts", "grows"),
    "ProgressFile": ("except",),
    "FailureFile": ("event", "cause", "message", "kind", "details", "permanent"),
    "DeferralFile": ("event", "until", "everyone", "message", "marks"),
    "NoteFile": ("event", "note", "marks"),
    "RedoFile": ("event", "counts", "reason"),
    "AllowanceFile": ("event", "more", "reason"),
    "CausesFile": ("error", "timeout", "lost"),
    "RecoveryFile": ("event", "lost", "reason"),
    "AttemptsFile": ("counts", "most"),
    "CrashesFile": ("marks", "counts", "most"),
    "RolesFile": tuple(RolesFile.model_fields),
}
"""The keys whose texts name something."""
_DOTTED: Final = {("RolesFile", key) for key in ("result", "stored", "crash", "variables")}
"""Those among them that name an event, or a field of its payload."""
_SCALARS: Final = ["string", "integer", "boolean"]
_READABLE: Final = ["bool", "int"]
_OPAQUE: Final = ["str", "json", "bytes", "timestamp"]

DESCRIPTIONS: Final[Mapping[str, Mapping[str, str]]] = {
    "LifecycleFile": {
        "lifecycle": "The lifecycle's name, and that of the generated module.",
        "version": "An integer from 1, raised with every change of meaning.",
        "doc": "One line for docs and diagrams.",
        "enums": "Types of their own: the members of each, which are names.",
        "machines": "The machines by name; at least one.",
        "migrations": "How jobs of older versions go on under this one.",
    },
    "MachineFile": {
        "doc": "What the machine is for.",
        "initial": "The state in which it begins.",
        "states": "The states by name.",
        "groups": "Names for sets of states; groups may hold groups.",
        "context": "Variables, which only `set` changes, and parameters, fixed at creation.",
        "collections": "The members that it owns, by collection.",
        "events": "The events by name.",
        "guards": "Named conditions on the context, shown by name in diagrams and refusals.",
        "transitions": "The rows: in which state which event leads where. No row: refused.",
        "ignored": "Events that some states accept without any effect.",
        "invariants": "What must always hold, by name.",
        "progress": "The measure that every cycle decreases.",
        "roles": "What states, events and variables mean to whoever keeps the jobs.",
    },
    "StateFile": {
        "doc": "What is the case in this state.",
        "was": "Its name in an earlier version.",
        "final": "True: nothing leads out of it.",
        "perpetual": "True: a machine may stay in it for ever.",
    },
    "VariableFile": {
        "type": "bool, int or the name of an enum.",
        "initial": "The value that a variable begins with.",
        "default": "The value of a parameter that is not given at creation.",
        "param": "True: a parameter, fixed at creation and never assigned.",
        "where": "What a parameter must satisfy; it may read parameters only.",
        "was": "Its name in an earlier version.",
        "doc": "What it counts or tells.",
    },
    "EventFile": {
        "doc": "What has happened.",
        "was": "Its name in an earlier version.",
        "payload": "The event's own data, by field; read in rows as event.FIELD.",
    },
    "FieldFile": {
        "type": "bool, int or an enum, which guards may read; str, json, bytes or timestamp.",
        "default": "The value of a field that is left out; null is one, too.",
        "was": "Its name in an earlier version.",
        "doc": "What the field holds.",
    },
    "RowFile": {
        "id": "A name of its own for the transition, instead of STATE.EVENT.",
        "from": "A state or group, or several: one transition from each.",
        "on": "The event.",
        "to": "A state, or {history: GROUP}: the member of the group that was left last.",
        "when": "A condition or a guard's name, or otherwise: where the others of the pair say no.",
        "set": "Values for variables, all computed from the values before.",
        "members": "{COLLECTION: {STATE: EVENT}}: all members in STATE take EVENT in this step.",
        "partial": "True: the guards of this pair leave a case open on purpose.",
        "doc": "Why.",
    },
    "TargetFile": {
        "history": "The group whose member that was left last is entered.",
        "default": "The state that is entered where the group was never left.",
    },
    "IgnoredFile": {
        "in": "The states or groups that ignore.",
        "on": "The events that they ignore.",
        "doc": "Why.",
    },
    "InvariantFile": {
        "in": "The states or groups in which it holds; without them, all.",
        "holds": "The condition.",
        "doc": "Why it matters.",
    },
    "CollectionFile": {
        "machine": "The machine that each member runs by.",
        "accepts": "The events of members that are legal, by state or group of the owner.",
        "grows": "The states or groups of the owner in which there can be more members.",
        "doc": "What the members are.",
    },
    "ProgressFile": {
        "decreases": "Measures, compared in order, that fall on every cycle.",
        "except": "Events whose cycles need not decrease the measures.",
    },
    "FailureFile": {
        "event": "The event by which work ends without a result.",
        "cause": "Its field (an enum) that tells causes apart; null: there is none.",
        "message": "Its field (str) for people; null: there is none.",
        "kind": "Its field (str) for what it was: a class of errors, say.",
        "details": "Its field (json) for causes and place.",
        "permanent": "Its field (bool) that says that no other attempt would end otherwise.",
        "causes": "Which members of the enum say what a run finds.",
    },
    "DeferralFile": {
        "event": "The event by which an attempt ends that is to begin later.",
        "until": "Its field (int) for when: microseconds since 1970.",
        "everyone": "Its field (bool) that nobody else begins before that; null: there is none.",
        "message": "Its field (str) for people; null: there is none.",
        "marks": "The variable (bool) of a member that waits until then.",
    },
    "NoteFile": {
        "event": "The event by which a held member gets a note of work that was begun outside.",
        "note": "Its field (json) of the note.",
        "marks": "The variable (bool) of a member that has a note.",
    },
    "RedoFile": {
        "event": "The event by which a member that is done waits again.",
        "counts": "The variable (int) that counts how often.",
        "reason": "Its field (str) for people; null: there is none.",
    },
    "AllowanceFile": {
        "event": "The event by which the job may complete with more dead members.",
        "more": "Its field (int) for how many more.",
        "reason": "Its field (str) for people; null: there is none.",
    },
    "CausesFile": {
        "error": "The cause of what raised an error.",
        "timeout": "The cause of what took too long; null: it is an error.",
        "lost": "The cause of what its executor died of; null: there is none.",
    },
    "RecoveryFile": {
        "event": "The event by which another executor takes over.",
        "lost": "Its field (bool) that says whether the one before died; null: there is none.",
        "reason": "Its field (str) for people; null: there is none.",
    },
    "AttemptsFile": {
        "counts": "The variable (int) that counts attempts.",
        "most": "The parameter (int) that bounds it.",
    },
    "CrashesFile": {
        "marks": "The variable (bool) that says that it was in flight when an executor died.",
        "counts": "The variable (int) that counts such deaths.",
        "most": "The parameter (int) that bounds it.",
    },
    "RolesFile": {
        "waiting": "States in which a member waits for an attempt.",
        "held": "States in which a member is in an executor's hands.",
        "done": "States with a result recorded.",
        "failed": "States after a failure, in which nothing is decided yet.",
        "dead": "States of members that were given up after failures.",
        "skipped": "States of members that were left out on purpose.",
        "begin": "The event by which an attempt begins.",
        "result": "The event, or EVENT.FIELD, by which work ends with a result.",
        "stored": "EVENT.FIELD of the result's event that says where a large result is kept.",
        "failure": "The event by which work ends without a result, and its fields that say why.",
        "release": "The event by which a member leaves an executor's hands unharmed.",
        "lost": "The event by which a member leaves the hands of an executor that died.",
        "crash": "The event, or EVENT.FIELD, of a member that was alone as its executor died.",
        "defer": "The event by which an attempt ends that is to begin later, and its fields.",
        "note": "The event by which a held member gets a note of work that was begun outside.",
        "retry": "The event by which a failed member waits again.",
        "give_up": "The event by which a failed member becomes dead.",
        "requeue": "The event by which a dead member waits again.",
        "redo": "The event by which a member that is done waits again.",
        "skip": "The event by which a member is left out on purpose.",
        "attempts": "The variable that counts attempts, alone or with its bound.",
        "crashes": "What tells of executors that died while the member was in flight.",
        "phases": "The states that are worked in, in order, each with the event that ends it.",
        "recover": "The event by which another executor takes over, and its fields.",
        "pause": "The event by which the job rests on purpose.",
        "paused": "States in which the job rests on purpose.",
        "resume": "By state in which the job rests or has failed: the event that goes on.",
        "cancel": "The event by which the job is given up on purpose.",
        "reopen": "The event that leads from a later phase back to one that works members.",
        "allow_dead": "The event by which the job may complete with more dead members.",
        "variables": "The events, or EVENT.FIELD, that set variables of the job.",
        "outcomes": "How a job has ended, by state: succeeded, failed or cancelled.",
    },
    "MigrationFile": {
        "from": "The older version.",
        "states": "By machine: where jobs in a state go on that this version does not have.",
        "context": "By machine: values for variables and histories that old jobs lack.",
        "events": "By machine: what recorded events stand for that this version does not have.",
        "old": "By machine: the types of old variables that values read.",
        "retired": "By machine: ids of old transitions that are not allowed any more.",
        "doc": "Why.",
    },
}
"""What each key means, by model and by the key as it is written."""


def schema_text() -> str:
    """The schema as the text of a file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def schema() -> Schema:
    """The schema (draft 2020-12) of a definition as data, after YAML has been read.

    Every definition that compiles is valid. One that is not valid does not compile; what names
    stand for, types and expressions are the compiler's to check.
    """
    root = LifecycleFile.model_json_schema(schema_generator=_Generator)
    parts: dict[str, Schema] = root.pop("$defs")
    parts.pop("Given", None)  # any value, once it is read
    name_pattern = next(iter(root["properties"]["machines"]["patternProperties"]))
    enum_pattern = next(iter(root["properties"]["enums"]["patternProperties"]))
    for model, part in (("LifecycleFile", root), *parts.items()):
        _finish(model, part, name_pattern, enum_pattern)
    return {
        "$schema": _DIALECT,
        **_tidy(root | {"title": "Milepost lifecycle", "description": _ABOUT}),
        "$defs": {_title(model): _tidy(parts[model]) for model in sorted(parts)},
    }


class _Generator(GenerateJsonSchema):
    """Knows what the models' own validators accept beside what they give."""

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> dict[str, Any]:
        """What may be written, where a validator turns that into what the model holds."""
        widened = _WIDENED[schema["function"]["function"].__name__]
        return widened(super().function_before_schema(schema))


_WIDENED: Final[Mapping[str, Callable[[Schema], Schema]]] = {
    "_expression": lambda inner: {**inner, "type": _SCALARS},
    "_one_or_many": lambda inner: {"anyOf": [{**inner["items"], "type": "string"}, inner]},
    "_nothing_is_empty": lambda inner: {"anyOf": [inner, {"type": "null"}]},
    "_target": lambda inner: {"anyOf": [{"type": "string"}, inner]},
    "_event": lambda inner: {"anyOf": [{"type": "string"}, inner]},
    "_counter": lambda inner: {"anyOf": [{"type": "string"}, inner]},
    "_given": lambda _: {},
}
"""The schemas of values before the validators of `definition`, from those after them, by name."""


def _finish(model: str, part: Schema, name_pattern: str, enum_pattern: str) -> None:
    """Give `part`, the schema of a model, its title, its descriptions and its patterns."""
    part["title"] = _title(model)
    properties: dict[str, Schema] = part.pop("properties")
    for key in [key for key in properties if (model, key) in _INTERNAL]:
        del properties[key]
    required = [*part.pop("required", ()), *_REQUIRED.get(model, ())]
    part |= ({"required": required} if required else {}) | {"properties": properties}
    for key, value in properties.items():
        tidied = _tidy({name: inner for name, inner in value.items() if name != "title"})
        if key in _REFERENCES.get(model, ()):
            dotted = rf"{name_pattern[:-1]}(\.{name_pattern[1:-1]})?$"
            _name(tidied, dotted if (model, key) in _DOTTED else name_pattern)
        if (model, key) == ("RolesFile", "outcomes"):
            tidied["additionalProperties"] = {"enum": [str(outcome) for outcome in Outcome]}
        if key == "type":
            known = [*_READABLE, *(_OPAQUE if model == "FieldFile" else ())]
            tidied = {"anyOf": [{"enum": known}, {"type": "string", "pattern": enum_pattern}]}
        properties[key] = {"description": DESCRIPTIONS[model][key], **tidied}


def _title(model: str) -> str:
    return model.removesuffix("File")


def _tidy(node: Any) -> Any:  # Any: JSON of any shape
    """`node` closed to unknown keys, under the parts' new names, in an order that reads well.

    Defaults that say little are gone. A union that holds a union is one, and a union with a schema
    that allows everything allows everything.
    """
    if isinstance(node, list):
        return [_tidy(inner) for inner in node]
    if not isinstance(node, dict):
        return node
    if {} in node.get("anyOf", ()):
        return {}
    order = sorted(node, key=lambda key: _FIRST.index(key) if key in _FIRST else len(_FIRST))
    tidied: Schema = {key: _tidy(node[key]) for key in order}
    if "$ref" in tidied:
        tidied["$ref"] = _title(tidied["$ref"])
    if "patternProperties" in tidied:
        tidied["additionalProperties"] = False
    if tidied.get("default", 0) in (None, "", {}, []):
        del tidied["default"]
    if "anyOf" in tidied:
        tidied["anyOf"] = _flat(tidied["anyOf"], tidied.pop("minItems", None))
    return tidied


def _flat(forms: list[Schema], min_items: int | None) -> list[Schema]:
    """The forms of a union without unions among them; lists have at least `min_items`."""
    single = [inner for form in forms for inner in form.get("anyOf", [form])]
    if min_items is None:
        return single
    return [
        {**form, "minItems": min_items} if form.get("type") == "array" else form for form in single
    ]


def _name(node: Any, pattern: str) -> None:  # Any: JSON of any shape
    """Ask of every text in `node`, and of every free key, that it is a name."""
    if isinstance(node, list):
        for inner in node:
            _name(inner, pattern)
    if not isinstance(node, dict):
        return
    if node.get("type") == "string":
        node.setdefault("pattern", pattern)
    if isinstance(node.get("additionalProperties"), dict):
        node["propertyNames"] = {"pattern": pattern}
    for inner in node.values():
        _name(inner, pattern)
