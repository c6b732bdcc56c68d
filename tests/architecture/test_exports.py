"""Whatever users meet has a public home: a name to import, on the page of the API."""

from __future__ import annotations

import importlib
import re
import sys

from milepost import StateManager, errors
from tests.architecture.surface import (
    API,
    all_types,
    exported,
    functions,
    hints,
    named_types,
    public_modules,
)

_NAME = re.compile(r"`([A-Za-z_]\w*)`")


def sections() -> dict[str, str]:
    """The text of the page on the API, by module."""
    parts = re.split(r"^## `(.+)`$", API.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_type_that_users_meet_can_be_imported() -> None:
    """From `milepost` or another public module: parameters, results, fields of results and errors.

    Where this fails: export the class, or add its module to docs/reference/api.md.
    """
    public = {id(thing) for thing in exported().values()}
    homeless = {
        f"{kind.__module__}.{kind.__qualname__}": where
        for kind, where in all_types().items()
        if id(kind) not in public
    }
    assert homeless == {}


def test_the_page_has_every_public_name_and_no_other() -> None:
    """Errors have the headings of a page of their own, which another test looks at."""
    apart = set(errors.__all__)
    for name, text in sections().items():
        if name != "milepost.errors" and "`__all__`" not in text:
            module = importlib.import_module(name)
            listed = set(_NAME.findall(text))
            assert listed - set(module.__all__) <= {"milepost"}, name
            assert set(module.__all__) - apart <= listed, name


def test_the_walk_sees_the_whole_surface() -> None:
    """The negative control: what it should meet, and one that it would call homeless."""
    met = {kind.__name__ for kind in all_types()}
    assert {"Verification", "Repair", "Ledger", "Machine", "Transition", "RunOutcome"} <= met
    assert len(public_modules()) > 5
    assert len(dict(functions(StateManager))) > 50
    hidden = sys.modules["milepost.state.writing.append"].Appender
    assert list(named_types(list[hidden | None])) == [hidden]
    assert hidden not in exported().values()
    assert "job_id" in hints(StateManager.get_state)
