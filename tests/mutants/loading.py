"""One module is a mutant here: python -m tests.mutants.loading NAME FOLDER TESTS.

Exit 0 if no test noticed, else 1 with the first that did on the last line.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from tests.mutants.changes import mutants
from tests.mutants.session import repeatable


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads one module from code that was compiled already."""

    code: CodeType

    def get_code(self, fullname: str) -> CodeType:
        """The changed code."""
        return self.code


class _Finder:
    """Finds that one module, before anybody else does."""

    def __init__(self, module: str, name: str) -> None:
        self._module, self._name = module, name

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The module with its change; None for every other."""
        if name != self._module:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path)
        assert spec is not None
        assert spec.origin is not None
        source = Path(spec.origin).read_text(encoding="utf-8")
        (one,) = (each for each in mutants(name, source, spec.origin) if each.name == self._name)
        loader = _Loader(name, spec.origin)
        loader.code = one.compiled()
        return importlib.util.spec_from_file_location(name, spec.origin, loader=loader)


class _First:
    """Says which test failed first."""

    failed = "the import"

    def pytest_configure(self) -> None:
        """Before the tests are imported, which keep what holds then."""
        repeatable()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep it."""
        if report.failed and self.failed == "the import":
            self.failed = report.nodeid


def main(name: str, place: str, tests: Sequence[str]) -> int:
    """Run the tests with the change."""
    sys.meta_path.insert(0, _Finder(name.partition(":")[0], name))  # type: ignore[arg-type]
    first = _First()
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--basetemp", place]
    ended = pytest.main([*options, *tests], plugins=[first])
    if ended == pytest.ExitCode.OK:
        return 0
    print(f"\n{first.failed}")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3:]))
