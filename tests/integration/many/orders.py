"""A second lifecycle, `orders`, in versions that were compiled as users compile theirs."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType

from click.testing import CliRunner

from milepost.machine import Lifecycle
from milepost_codegen.cli import compile_command
from tests.integration.upgrades.versions import COMPATIBLE, FIRST, edited

ORDERS_1 = edited(FIRST, ("lifecycle: mapreduce", "lifecycle: orders"))
"""Version 1 of orders: the first built-in lifecycle under another name."""

ORDERS_2 = edited(COMPATIBLE, ("lifecycle: mapreduce", "lifecycle: orders"))
"""Version 2, which jobs of version 1 go on under."""

ORDERS_3 = edited(ORDERS_2, ("version: 2", "version: 3"), ("Put off by hand", "Put off"))
"""Version 3, the meaning of version 2 under the next number."""


def write(folder: Path, text: str, *earlier: str) -> Path:
    """Put `text`, compiled with `earlier` versions, into `folder`; the module's path."""
    folder.mkdir(parents=True, exist_ok=True)
    for module in _compiled(text, *earlier).glob("*.py"):
        shutil.copy(module, folder)
    return folder / "orders.py"


@cache
def _compiled(text: str, *earlier: str) -> Path:
    """A folder with what the compiler makes of `text`."""
    folder = Path(mkdtemp())
    sources = []
    for number, one in enumerate((text, *earlier)):
        source = folder / f"definition_{number}.yaml"
        source.write_text(one, encoding="utf-8")
        sources.append(str(source))
    arguments = [sources[0], "--out", str(folder)]
    for source in sources[1:]:
        arguments += ["--earlier", source]
    done = CliRunner().invoke(compile_command, arguments)
    assert done.exit_code == 0, done.output
    return folder


@cache
def compiled(text: str, *earlier: str) -> Lifecycle:
    """The lifecycle of `text`, with upgrades from `earlier` versions."""
    lifecycle: Lifecycle = _module(_compiled(text, *earlier) / "orders.py").LIFECYCLE
    return lifecycle


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"many_{path.parent.name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their own module up
    spec.loader.exec_module(module)
    return module
