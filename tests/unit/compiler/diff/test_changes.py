"""Every kind of change is found, classified and judged."""

from typing import Any

import pytest

from tests.unit.compiler.diff.versions import (
    BASE,
    Data,
    Edit,
    compiled,
    edited,
    found,
    report,
    verdicts,
)


def setting(*path: Any, value: object) -> Edit:
    """An edit that puts `value` at `path` of the machine."""

    def edit(job: Data) -> None:
        holder: Any = job
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value

    return edit


def dropping(*path: Any) -> Edit:
    """An edit that deletes what is at `path`."""

    def edit(job: Data) -> None:
        holder: Any = job
        for step in path[:-1]:
            holder = holder[step]
        del holder[path[-1]]

    return edit


def adding(row: Data) -> Edit:
    """An edit that adds a row."""
    return lambda job: job["transitions"].append(row)


def renaming(kind: str, old: str, new: str) -> Edit:
    """An edit that renames a part everywhere, in order, and says what it was."""

    def edit(job: Data) -> None:
        text = _renamed(job, old, new)
        job.clear()
        job.update(text)
        job[kind][new]["was"] = old

    return edit


def _renamed(data: Any, old: str, new: str) -> Any:
    if isinstance(data, dict):
        return {_renamed(key, old, new): _renamed(value, old, new) for key, value in data.items()}
    if isinstance(data, list):
        return [_renamed(value, old, new) for value in data]
    return (
        " ".join(new if word == old else word for word in data.split(" "))
        if isinstance(data, str)
        else data
    )


OPEN = {"perpetual": True}

