"""The pages of the API reference: each public name once, in the groups of docs/reference/api.md."""

from __future__ import annotations

import ast
import enum
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from types import FunctionType, ModuleType
from typing import Final

from docs.website.pages import DOCS

__all__ = ["API", "Part", "linked", "parts", "public", "said_of", "targets", "text_of"]

API: Final = DOCS / "reference" / "api.md"
_MODULE: Final = re.compile(r"(?m)^## `(?P<name>milepost[\w.]*)`\n")
_GROUP: Final = re.compile(r"(?m)^- \*\*(?P<title>[^*]+):\*\*(?P<names>.*)$")
_CODE: Final = re.compile(r"`(?P<name>\w+)`")
_ALL: Final = "All names of its `__all__`."
_MANY: Final = 20
"""Methods from which on a class shows them by the parts that it is made of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One page of the reference: `names` are those of `module`, in the order of the page."""

    page: str
    title: str
    module: str
    names: tuple[str, ...]


@cache
def parts() -> tuple[Part, ...]:
    """The pages, in the order of docs/reference/api.md."""
    text = API.read_text(encoding="utf-8")
    starts = [*_MODULE.finditer(text)]
    found: list[Part] = []
    for start, end in zip(starts, [*(each.start() for each in starts[1:]), len(text)], strict=True):
        module = start["name"]
        section = text[start.end() : end]
        offered = importlib.import_module(module).__all__
        groups = [*_GROUP.finditer(section)]
        short = module.removeprefix("milepost.")
        if groups:
            for group in groups:
                named = _named(group["names"], offered)
                if named:
                    page = re.sub(r"\W+", "-", group["title"].lower())
                    found.append(Part(page=page, title=group["title"], module=module, names=named))
        elif module == "milepost.errors" or _ALL in section:
            found.append(Part(page=short, title=f"``{module}``", module=module, names=(*offered,)))
        else:
            named = _named(section, offered)
            found.append(Part(page=short, title=f"``{module}``", module=module, names=named))
    return tuple(found)


def _named(text: str, offered: list[str]) -> tuple[str, ...]:
    """The names of a module that a text has as code, each once."""
    return tuple(dict.fromkeys(name for name in _CODE.findall(text) if name in offered))


@cache
def public() -> dict[str, object]:
    """Everything that the reference describes, under the whole name that it has there.

    What several modules offer is described where it comes first; errors are of `milepost.errors`.
    """
    found: dict[str, object] = {}
    seen: dict[int, str] = {}
    for part in sorted(parts(), key=lambda part: part.module != "milepost.errors"):
        for name in part.names:
            thing = getattr(importlib.import_module(part.module), name)
            if not isinstance(thing, type | FunctionType) or id(thing) not in seen:
                seen[id(thing)] = found_as = f"{part.module}.{name}"
                found[found_as] = thing
    return found


@cache
def targets() -> dict[str, str]:
    """What code may call a public name, with the whole name that it stands for.

    A class by its name alone where only one has it, a method as `Class.method`, everything by its
    whole name. Functions and constants have no short name: `run` and `table` are words, too.
    """
    found: dict[str, str] = {}
    doubtful: set[str] = set()
    for whole, thing in public().items():
        name = whole.rpartition(".")[2]
        found[whole] = whole
        if not isinstance(thing, type):
            continue
        for short, target in (
            (name, whole),
            *((f"{name}.{m}", f"{whole}.{m}") for m in _of(thing)),
        ):
            if short in found:
                doubtful.add(short)
            found[short] = target
    return {name: whole for name, whole in found.items() if name not in doubtful}


def linked(text: str) -> str:
    """The text of docs/reference/api.md, in which names lead to where they are described."""
    made: list[str] = []
    at = 0
    starts = [*_MODULE.finditer(text)]
    for start, end in zip(starts, [*(each.start() for each in starts[1:]), len(text)], strict=True):
        module = importlib.import_module(start["name"])
        made += [text[at : start.end()], _CODE.sub(partial(_role, module), text[start.end() : end])]
        at = end
    return "".join(made) + text[at:]


def _role(module: ModuleType, found: re.Match[str]) -> str:
    """A name of the module as a link; other code as it is."""
    name = found["name"]
    whole = _described_as(module, name) if name in module.__all__ else ""
    return f"{{py:obj}}`{name} <{whole}>`" if whole else found[0]


def _described_as(module: ModuleType, name: str) -> str:
    """The whole name under which what the module offers is described."""
    whole = f"{module.__name__}.{name}"
    return whole if whole in public() else _homes()[id(getattr(module, name))]


