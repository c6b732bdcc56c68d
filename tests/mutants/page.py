"""The page of survivors: the scores of the last run, and why each survivor is harmless."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.mutants.chosen import MODULES
from tests.mutants.session import ROOT

__all__ = ["PAGE", "page", "reasons", "scores", "write_scores"]

PAGE: Final = ROOT / "docs" / "explanation" / "mutants.md"
_FOLDER: Final = Path(__file__).parent
_HEAD: Final = """\
# Mutants

A mutant is the source with one small change: a comparison turned, an operand, an argument, a
statement or a case left out, two arguments swapped, a constant, a default or a returned value
changed. Tests that do not notice it say nothing of what it changed. `make mutants` makes every
mutant of the modules that decide what a job is, and runs the tests that run the changed statement,
one process for each mutant, up to the first test that fails
([decision 76](decisions/0076-mutants-by-a-tool-of-our-own.md)).

A mutant that survives is looked at. Either a test is added, or it is named here with the reason why
nothing can notice it, or why nobody needs to. `make test` tries a sample again, and mutants of a
module of which it is known that exactly one cannot be noticed.

| Module | Mutants | Noticed | Named here |
| --- | ---: | ---: | ---: |
"""


def reasons() -> dict[str, str]:
    """Why each survivor is harmless, by its name."""
    told = tomllib.loads((_FOLDER / "survivors.toml").read_text(encoding="utf-8"))
    return {name: str(each["why"]) for each in told["because"] for name in each["mutants"]}


def scores() -> dict[str, dict[str, int]]:
    """How many mutants each module had in the last run, and how many of them survived."""
    found: dict[str, dict[str, int]] = json.loads(
        (_FOLDER / "scores.json").read_text(encoding="utf-8")
    )
    return found


def write_scores(found: Mapping[str, Mapping[str, int]]) -> None:
    """Keep those of a run."""
    (_FOLDER / "scores.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def page() -> str:
    """The page as it should be."""
    lines = [_HEAD]
    total: dict[str, int] = {"mutants": 0, "survivors": 0}
    for module, score in scores().items():
        lines.append(_row(f"`{module}`", score))
        total = {name: total[name] + count for name, count in score.items()}
    lines.append(_row("all", total))
    told = tomllib.loads((_FOLDER / "survivors.toml").read_text(encoding="utf-8"))["because"]
    for module in MODULES:
        lines.append(f"\n## `{module}`\n")
        for each in told:
            own = [name for name in each["mutants"] if name.startswith(f"{module}:")]
            if own:
                lines.append(f"\n{each['why']}\n\n")
                lines += [f"- `` {name.removeprefix(module)[1:]} ``\n" for name in own]
    return "".join(lines)


def _row(name: str, score: Mapping[str, int]) -> str:
    mutants, survivors = score["mutants"], score["survivors"]
    noticed = mutants - survivors
    return f"| {name} | {mutants} | {noticed} ({noticed / mutants:.1%}) | {survivors} |\n"
