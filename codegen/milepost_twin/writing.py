"""Writes the module of a twin from the model."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from milepost_codegen.header import Tool, with_header
from milepost_codegen.layout import WIDTH, Bracketed, lay_out
from milepost_twin.model import Import, Kind, Method, Parameter, Source, Twin

__all__ = ["TOOL", "written"]

TOOL: Final = Tool(generate="make compile", check="make drift")

_STEP: Final = 4
_OWN: Final[Mapping[str, Import]] = {
    "AsyncIterator": Import("collections.abc", "AsyncIterator"),
    "asynccontextmanager": Import("contextlib", "asynccontextmanager"),
    "partial": Import("functools", "partial"),
}
"""What twins are written with, beside the names of their sources."""
_THREADS: Final = Parameter(name="threads", annotation="int", default="32", keyword_only=True)
_THREADS_DOC: Final = "threads: How many calls run side by side, at most."
"""What the twin of an opener takes more."""


def written(twin: Twin, source: Source, twins: Mapping[str, Twin]) -> str:
    """The module of `twin`, whole, under its header; `twins` are known by their source's name."""
    methods = "\n\n".join("\n".join(_method(twin, method, twins)) for method in source.methods)
    doc = "\n".join(_indented(f'"""{twin.doc}"""'.splitlines(), 1))
    body = f"class {twin.twin_name}({twin.base}):\n{doc}\n\n{methods}\n"
    imports = {
        **source.imports,
        **{each.twin_name: Import(each.twin_module, each.twin_name) for each in twins.values()},
        **_OWN,
        twin.name: Import(twin.module, twin.name),
        twin.base_name: Import(twin.base_module, twin.base_name),
    }
    module = (
        f'"""{twin.twin_name}: {twin.name}, awaited; it decides nothing."""\n\n'
        "from __future__ import annotations\n\n"
        f"{''.join(_import_lines(body, imports, twin.twin_module))}\n"
        f'__all__ = ["{twin.twin_name}"]\n\n\n{body}'
    )
    return with_header(
        module, suffix=".py", source=twin.module, source_digest=source.digest, tool=TOOL
    )


def _method(twin: Twin, method: Method, twins: Mapping[str, Twin]) -> list[str]:
    """The lines of one method of the twin."""
    parameters, returns, doc = method.parameters, method.returns, method.doc
    given = tuple(
        f"{parameter.name}={parameter.name}" if parameter.keyword_only else parameter.name
        for parameter in parameters
    )
    reached = f"{twin.through}.{method.name}"
    answer = "" if returns == "None" else "return "
    decorator, define, first = "", "async def", "self"
    match method.kind:
        case Kind.PROPERTY:
            decorator, define = "property", "def"
            body = [f"return {reached}"]
        case Kind.PART:
            part = twins[returns].twin_name
            decorator, define, returns = "property", "def", part
            body = [f"return {part}({reached}, self._threads)"]
        case Kind.OPENER:
            decorator, first, returns = "classmethod", "cls", twin.twin_name
            parameters, doc = (*parameters, _THREADS), _with_argument(doc, _THREADS_DOC)
            opened = _call("opened = partial(", (f"{twin.name}.{method.name}", *given))
            body = [opened, "return await cls._opened(opened, threads)"]
        case Kind.BY_HAND:
            body = [_call(f"{answer}await self._{method.name}(", given)]
        case Kind.BLOCK:
            decorator, returns = "asynccontextmanager", f"Async{returns}"
            body = [
                _call(f"block = {reached}(", given),
                "async with self._threads.entered(block) as entered:",
                "    yield entered",
            ]
        case Kind.STREAM:
            define, returns = "def", f"Async{returns}"
            body = [_call("return self._threads.stream(", (reached, *given))]
        case Kind.CALL:
            body = [_call(f"{answer}await self._threads.call(", (reached, *given))]
    signature = Bracketed(
        opening=f"{define} {method.name}(",
        items=(first, *_declared(parameters)),
        closing=f") -> {returns}:",
    )
    return [
        *([f"{' ' * _STEP}@{decorator}"] if decorator else []),
        lay_out(signature, indent=_STEP),
        *_indented(doc, 2),
        *_indented("\n".join(body).splitlines(), 2),
    ]


def _declared(parameters: Iterable[Parameter]) -> Iterator[str]:
    """Parameters as a signature has them."""
    keywords = False
    for parameter in parameters:
        if parameter.keyword_only and not keywords:
            keywords = True
            yield "*"
        default = "" if parameter.default is None else f" = {parameter.default}"
        yield f"{parameter.name}: {parameter.annotation}{default}"


def _call(opening: str, items: tuple[str, ...]) -> str:
    """A call as a statement, laid out for the body of a method, without its indentation."""
    code = Bracketed(opening=opening, items=items, closing=")")
    lines = lay_out(code, indent=2 * _STEP).splitlines()
    return "\n".join(line[2 * _STEP :] for line in lines)


def _with_argument(doc: tuple[str, ...], line: str) -> tuple[str, ...]:
    """A docstring with one more line at the end of its section Args, if it has one."""
    if "Args:" not in doc:
        return doc
    end = doc.index("Args:") + 1
    while end < len(doc) and doc[end].startswith(" "):
        end += 1
    return (*doc[:end], f"{' ' * _STEP}{line}", *doc[end:])


def _indented(lines: Iterable[str], steps: int) -> Iterator[str]:
    return (f"{' ' * _STEP * steps}{line}" if line else "" for line in lines)


def _import_lines(body: str, imports: Mapping[str, Import], here: str) -> Iterator[str]:
    """The import statements for what `body` names, in the order that the linter wants."""
    names = {node.id for node in ast.walk(ast.parse(body)) if isinstance(node, ast.Name)}
    needed = {(*imports[name], name) for name in names & set(imports)}
    statements: dict[tuple[bool, bool, str, str], list[str]] = {}
    for module, name, local in sorted(needed):
        late = module.partition(".")[0] not in sys.stdlib_module_names
        renamed = local if name and local != name else ""
        if module != here:
            statements.setdefault((late, bool(name), module, renamed), []).append(name)
    for late in (False, True):
        for key, found in sorted(statements.items()):
            if key[0] is late:
                yield f"{_import(key[2], found, key[3])}\n"
        yield "" if late else "\n"


def _import(module: str, names: list[str], renamed: str) -> str:
    """One statement; without a name, of the module itself."""
    if names == [""]:
        return f"import {module}"
    if renamed:
        return f"from {module} import {names[0]} as {renamed}"
    items = tuple(sorted(names, key=_rank))
    flat = f"from {module} import {', '.join(items)}"
    if len(flat) <= WIDTH:
        return flat
    return lay_out(Bracketed(opening=f"from {module} import (", items=items, closing=")"))


def _rank(name: str) -> tuple[int, str]:
    """Constants, then classes, then all others, as the linter sorts them."""
    constant = len(name) > 1 and name.isupper()
    return (0 if constant else 1 if name[0].isupper() else 2, name)
