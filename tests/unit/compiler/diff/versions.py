"""One definition and the edits that tests make to it."""

import copy
import json
from collections.abc import Callable
from typing import Any

from milepost_codegen.compiler import compile_definition
from milepost_codegen.diff import Report, compare
from milepost_codegen.diff.report import Change
from milepost_codegen.model import Lifecycle

Data = dict[str, Any]
Edit = Callable[[Data], object]

BASE: Data = {
    "lifecycle": "jobs",
    "version": 1,
    "enums": {"Cause": ["none", "error", "timeout"]},
    "machines": {
        "item": {
            "initial": "waiting",
            "states": {"waiting": {}, "taken": {}, "ended": {"final": True}},
            "events": {"take": {}, "end": {}},
            "transitions": [
                {"from": "waiting", "on": "take", "to": "taken"},
                {"from": "taken", "on": "end", "to": "ended"},
            ],
        },
        "job": {
            "initial": "setup",
            "states": {
                "setup": {},
                "work": {},
                "paused": {},
                "failed": {"perpetual": True},
                "done": {"final": True},
            },
            "groups": {"active": ["setup", "work"]},
            "context": {
                "tries": {"type": "int", "initial": 0},
                "cause": {"type": "Cause", "initial": "none"},
                "limit": {"type": "int", "param": True, "default": 3, "where": "limit >= 1"},
            },
            "collections": {
                "items": {"machine": "item", "accepts": {"work": ["take", "end"], "paused": "end"}}
            },
            "events": {
                "begin": {},
                "fail": {"payload": {"cause": {"type": "Cause"}, "text": {"type": "str"}}},
                "retry": {},
                "pause": {},
                "resume": {},
                "finish": {},
            },
            "guards": {"tries_left": "tries < limit"},
            "transitions": [
                {"from": "setup", "on": "begin", "to": "work"},
                {
                    "from": "work",
                    "on": "fail",
                    "to": "failed",
                    "set": {"tries": "tries + 1", "cause": "event.cause"},
                },
                {
                    "from": "failed",
                    "on": "retry",
                    "to": "work",
                    "when": "tries_left and tries < 3",
                },
                {"from": "failed", "on": "retry", "to": "done", "when": "otherwise"},
                {"from": "active", "on": "pause", "to": "paused"},
                {"from": "paused", "on": "resume", "to": {"history": "active"}},
                {
                    "from": "work",
                    "on": "finish",
                    "to": "done",
                    "when": "items.taken == 0",
                    "partial": True,
                },
            ],
            "ignored": [{"in": "done", "on": ["pause", "resume"]}],
            "invariants": {"bounded": {"holds": "tries >= 0 and cause == cause"}},
        },
    },
}


def compiled(data: Data, name: str = "new.yaml") -> Lifecycle:
    """The lifecycle that `data` defines; JSON is YAML."""
    return compile_definition(json.dumps(data, indent=1).encode(), name).lifecycle


def edited(*edits: Edit, version: int = 2) -> Data:
    """The base after `edits`."""
    data = copy.deepcopy(BASE)
    data["version"] = version
    for edit in edits:
        edit(data["machines"]["job"])
    return data


def report(*edits: Edit, **top: Any) -> Report:
    """What the comparison of the base with the base after `edits` says; `top` are file-wide."""
    return compare(compiled(BASE, "old.yaml"), compiled({**edited(*edits), **top}))


def found(told: Report) -> dict[tuple[str, str], Change]:
    """The changes by name and by aspect and kind."""
    return {(one.name, f"{one.aspect} {one.kind}".strip()): one for one in told.changes}


def verdicts(*edits: Edit, **top: Any) -> dict[tuple[str, str], str]:
    """The verdict on every change by name and by aspect and kind."""
    return {key: one.verdict for key, one in found(report(*edits, **top)).items()}
