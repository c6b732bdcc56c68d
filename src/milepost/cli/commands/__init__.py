"""The commands, one module each: parse, ask the read model, answer. A call loads its own alone."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final, NamedTuple

import click

__all__ = ["COMMANDS", "COMPILER", "TASKS", "Listed", "command"]


class Listed(NamedTuple):
    """What is known of a command before it is loaded: its module, and the first line of its help.

    The module has the command under its own name.
    """

    module: str
    told: str


TASKS: Final[Mapping[str, Mapping[str, Listed]]] = {
    "Look at jobs": {
        "jobs": Listed("jobs", "List the jobs of a store, newest first."),
        "show": Listed("show", "Show one job: where it is and what it would take now."),
        "history": Listed("history", "Show what happened to a job, oldest first."),
        "watch": Listed("watch", "Show how far a job is, live, until it has ended."),
        "results": Listed("results", "Show the results of a job, or that of one item."),
        "items": Listed("items", "List the items of a job with their last failures."),
        "failures": Listed(
            "failures",
            "Show what went wrong with the items of a job, how often, first and last when.",
        ),
        "changes": Listed("changes", "Show what is different in a job after B against after A."),
        "diagram": Listed("diagram", "Draw a job's own path on its lifecycle, as SVG."),
        "serve": Listed(
            "serve", "Serve pages about the jobs of a store, for a browser; they change nothing."
        ),
    },
    "Take a job up again": {
        "plan": Listed("plan", "Show what is left to do of a job, and why."),
        "recover": Listed("recover", "Take a job up again from where it was left."),
        "rewind": Listed("rewind", "Go back to a commit of a job, and take it up from there."),
        "fork": Listed("fork", "Make a new job that stands as another stood at a commit."),
        "checkpoint": Listed("checkpoint", "Take a checkpoint of a job, or list those it has."),
    },
    "Steer a job": {
        "pause": Listed("pause", "Stop a job for a while; what is running may still end."),
        "resume": Listed("resume", "Let a job that was paused go on in the phase that it was in."),
        "retry": Listed("retry", "Take a job that failed up again, in the phase that failed."),
        "cancel": Listed("cancel", "Stop a job for good; what is done stays done."),
        "delete": Listed(
            "delete", "Delete one job that has ended, whatever its age; exit 1 if it stays."
        ),
        "keep": Listed(
            "keep", "Say how long a job is kept; without --for and --by-policy, show it."
        ),
    },
    "Steer its items": {
        "dead": Listed(
            "dead", "List the dead letters of a job; with KEY, every failed attempt at that item."
        ),
        "requeue": Listed(
            "requeue", "Take dead letters out of the queue, to be tried again with all attempts."
        ),
        "redo": Listed(
            "redo",
            "Let items that are done wait for an attempt again; the history keeps their results.",
        ),
        "skip": Listed("skip", "Leave items out of a job: it ends without them."),
        "allow-dead": Listed(
            "allow_dead",
            "Let a job complete with N dead items more than before, as a recorded fact.",
        ),
    },
    "Take data in and out": {
        "import": Listed(
            "import_jobs",
            "Make jobs of those that another tool left behind; exit 1 if anything was lost.",
        ),
        "export": Listed(
            "export",
            "Write the results of a job as a table, or its items, or its failed attempts.",
        ),
        "move": Listed(
            "move",
            "Move the jobs of a store to another, or one of them; exit 1 if any has to stay.",
        ),
    },
    "Look after a store": {
        "verify": Listed(
            "verify",
            "Check all that a store promises; exit 1 if anything is wrong, 2 if that cannot be"
            " told.",
        ),
        "conform": Listed(
            "conform",
            "Hold logs against a definition; exit 1 if any departs, 2 if that cannot be told.",
        ),
        "salvage": Listed(
            "salvage",
            "Copy what can be had of a damaged store into a new one; exit 1 if that is not all.",
        ),
        "backup": Listed(
            "backup", "Write a copy of the store, as of this moment, to the new file COPY."
        ),
        "migrate": Listed(
            "migrate", "Show the format of a store, and take it to the newest with --apply."
        ),
        "compact": Listed("compact", "Merge the small commits of jobs into compressed blocks."),
        "gc": Listed(
            "gc", "Delete jobs that ended long enough ago; without --apply, show what would go."
        ),
        "sizes": Listed("sizes", "Show where the bytes of a job are, and its largest values."),
    },
    "Set up": {
        "lifecycles": Listed("lifecycles", "List the lifecycles that are found, and where."),
        "completion": Listed(
            "completion",
            "Write what makes a shell complete commands, options, names and ids of jobs.",
        ),
    },
}
"""Commands by what people want to do, in the order of the help."""

COMPILER: Final[Mapping[str, str]] = {
    "compile": "Generate tables, diagrams and reference pages from lifecycle definitions.",
    "check": "Prove that a lifecycle keeps what it promises, or show a run that breaks it.",
    "diff": "Say what changed from OLD to NEW, and whether stored jobs survive it.",
    "explain": "Say what a finding's CODE means and how to mend it.",
    "traces": "Show a run to every row, every pair of rows, and every condition both ways.",
    "schema": "Print the JSON Schema of lifecycle definitions, for editors.",
}
"""The first lines of the help of the compiler's commands, which join as those of others do."""

COMMANDS: Final[Mapping[str, Listed]] = {
    name: one for commands in TASKS.values() for name, one in commands.items()
}
"""By name, in the order of the help."""


def command(name: str) -> click.Command:
    """The command of that name in `COMMANDS`; its module is loaded now."""
    module = COMMANDS[name].module
    found = getattr(import_module(f"{__name__}.{module}"), module)
    assert isinstance(found, click.Command)
    return found
