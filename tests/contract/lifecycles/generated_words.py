"""Where code uses what a generated module has, found as a type checker finds it, and faster."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from inspect import Signature, signature
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

__all__ = ["Missing", "missing_in"]


class Missing(NamedTuple):
    """A line that uses something which the module does not have."""

    file: Path
    line: int
    what: str


def missing_in(files: list[Path], module: str, tables: ModuleType) -> list[Missing]:
    """What `files` use of the `module`, and `tables`, which stand in its place, do not have.

    Names, members of enums, other attributes of classes, and parameters of calls.
    """
    return [found for file in files for found in _in_file(file, module, tables)]


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def _in_file(file: Path, module: str, tables: ModuleType) -> Iterator[Missing]:
    package, _, name = module.rpartition(".")
    known: dict[str, Any] = {}
    for node in ast.walk(_tree(file)):
        if not isinstance(node, ast.ImportFrom):
            continue
        for alias in node.names:
            if node.module == module:
                if hasattr(tables, alias.name):
                    known[alias.asname or alias.name] = getattr(tables, alias.name)
                else:
                    yield Missing(file, node.lineno, alias.name)
            elif node.module == package and alias.name == name:
                known[alias.asname or alias.name] = tables
    for node in ast.walk(_tree(file)) if known else ():
        if isinstance(node, ast.Attribute):
            owner = _value(node.value, known)
            if _is_namespace(owner) and not hasattr(owner, node.attr):
                yield Missing(file, node.lineno, node.attr)
        elif isinstance(node, ast.Call):
            called = _value(node.func, known)
            for given in node.keywords if callable(called) else ():
                if given.arg is not None and given.arg not in _parameters(called):
                    yield Missing(file, given.lineno, given.arg)


def _value(node: ast.expr, known: dict[str, Any]) -> Any:
    """What an expression is, if it is one of the `known` or an attribute of one."""
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, known)
        return getattr(owner, node.attr, None) if _is_namespace(owner) else None
    return None


def _is_namespace(value: Any) -> bool:
    return isinstance(value, type | ModuleType)


def _parameters(called: Any) -> set[str]:
    found: Signature = signature(called)
    return set(found.parameters)
