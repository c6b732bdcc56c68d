"""The code that is generated from a lifecycle, imported as its users import it."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from milepost import machine as tables
from milepost_codegen.python import emit_python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.model import Lifecycle

__all__ = ["generated"]

_NAME: Final = "milepost_generated_for_a_check"


@contextmanager
def generated(lifecycle: Lifecycle) -> Iterator[tables.Lifecycle]:
    """The tables of `lifecycle`: its module is written to a folder of its own, and imported."""
    with tempfile.TemporaryDirectory(prefix="milepost-check-") as folder:
        path = Path(folder) / f"{lifecycle.name}.py"
        path.write_text(emit_python(lifecycle), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(_NAME, path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = module  # dataclasses look their own module up
        try:
            spec.loader.exec_module(module)
            made = module.LIFECYCLE
            assert isinstance(made, tables.Lifecycle)
            yield made
        finally:
            del sys.modules[_NAME]