CASES: list[tuple[str, list[Edit], dict[tuple[str, str], str]]] = [
    (
        "state added",
        [setting("states", "held", value=OPEN), adding({"from": "work", "on": "begin",
         "to": "held"})],
        {("held", "added"): "compatible", ("work.begin", "added"): "compatible"},
    ),
    (
        "state removed",
        [dropping("states", "paused"), dropping("transitions", 5), dropping("transitions", 4),
         dropping("collections", "items", "accepts", "paused"), dropping("groups")],
        {
            ("paused", "removed"): "breaking",
            ("active", "removed"): "compatible",
            ("items.end in paused", "removed"): "breaking",
            ("setup.pause", "removed"): "breaking",
            ("work.pause", "removed"): "breaking",
            ("paused.resume.1", "removed"): "breaking",
            ("paused.resume.2", "removed"): "breaking",
        },
    ),
    (
        "state renamed",
        [renaming("states", "work", "working")],
        {("working", "renamed"): "migrated"},
    ),
    (
        "end opened",
        [setting("states", "done", value={"perpetual": True})],
        {("done", "final changed"): "breaking"},
    ),
    (
        "end made",
        [setting("states", "failed", value={"final": True}), dropping("transitions", 3),
         dropping("transitions", 2), dropping("events", "retry"), dropping("guards"),
         setting("invariants", "bounded", "holds",
          value="tries >= 0 and cause == cause and limit > 0")],
        {
            ("failed", "final changed"): "breaking",
            ("retry", "removed"): "breaking",
            ("failed.retry.1", "removed"): "breaking",
            ("failed.retry.2", "removed"): "breaking",
            ("tries_left", "removed"): "breaking",
            ("bounded", "narrowed"): "compatible",
        },
    ),
    (
        "initial",
        [setting("initial", value="work"), dropping("states", "setup"), dropping("transitions", 0),
         dropping("events", "begin"), setting("groups", "active", value=["work"])],
        {
            ("job", "initial changed"): "breaking",
            ("setup", "removed"): "breaking",
            ("active", "states changed"): "compatible",
            ("history.active", "changed"): "breaking",
            ("begin", "removed"): "breaking",
            ("setup.begin", "removed"): "breaking",
            ("setup.pause", "removed"): "breaking",
            ("paused.resume.1", "removed"): "breaking",
            ("paused.resume", "id renamed"): "compatible",
        },
    ),
    (
        "group",
        [setting("groups", "all", value=["active", "paused"]),
         adding({"from": "all", "on": "retry", "to": "failed"})],
        {
            ("all", "added"): "compatible",
            ("setup.retry", "added"): "compatible",
            ("work.retry", "added"): "compatible",
            ("paused.retry", "added"): "compatible",
        },
    ),
    (
        "variable added",
        [setting("context", "spare", value={"type": "int", "initial": 0}),
         setting("transitions", 0, "set", value={"spare": 1})],
        {("spare", "added"): "breaking", ("setup.begin", "set changed"): "compatible"},
    ),
    (
        "variable renamed",
        [renaming("context", "tries", "attempts")],
        {("attempts", "renamed"): "migrated"},
    ),
    (
        "variable removed",
        [dropping("context", "cause"), dropping("transitions", 1, "set", "cause"),
         setting("invariants", "bounded", "holds", value="tries >= 0")],
        {
            ("cause", "removed"): "compatible",
            ("work.fail", "set changed"): "compatible",
            ("bounded", "widened"): "compatible",
        },
    ),
    (
        "variable's beginning",
        [setting("context", "tries", "initial", value=1)],
        {("tries", "initial changed"): "breaking"},
    ),
    (
        "variable becomes parameter",
        [setting("context", "cause", value={"type": "Cause", "param": True}),
         dropping("transitions", 1, "set", "cause")],
        {("cause", "param changed"): "breaking", ("work.fail", "set changed"): "breaking"},
    ),
    (
        "parameters",
        [setting("context", "most", value={"type": "int", "param": True, "where": "most > limit"}),
         setting("context", "least", value={"type": "int", "param": True, "default": 0,
          "where": "least < limit"}),
         setting("context", "limit", value={"type": "int", "param": True, "default": 4,
          "where": "limit >= 2"}),
         setting("invariants", "bounded", "holds",
          value="tries >= 0 and cause == cause and most > least")],
        {
            ("limit", "default changed"): "breaking",
            ("limit", "where narrowed"): "breaking",
            ("most", "added"): "breaking",
            ("least", "added"): "compatible",
            ("bounded", "narrowed"): "compatible",
        },
    ),
    (
        "where widened",
        [setting("context", "limit", "where", value="limit >= 0")],
        {("limit", "where widened"): "compatible"},
    ),
    (
        "type",
        [setting("context", "cause", value={"type": "bool", "initial": False}),
         setting("transitions", 1, "set", "cause", value="true")],
        {("cause", "type changed"): "breaking", ("work.fail", "set changed"): "compatible"},
    ),
    (
        "event added",
        [setting("events", "hold", value={}), adding({"from": "work", "on": "hold",
         "to": "failed"})],
        {("hold", "added"): "compatible", ("work.hold", "added"): "compatible"},
    ),
    (
        "event renamed",
        [renaming("events", "fail", "stumble")],
        {("stumble", "renamed"): "migrated"},
    ),
    (
        "fields",
        [setting("events", "fail", "payload", value={
            "cause": {"type": "Cause"},
            "message": {"type": "str", "was": "text"},
            "at": {"type": "timestamp"},
            "size": {"type": "int", "default": 0}})],
        {
            ("fail.message", "renamed"): "migrated",
            ("fail.at", "added"): "breaking",
            ("fail.size", "added"): "compatible",
        },
    ),
    (
        "field removed",
        [dropping("events", "fail", "payload", "text")],
        {("fail.text", "removed"): "breaking"},
    ),
    (
        "field's default and type",
        [setting("events", "fail", "payload", "cause", value={"type": "Cause", "default": "error"}),
         setting("events", "fail", "payload", "text", value={"type": "json"})],
        {("fail.cause", "default changed"): "compatible", ("fail.text",
         "type changed"): "breaking"},
    ),
    (
        "guard narrowed",
        [setting("guards", "tries_left", value="tries + 1 < limit")],
        {
            ("tries_left", "narrowed"): "breaking",
            ("failed.retry.1", "guard narrowed"): "breaking",
            ("failed.retry.2", "guard widened"): "compatible",
        },
    ),
    (
        "bound widened",
        [setting("transitions", 2, "when", value="tries_left and tries < 5")],
        {
            ("failed.retry.1", "guard widened"): "compatible",
            ("failed.retry.2", "guard narrowed"): "breaking",
        },
    ),
    (
        "conjunct removed",
        [setting("transitions", 2, "when", value="tries_left")],
        {
            ("failed.retry.1", "guard widened"): "compatible",
            ("failed.retry.2", "guard narrowed"): "breaking",
        },
    ),
    (
        "direction unknown",
        [setting("transitions", 6, "when", value="items.waiting == 0")],
        {("work.finish", "guard changed"): "breaking"},
    ),
    (
        "guard dropped",
        [dropping("transitions", 6, "when"), dropping("transitions", 6, "partial")],
        {("work.finish", "guard widened"): "compatible"},
    ),
    (
        "target moved",
        [setting("transitions", 6, "to", value="failed")],
        {("work.finish", "target moved"): "breaking"},
    ),
    (
        "set",
        [setting("transitions", 1, "set", "tries", value="tries + 2")],
        {("work.fail", "set changed"): "breaking"},
    ),
    (
        "members",
        [setting("transitions", 1, "members", value={"items": {"taken": "end"}})],
        {("work.fail", "members changed"): "breaking"},
    ),
    (
        "id",
        [setting("transitions", 0, "id", value="start")],
        {("start", "id renamed"): "compatible"},
    ),
    (
        "accepts",
        [setting("collections", "items", "accepts", value={"work": ["take"], "setup": ["take"],
         "paused": "end"})],
        {
            ("items.end in work", "removed"): "breaking",
            ("items.take in setup", "added"): "compatible",
        },
    ),
    (
        "grows in more states",
        [setting("collections", "items", "grows", value=["setup", "work", "paused"])],
        {("items", "widened"): "compatible"},
    ),
    (
        "grows in fewer states",
        [setting("collections", "items", "grows", value=[])],
        {("items", "narrowed"): "compatible"},
    ),
    (
        "grows in other states",
        [setting("collections", "items", "grows", value="failed")],
        {("items", "changed"): "compatible"},
    ),
    (
        "grows as was inferred, by other names",
        [setting("collections", "items", "grows", value=["active"])],
        {},
    ),
    (
        "collection removed",
        [dropping("collections"), setting("transitions", 6, "when", value="tries == 0")],
        {
            ("jobs", "root changed"): "breaking",
            ("items", "removed"): "breaking",
            ("work.finish", "guard changed"): "breaking",
        },
    ),
    (
        "ignored",
        [setting("ignored", value=[{"in": "done", "on": ["pause", "retry"]}])],
        {("done.resume", "removed"): "breaking", ("done.retry", "added"): "compatible"},
    ),
    (
        "row that does nothing is ignored",
        [setting("ignored", value=[{"in": "done", "on": ["pause", "resume"]}, {"in": "failed",
         "on": "pause"}])],
        {("failed.pause", "added"): "compatible"},
    ),
    (
        "invariant",
        [setting("invariants", "more", value={"holds": "tries >= -1"})],
        {("more", "added"): "compatible"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("edits", "wanted"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_changes(edits: list[Edit], wanted: dict[tuple[str, str], str]) -> None:
    """All of what changed is found, and nothing else."""
    assert verdicts(*edits) == wanted


def test_no_change() -> None:
    """A definition has no difference to itself, whatever its version is called."""
    told = report()
    assert (told.changes, told.notes, told.verdict) == ((), (), "compatible")
    assert all(
        not (one.stranded or one.lost or one.lacking or one.questions) for one in told.effects
    )


def test_enums_are_judged_where_they_are_used() -> None:
    """A member that is gone strands the values of variables and of recorded events."""
    told = report(enums={"Cause": ["none", "error", "lost"]})
    assert {key: one.verdict for key, one in found(told).items()} == {
        ("Cause.lost", "member added"): "compatible",
        ("Cause.timeout", "member removed"): "compatible",
        ("cause", "type changed"): "breaking",
        ("fail.cause", "type changed"): "breaking",
    }


def test_machines_and_the_lifecycle_itself() -> None:
    """What is stored belongs to a machine of a lifecycle, by name."""
    data = edited()
    data["machines"]["thing"] = data["machines"].pop("item")
    data["machines"]["job"]["collections"]["items"]["machine"] = "thing"
    data["lifecycle"] = "tasks"
    told = found_between(data)
    assert told[("tasks", "name changed")] == "breaking"
    assert told[("thing", "added")] == "compatible"
    assert told[("item", "removed")] == "breaking"
    assert told[("items", "machine changed")] == "breaking"


def found_between(data: Data) -> dict[tuple[str, str], str]:
    from milepost_codegen.diff import compare

    told = compare(compiled(BASE, "old.yaml"), compiled(data))
    return {key: one.verdict for key, one in found(told).items()}


def test_was_that_names_nothing_is_said() -> None:
    """A misspelt earlier name is noted, beside what is then new and what is gone."""
    edit = renaming("states", "work", "working")
    told = verdicts(edit, setting("states", "working", "was", value="wrok"))
    assert told["working", "was unmatched"] == "compatible"
    assert told["working", "added"] == "compatible"
    assert told["work", "removed"] == "breaking"


def test_swapped_names_are_followed() -> None:
    """What has an old name is not what had it, if `was` says so."""
    told = verdicts(
        lambda job: job.update(
            _renamed(_renamed(_renamed(job, "work", "x"), "paused", "work"), "x", "paused")
        ),
        setting("states", "paused", "was", value="work"),
        setting("states", "work", "was", value="paused"),
    )
    assert told == {("paused", "renamed"): "migrated", ("work", "renamed"): "migrated"}


def test_version_notes() -> None:
    """A change of meaning under the same version is noted."""
    (note,) = report(
        setting("initial", value="setup"),
        setting("states", "held", value=OPEN),
        adding({"from": "work", "on": "begin", "to": "held"}),
        version=1,
    ).notes
    assert "raise it" in note