@cache
def _homes() -> dict[int, str]:
    return {id(thing): whole for whole, thing in public().items()}


def text_of(part: Part, *, first: bool) -> str:
    """The page in reStructuredText.

    Args:
        part: The page.
        first: It is the first one of its module, and so the place that the module's name leads to.
    """
    module = importlib.import_module(part.module)
    lines = [part.title, "=" * len(part.title), ""]
    if first:
        lines += [f".. py:module:: {part.module}", ""]
    else:
        lines += [f".. py:currentmodule:: {part.module}", ""]
    if part.title.startswith("``"):
        lines += [(module.__doc__ or "").partition("\n\n")[0].replace("`", "``"), ""]
    elsewhere = []
    for name in part.names:
        whole = _described_as(module, name)
        if whole == f"{part.module}.{name}":
            lines += [*_directive(whole, public()[whole]), ""]
        else:
            elsewhere.append(f":py:obj:`{name} <{whole}>`")
    if elsewhere:
        lines += [f"Described elsewhere: {', '.join(elsewhere)}.", ""]
    return "\n".join(lines)


def _directive(whole: str, thing: object) -> Iterator[str]:
    """The directives that describe one thing, with its members."""
    if isinstance(thing, FunctionType):
        yield f".. autofunction:: {whole}"
    elif isinstance(thing, type):
        yield f".. autoclass:: {whole}"
        if issubclass(thing, Exception):
            yield "   :show-inheritance:"
        yield ""
        members = _of(thing)
        title = ""
        for name, (home, kind) in members.items():
            part = (home.__doc__ or "").partition("\n")[0]
            if len(members) >= _MANY and part != title and home is not thing:
                yield from (f"   .. rubric:: {part.rstrip('.').replace('`', '``')}", "")
                title = part
            yield from (f"   .. {kind}:: {whole}.{name}", "")
    else:
        yield f".. autodata:: {whole}"


def _of(kind: type) -> dict[str, tuple[type, str]]:
    """The public members of a class that are ours, with where each is defined and its directive.

    Fields that say nothing are in the signature; here are those with a text of their own.
    """
    found: dict[str, tuple[type, str]] = {}
    if issubclass(kind, enum.Enum):
        return dict.fromkeys(kind.__members__, (kind, "autoattribute"))
    for home in kind.__mro__:
        if not home.__module__.startswith("milepost"):
            continue
        said = _said(home)
        for name in (*said, *vars(home)):
            if name.startswith("_") or name in found:
                continue
            member = inspect.getattr_static(home, name, None)
            if isinstance(member, property) or hasattr(member, "func"):
                found[name] = (home, "autoproperty")
            elif isinstance(member, FunctionType | classmethod | staticmethod):
                found[name] = (home, "automethod")
            elif name in said:
                found[name] = (home, "autoattribute")
    return found


@cache
def _said(home: type) -> tuple[str, ...]:
    """The fields of a class that have a docstring, in its order."""
    try:
        (tree,) = ast.parse(inspect.cleandoc("\n" + inspect.getsource(home))).body
    except (OSError, TypeError, SyntaxError, IndentationError):
        return ()
    if not isinstance(tree, ast.ClassDef):
        return ()
    return tuple(
        _assigned(one)
        for one, other in pairwise(tree.body)
        if isinstance(one, ast.AnnAssign) and _text(other)
    )


def said_of(whole: str) -> str:
    """The docstring of a constant, from the module that it was written in; empty if it has none."""
    home, _, name = whole.rpartition(".")
    body = ast.parse(inspect.getsource(importlib.import_module(home))).body
    for one, other in pairwise([*body, ast.Pass()]):
        if isinstance(one, ast.ImportFrom) and one.module:
            for alias in one.names:
                if name == (alias.asname or alias.name):
                    return said_of(f"{one.module}.{alias.name}")
        if _assigned(one) == name:
            return _text(other)
    return ""


def _assigned(statement: ast.stmt) -> str:
    """The name that a statement assigns to, if it is one."""
    targets = (
        [statement.target]
        if isinstance(statement, ast.AnnAssign)
        else statement.targets
        if isinstance(statement, ast.Assign)
        else []
    )
    return targets[0].id if len(targets) == 1 and isinstance(targets[0], ast.Name) else ""


def _text(statement: ast.stmt) -> str:
    """The text that a statement is, as docstrings are."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    is_text = isinstance(value, ast.Constant) and isinstance(value.value, str)
    return inspect.cleandoc(value.value) if is_text else ""
