"""What harnesses counted: added up over a run, held against the page that says it, written there.

A test says what it tried by a property: `record_property("counted", (harness, counts))`, or
`"counted about"` for counts that chance has a part in. A test that shows what a harness objects to
has the mark `control(harness)`. A harness is judged when all of its files were run whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest

__all__ = [
    "ABOUT",
    "CONTROL",
    "COUNTED",
    "PAGE",
    "Harness",
    "added_up",
    "fallen",
    "read",
    "rewrite",
]

COUNTED: Final = "counted"
"""The name of a property: what a harness is called, and its counts, which every run has alike."""
ABOUT: Final = "counted about"
"""The same for counts that chance has a part in."""
CONTROL: Final = "control"
"""The name of the mark, and of the property, of a test that shows what a harness objects to."""
PAGE: Final = Path(__file__).parents[1] / "docs" / "explanation" / "evidence.md"
WRITE: Final = "MILEPOST_EVIDENCE"
"""The variable of the environment by which a run writes the page instead of judging by it."""
SOAK: Final = "MILEPOST_SOAK"
"""Where this is set, more is tried than the page says, under other names as well."""
LEAST: Final = 0.75
"""What of a count that chance has a part in must be there again."""

_BEGIN: Final = "<!-- counts: written by make evidence -->"
_END: Final = "<!-- counts end -->"
_HEAD: Final = "| what | counted | controls | again |\n| --- | --- | ---: | --- |\n"
_ROW: Final = re.compile(r"^\| (.+?) \| (.+?) \| (\d+) \| `pytest (.+?)` \|$", re.MULTILINE)
_COUNT: Final = re.compile(r"(about )?([\d,]+) (.+)")


@dataclass
class Harness:
    """What one harness counted in a run, how many tests object by it, and in which files."""

    counts: dict[str, int] = field(default_factory=dict)
    about: set[str] = field(default_factory=set)
    controls: int = 0
    files: set[str] = field(default_factory=set)

    def add(self, counts: Mapping[str, int], *, about: bool) -> None:
        """Count `counts` of one more test."""
        for name, count in counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
            if about:
                self.about.add(name)

    def told(self) -> str:
        """The counts as the page has them."""
        return "; ".join(
            f"{'about ' if name in self.about else ''}{count:,} {name}"
            for name, count in self.counts.items()
        )


def added_up(reports: Iterable[tuple[str, Iterable[tuple[str, Any]]]]) -> dict[str, Harness]:
    """What tests that passed counted, by the name of the harness.

    `reports` are the node id of each test and its properties, as pytest has them.
    """
    found: dict[str, Harness] = {}
    for node, properties in reports:
        for name, value in properties:
            if name not in (COUNTED, ABOUT, CONTROL):
                continue
            of = value if name == CONTROL else value[0]
            harness = found.setdefault(of, Harness())
            harness.files.add(node.partition("::")[0])
            if name == CONTROL:
                harness.controls += 1
            else:
                harness.add(value[1], about=name == ABOUT)
    return dict(sorted(found.items()))


def read(page: str) -> dict[str, Harness]:
    """What a page says. Raises ValueError if it has no place for the table, or a line is unlike."""
    found = {}
    for line in _table(page).splitlines()[2:]:
        row = _ROW.match(line)
        if row is None:
            raise ValueError(f"evidence.md: this line is no row of the table: {line!r}")
        harness = Harness(controls=int(row[3]), files=set(row[4].split()))
        for told in filter(None, row[2].split("; ")):
            count = _COUNT.fullmatch(told)
            if count is None:
                raise ValueError(f"evidence.md: {row[1]}: this is no count: {told!r}")
            harness.add({count[3]: int(count[2].replace(",", ""))}, about=bool(count[1]))
        found[row[1]] = harness
    return found


def _table(page: str) -> str:
    _, begun, rest = page.partition(_BEGIN)
    table, ended, _ = rest.partition(_END)
    if not begun or not ended:
        raise ValueError(
            f"evidence.md: the lines {_BEGIN!r} and {_END!r} must stand around the table"
        )
    return table.strip()


def rewrite(page: str, harnesses: Mapping[str, Harness]) -> str:
    """The page with the rows of `harnesses`; `read` reads them back. Raises ValueError."""
    before, after = page.partition(_BEGIN)[0], page.partition(_END)[2]
    rows = [
        f"| {name} | {one.told()} | {one.controls} | `pytest {' '.join(sorted(one.files))}` |\n"
        for name, one in sorted(harnesses.items())
        if one.counts
    ]
    _table(page)
    return f"{before}{_BEGIN}\n\n{_HEAD}{''.join(rows)}\n{_END}{after}"


def _least_by_chance(count: int) -> float:
    """What must be there again of a count that chance has a part in: of a small one, all but 5."""
    return min(count * LEAST, count - 5)


def fallen(
    said: Mapping[str, Harness], seen: Mapping[str, Harness], skipped: Iterable[str] = ()
) -> Iterator[str]:
    """What of `said` was not seen again, a line each; what was seen and is not said, too.

    A harness is excused where nothing of it was run, and each of its files has a test skipped.
    """
    left_out = set(skipped)
    for name, told in said.items():
        if name not in seen and told.files <= left_out:
            continue
        found = seen.get(name, Harness())
        for count, least in told.counts.items():
            number = found.counts.get(count, 0)
            if number < (_least_by_chance(least) if count in told.about else least):
                yield f"{name}: {number:,} {count}, where the page says {least:,}"
        if found.controls < told.controls:
            yield f"{name}: {found.controls} controls, where the page says {told.controls}"
    for name, found in seen.items():
        if not found.counts:
            yield f"{name}: a control names this harness, and no test counts by that name"
        elif name not in said:
            yield f"{name}: counted ({found.told()}), and not on the page"


def _judged(config: pytest.Config) -> bool:
    """True where whole files were run, none of them in a part."""
    chosen = config.getoption("keyword") or config.getoption("markexpr") or os.environ.get(SOAK)
    return (
        not chosen
        and not config.getoption("lf", False)
        and not any("::" in one for one in config.args)
    )


def _of_files(said: Mapping[str, Harness], files: set[str], root: Path) -> dict[str, Harness]:
    """The harnesses whose files were all run, or are there no more."""
    return {
        name: one
        for name, one in said.items()
        if all(file in files or not (root / file).is_file() for file in one.files)
    }


class Evidence:
    """The plugin: adds up, and judges or writes at the end of a run that failed nowhere."""

    def __init__(self, page: Path = PAGE) -> None:
        self.page = page
        self.seen: dict[str, Harness] = {}
        self.trouble: list[str] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Let the marks of a test be among its properties, which come back from other processes."""
        for mark in item.iter_markers(CONTROL):
            item.user_properties.extend((CONTROL, name) for name in mark.args)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge the run, or write the page."""
        terminal = session.config.pluginmanager.get_plugin("terminalreporter")
        if hasattr(session.config, "workerinput") or terminal is None:
            return
        passed, skipped = terminal.getreports("passed"), terminal.getreports("skipped")
        self.seen = added_up((one.nodeid, one.user_properties) for one in passed)
        if session.exitstatus != pytest.ExitCode.OK or not _judged(session.config):
            return
        text = self.page.read_text(encoding="utf-8")
        files = {one.nodeid.partition("::")[0] for one in (*passed, *skipped)}
        said = read(text)
        here = _of_files(said, files, session.config.rootpath)
        if os.environ.get(WRITE) == "write":
            left_out = {one.nodeid.partition("::")[0] for one in skipped}
            kept = {
                name: one
                for name, one in said.items()
                if name not in here or (name not in self.seen and one.files <= left_out)
            }
            mine = {name: one for name, one in self.seen.items() if name not in kept}
            self.page.write_text(rewrite(text, kept | mine), encoding="utf-8")
            return
        mine = {name: one for name, one in self.seen.items() if name not in said or name in here}
        self.trouble = list(fallen(here, mine, {one.nodeid.partition("::")[0] for one in skipped}))
        if self.trouble:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """One line for each thing that was counted, and what is less than the page says."""
        for name, harness in self.seen.items():
            if harness.counts:
                terminalreporter.write_line(f"{name}: {harness.told()}")
        if self.trouble:
            terminalreporter.section("evidence", red=True)
            for line in self.trouble:
                terminalreporter.write_line(line, red=True)
            terminalreporter.write_line("If this is right, write the page anew: make evidence.")
