"""Reads a class and its bases into the model, by their syntax alone."""

from __future__ import annotations

import ast
import builtins
import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from milepost_twin.model import Import, Kind, Method, Parameter, Source, Twin, TwinFault

__all__ = ["Reader"]

_STREAMS: Final = ("Iterator[", "Generator[")
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class _Module:
    name: str
    path: Path
    text: str
    tree: ast.Module
    imports: Mapping[str, Import]

    def classes(self) -> dict[str, ast.ClassDef]:
        return {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}


class Reader:
    """Reads sources below `root`, the folder that holds the package `milepost`."""

    def __init__(self, root: Path, twins: Collection[str]) -> None:
        self._root = root
        self._twins = twins
        self._modules: dict[str, _Module] = {}

    def source(self, twin: Twin) -> Source:
        """The public methods of the class of `twin`, those of its bases before its own.

        Raises TwinFault for a method that no rule covers.
        """
        by_hand = self._by_hand(twin)
        methods: dict[str, Method] = {}
        imports: dict[str, Import] = {}
        for module, node in self._lineage(twin.module, twin.name):
            for function in node.body:
                if not isinstance(function, _Function) or function.name.startswith("_"):
                    continue
                method = self._method(module, function, by_hand)
                methods.pop(method.name, None)
                methods[method.name] = method
                for name, origin in _used(module, function):
                    if imports.setdefault(name, origin) != origin:
                        where = f"{module.path}:{function.lineno}"
                        raise TwinFault(f"{where}: {name} has another meaning in another part")
        meaning = repr((list(methods.values()), sorted(imports.items())))
        digest = hashlib.blake2b(meaning.encode(), digest_size=12).hexdigest()
        return Source(methods=tuple(methods.values()), imports=imports, digest=digest)

    def _by_hand(self, twin: Twin) -> frozenset[str]:
        """The methods that the base class of the twin has, without their `_`."""
        found = self._module(twin.base_module).classes().get(twin.base_name)
        if found is None:
            raise TwinFault(f"{twin.base_module} has no class {twin.base_name}")
        names = {node.name for node in found.body if isinstance(node, _Function)}
        return frozenset(
            name[1:] for name in names if name.startswith("_") and not name.startswith("__")
        )

    def _lineage(self, module_name: str, name: str) -> Iterator[tuple[_Module, ast.ClassDef]]:
        """The bases of a class, each before those that build on it, and the class itself.

        Bases outside of `milepost` are left out, as are those that stood before.
        """
        met: set[tuple[str, str]] = set()

        def climb(module_name: str, name: str) -> Iterator[tuple[_Module, ast.ClassDef]]:
            if (module_name, name) in met:
                return
            met.add((module_name, name))
            module = self._module(module_name)
            node = module.classes().get(name)
            if node is None:
                raise TwinFault(f"{module.path} has no class {name}")
            for base in node.bases:
                if isinstance(base, ast.Name):
                    origin = module.imports.get(base.id, Import(module_name, base.id))
                    if origin.module.partition(".")[0] == "milepost":
                        yield from climb(*origin)
            yield module, node

        return climb(module_name, name)

    def _module(self, name: str) -> _Module:
        if name not in self._modules:
            stem = self._root.joinpath(*name.split("."))
            path = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
            text = path.read_text(encoding="utf-8")
            tree = ast.parse(text, path)
            self._modules[name] = _Module(name, path, text, tree, dict(_imports(name, tree)))
        return self._modules[name]

    def _method(self, module: _Module, node: _Function, by_hand: frozenset[str]) -> Method:
        where = f"{module.path}:{node.lineno}"
        arguments = node.args
        if arguments.vararg or arguments.kwarg or arguments.posonlyargs:
            raise TwinFault(f"{where}: {node.name} takes *args, **kwargs or arguments without name")
        if isinstance(node, ast.AsyncFunctionDef) or node.returns is None:
            raise TwinFault(f"{where}: {node.name} is no function of a known return type")
        given = [*arguments.args[1:], *arguments.kwonlyargs]
        plain = arguments.args[1:]
        missing = [None] * (len(plain) - len(arguments.defaults))
        defaults = [*missing, *arguments.defaults, *arguments.kw_defaults]
        parameters = tuple(
            Parameter(
                name=argument.arg,
                annotation=_text(where, argument.annotation),
                default=None if default is None else _text(where, default),
                keyword_only=argument in arguments.kwonlyargs,
            )
            for argument, default in zip(given, defaults, strict=True)
        )
        returns = _text(where, node.returns)
        decorators = tuple(_text(where, decorator) for decorator in node.decorator_list)
        return Method(
            name=node.name,
            kind=self._kind(where, node.name, decorators, returns, by_hand),
            parameters=parameters,
            returns=returns,
            doc=_doc_lines(module, node),
        )

    def _kind(
        self,
        where: str,
        name: str,
        decorators: tuple[str, ...],
        returns: str,
        by_hand: frozenset[str],
    ) -> Kind:
        stream = returns.startswith(_STREAMS)
        match decorators:
            case ("property",):
                return Kind.PART if returns in self._twins else Kind.PROPERTY
            case ("classmethod",):
                return Kind.OPENER
            case ("contextmanager",) if stream:
                return Kind.BLOCK
            case ():
                if name in by_hand:
                    return Kind.BY_HAND
                return Kind.STREAM if stream else Kind.CALL
        raise TwinFault(f"{where}: no twin is known for {name} under {', '.join(decorators)}")


def _imports(module: str, tree: ast.Module) -> Iterator[tuple[str, Import]]:
    """What each name of a module stands for: what is imported, and what is defined there."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str(origin), level=0):
                for alias in node.names:
                    yield alias.asname or alias.name, Import(origin, alias.name)
            case ast.Import():
                for alias in node.names:
                    yield alias.asname or alias.name, Import(alias.name, "")
            case _:
                pass
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield name, Import(module, name)
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, Import(module, name)
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name, Import(module, name)
            case _:
                pass


def _used(module: _Module, node: _Function) -> Iterator[tuple[str, Import]]:
    """The names in the signature of `node`, with their origins."""
    arguments = node.args
    given = [*arguments.args[1:], *arguments.kwonlyargs]
    looked_at = [
        *(argument.annotation for argument in given),
        *arguments.defaults,
        *arguments.kw_defaults,
        node.returns,
    ]
    for expression in looked_at:
        if expression is None:
            continue
        for part in ast.walk(expression):
            if not isinstance(part, ast.Name):
                continue
            if part.id in module.imports:
                yield part.id, module.imports[part.id]
            elif not hasattr(builtins, part.id):
                raise TwinFault(f"{module.path}:{node.lineno}: where does {part.id} come from?")


def _text(where: str, node: ast.expr | None) -> str:
    """The expression on one line, with the quotes of this project."""
    if node is None:
        raise TwinFault(f"{where}: a parameter has no annotation")
    text = ast.unparse(node)
    if '"' in text:
        raise TwinFault(f"{where}: a literal with quotes in it: {text}")
    return text.replace("'", '"')


def _doc_lines(module: _Module, node: _Function) -> tuple[str, ...]:
    """The lines of the docstring as they stand in the source, the quotes with them."""
    match node.body[0]:
        case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=int(last)):
            lines = module.text.splitlines()[first - 1 : last]
            return tuple(line.removeprefix("        ") for line in lines)
    raise TwinFault(f"{module.path}:{node.lineno}: {node.name} has no docstring")
