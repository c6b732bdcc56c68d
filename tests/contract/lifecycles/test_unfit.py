"""Lifecycles that no store can keep jobs of: refused at `open`, with the reason, and no file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from milepost import StateManager
from milepost.cli import main
from milepost.errors import LifecycleUnfit
from milepost.machine import Collection, Lifecycle, frozen
from milepost.testing import FakeClock

from .compiling import lifecycle_of, module_of

_MACHINE = """\
  {name}:
    initial: open
    states: {{open: {{}}, closed: {{final: true}}}}
    events: {{close: {{}}}}
    transitions: [{{from: open, on: close, to: closed}}]
    {owns}
"""


def _text(name: str = "things", version: int = 1, **machines: str) -> str:
    """A definition of machines, each of which owns a collection of the machine named, or none."""
    parts = [
        _MACHINE.format(
            name=machine,
            owns=f"collections: {{{of}s: {{machine: {of}, accepts: {{open: [close]}}}}}}"
            if of
            else "",
        )
        for machine, of in machines.items()
    ]
    return f"lifecycle: {name}\nversion: {version}\nmachines:\n{''.join(parts)}"


TWO_ROOTS = _text(order="", invoice="")
NESTED = _text(part="", box="part", truck="box")
FIT = _text(part="", box="part")


def _no_root() -> Lifecycle:
    """Two machines that own each other, which no definition may say."""
    fit = lifecycle_of(FIT)
    owned = Collection(name="boxes", machine="box", accepts=frozen({}))
    part = replace(fit.machines["part"], collections=frozen({"boxes": owned}))
    return Lifecycle(
        name=fit.name,
        version=fit.version,
        digest="0" * 32,
        doc="",
        enums={},
        machines={**fit.machines, "part": part},
    )


REASONS = {
    "two roots": (lambda: lifecycle_of(TWO_ROOTS), "each of the machines order, invoice"),
    "nested members": (
        lambda: lifecycle_of(NESTED),
        "members of truck.boxs own members themselves",
    ),
    "no root": (_no_root, "every machine is of a collection"),
}


@pytest.mark.parametrize("reason", REASONS)
def test_a_lifecycle_of_another_shape_is_refused(reason: str, tmp_path: Path) -> None:
    """Alone, beside others, and as an earlier version; nothing is made by the try."""
    made, told = REASONS[reason]
    unfit, fit, path = made(), lifecycle_of(FIT), tmp_path / "jobs.db"
    for given in (
        {"lifecycle": unfit},
        {"lifecycles": [fit, unfit]},
        {"lifecycle": fit, "earlier": [unfit]},
    ):
        with pytest.raises(LifecycleUnfit, match="things") as refused:
            StateManager.open(path, clock=FakeClock(), **given)  # type: ignore[arg-type]
        assert told in str(refused.value)
        assert not path.exists()


def test_one_of_the_right_shape_is_kept(tmp_path: Path) -> None:
    """Control: the definition that the unfit ones were made from."""
    with StateManager.open(tmp_path / "jobs.db", lifecycle=lifecycle_of(FIT)) as manager:
        assert manager.create_job(["a"]).phase == "open"


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    """Whichever is first; the same one twice is no trouble."""
    first, second = lifecycle_of(FIT), lifecycle_of(_text(version=2, part="", box="part"))
    for pair in ((first, second), (second, first)):
        with pytest.raises(LifecycleUnfit, match="two of that name") as refused:
            StateManager.open(tmp_path / "jobs.db", lifecycles=pair)
        assert "earlier=" in str(refused.value)
    with StateManager.open(tmp_path / "jobs.db", lifecycles=[first, first]) as manager:
        assert manager.lifecycles[0] is first


@pytest.mark.parametrize("text", [TWO_ROOTS, NESTED])
def test_the_command_line_refuses_it_too(text: str, tmp_path: Path) -> None:
    """With the reason, and the exit code for what cannot be done."""
    path = tmp_path / "jobs.db"
    StateManager.open(path).close()
    asked = ["jobs", "--db", str(path), "--lifecycle", str(module_of(text))]
    result = CliRunner().invoke(main, asked)
    assert result.exit_code == 2, result.output
    assert "things" in result.stderr
    assert "collection" in result.stderr
