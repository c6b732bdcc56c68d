"""What a definition says of its earlier versions, as far as names go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from milepost.definition.notation import OPAQUE, READABLE
from milepost.definition.problems import NotUnderstood, all_known, known, once, within

__all__ = ["check_earlier_names", "check_migrations"]


def check_migrations(data: Mapping[str, Any], enums: Mapping[str, Any]) -> None:
    """Raise NotUnderstood for a migration that names what there is not, or comes twice."""
    machines, seen = data["machines"], set()
    for at, one in enumerate(data.get("migrations", ())):
        version = one["from"]
        with within(f"the migration from {version}", "migrations", at):
            if version >= data["version"] or version in seen:
                older = "has one already" if version in seen else "is not older than this one"
                raise NotUnderstood(f"version {version} {older}", ("from",))
            seen.add(version)
            for key in ("states", "context", "events", "old", "retired"):
                for name in one.get(key, {}):
                    with within("", key, name):
                        known("machine", name, machines)
            for kind, key in (("state", "states"), ("event", "events")):
                for name, told in one.get(key, {}).items():
                    with within("", key, name):
                        all_known(kind, told, machines[name].get(key, {}))
            for name, told in one.get("old", {}).items():
                with within("", "old", name):
                    all_known("type", told, (*READABLE, *OPAQUE, *enums))


def check_earlier_names(kind: str, parts: Mapping[str, Any]) -> None:
    """Raise NotUnderstood for a `was` that names what is there, or what another one was."""
    was = {name: said["was"] for name, said in parts.items() if said and said.get("was")}
    for name, old in was.items():
        if old == name or (old in parts and old not in was):
            raise NotUnderstood(f"{kind} '{name}' was '{old}', which is there", (name, "was"))
    once(f"earlier {kind}", (((name, "was"), old) for name, old in was.items()))
