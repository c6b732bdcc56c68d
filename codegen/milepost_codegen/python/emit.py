"""The generated Python module as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost_codegen.python.module import module_plan
from milepost_codegen.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from milepost_codegen.certificate import Proofs
    from milepost_codegen.model import Lifecycle

__all__ = ["emit_python"]


def emit_python(
    lifecycle: Lifecycle, earlier: Sequence[Lifecycle] = (), proofs: Proofs | None = None
) -> str:
    """The module for `lifecycle` without its header, formatted as `ruff format` leaves it.

    It knows how what is stored under each of the `earlier` versions goes on. Steps look at every
    invariant but those that `proofs` have.
    """
    return render("module.py.jinja", plan=module_plan(lifecycle, earlier, proofs))
