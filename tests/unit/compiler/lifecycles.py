"""Small definitions, and modules compiled from them, for the compiler's tests."""

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

from milepost_codegen.compiler import compile_definition
from milepost_codegen.python import emit_python

ROOT = Path(__file__).parents[3]
FINDINGS = ROOT / "tests" / "findings"

SMALL = """\
lifecycle: small
version: 1
machines:
  task:
    initial: open
    states: {open: {doc: To be done}, closed: {final: true}}
    events: {close: {}}
    transitions:
      - {from: open, on: close, to: closed}
"""

GOLDEN = ROOT / "tests" / "golden"
RICH = (GOLDEN / "rich_example.yaml").read_text(encoding="utf-8")  # one of everything

_NUMBERS = itertools.count()


def load(text: str, folder: Path) -> ModuleType:
    """The module that is generated from a definition, imported from `folder`."""
    compiled = compile_definition(text.encode(), "test.yaml")
    name = f"generated_{next(_NUMBERS)}"
    path = folder / f"{name}.py"
    path.write_text(emit_python(compiled.lifecycle), encoding="utf-8")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
