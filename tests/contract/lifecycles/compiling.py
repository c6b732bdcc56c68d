"""Definitions compiled as users compile theirs, into a folder, and imported from there."""

from __future__ import annotations

import atexit
import re
import shutil
import sys
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import mkdtemp
from types import ModuleType

from click.testing import CliRunner

from milepost.discovery.modules import Target, load
from milepost.machine import Lifecycle
from milepost_codegen.cli import compile_command
from milepost_codegen.compiler import compile_definition
from milepost_codegen.model import Lifecycle as Resolved
from milepost_codegen.python import emit_python

__all__ = ["BUILT_IN", "BUILT_IN_1", "ROOT", "at_once", "executed", "lifecycle_of", "module_of"]

ROOT = Path(__file__).parents[3]
_NUMBERS = count()
BUILT_IN = (ROOT / "statemachine.yaml").read_text(encoding="utf-8")
BUILT_IN_1 = (ROOT / "lifecycles" / "mapreduce-1.yaml").read_text(encoding="utf-8")


@cache
def module_of(text: str, *earlier: str) -> Path:
    """The generated module of a definition; those of `earlier` versions lie beside it."""
    folder = Path(mkdtemp(prefix="lifecycle-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    named = re.search(r"^lifecycle: (\w+)$", text, re.MULTILINE)
    assert named is not None
    sources = [folder / f"definition_{number}.yaml" for number in range(1 + len(earlier))]
    for source, one in zip(sources, (text, *earlier), strict=True):
        source.write_text(one, encoding="utf-8")
    asked = [str(sources[0]), "--out", str(folder)]
    for source in sources[1:]:
        asked += ["--earlier", str(source)]
    done = CliRunner().invoke(compile_command, asked)
    assert done.exit_code == 0, done.output
    return folder / f"{named[1]}.py"


@cache
def lifecycle_of(text: str, *earlier: str) -> Lifecycle:
    """The lifecycle of a definition, with its upgrades from `earlier` versions."""
    return load(Target.of(str(module_of(text, *earlier))))


def at_once(text: str) -> Lifecycle:
    """The lifecycle of a definition without files and drawings. Raises DefinitionError."""
    return executed(compile_definition(text.encode(), "definition.yaml").lifecycle)


def executed(resolved: Resolved) -> Lifecycle:
    """The lifecycle in the module that is generated of a resolved definition, sound or not."""
    source = emit_python(resolved)
    module = ModuleType(f"at_once_{next(_NUMBERS)}")
    sys.modules[module.__name__] = module  # dataclasses look their own module up
    try:
        exec(compile(source, module.__name__, "exec"), module.__dict__)  # noqa: S102 ours
    finally:
        del sys.modules[module.__name__]
    lifecycle: Lifecycle = module.__dict__["LIFECYCLE"]
    return lifecycle
