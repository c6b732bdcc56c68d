"""Each lifecycle is compiled once."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from functools import cache
from types import ModuleType

import pytest

from milepost_codegen.compiler import Compiled, compile_definition
from milepost_codegen.python import emit_python

from .tables import path_of


@pytest.fixture(scope="session")
def compiled() -> Callable[[str], Compiled]:
    @cache
    def by_name(name: str) -> Compiled:
        return compile_definition(path_of(name).read_bytes(), f"{name}.yaml")

    return by_name


@pytest.fixture(scope="session")
def source(compiled: Callable[[str], Compiled]) -> Callable[[str], str]:
    """The text of a lifecycle's generated module."""

    @cache
    def by_name(name: str) -> str:
        return emit_python(compiled(name).lifecycle)

    return by_name


@pytest.fixture(scope="session")
def module(
    source: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], ModuleType]:
    """A lifecycle's generated module, imported."""
    folder = tmp_path_factory.mktemp("generated")

    @cache
    def by_name(name: str) -> ModuleType:
        path = folder / f"{name}.py"
        path.write_text(source(name), encoding="utf-8")
        spec = importlib.util.spec_from_file_location(f"generated_{name}", path)
        assert spec is not None
        assert spec.loader is not None
        made = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = made
        spec.loader.exec_module(made)
        return made

    return by_name
