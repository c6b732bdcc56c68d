"""Everything that one definition file generates, as texts and the paths they belong to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from milepost.drawings.dot import dot
from milepost.drawings.draw import draw
from milepost.drawings.mermaid import as_ascii, mermaid
from milepost.drawings.svg import RendererMissing, render_svg
from milepost_codegen.digest import digest_of_text
from milepost_codegen.drawings.sketch import sketch
from milepost_codegen.findings import DefinitionError, Finding, Place
from milepost_codegen.header import with_header
from milepost_codegen.project import ProjectProblem
from milepost_codegen.python import emit_python
from milepost_codegen.reference import emit_reference
from milepost_codegen.validate import validate_module

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from milepost_codegen.certificate import Proofs
    from milepost_codegen.model import Lifecycle
    from milepost_codegen.project import Target

__all__ = ["Definition", "Output", "outputs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A generated file; `text` is None where its renderer is missing.

    `certificate` names the file by whose proofs it is as it is, `""` if there is none.
    """

    path: Path
    text: str | None
    source_digest: str
    certificate: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """A compiled definition with the file that it was read from."""

    lifecycle: Lifecycle
    name: str
    content: bytes


def outputs(
    definition: Definition,
    target: Target,
    earlier: Sequence[Definition] = (),
    proofs: Proofs | None = None,
) -> tuple[Output, ...]:
    """The outputs of `definition` in the folders of `target`.

    For each of the `earlier` versions there is a module beside its own, with the tables by which
    what was stored under it can be read. Its own steps look at all invariants but those that the
    `proofs` have. Raises ProjectProblem for one that is not earlier, and DefinitionError where a
    module, read back, is not proved to say what its definition says.
    """
    _check_versions(definition, earlier)
    before = [one.lifecycle for one in earlier]
    made = [
        _output(definition, path, body, earlier if path.suffix == ".py" else ())
        for path, body in _bodies(definition.lifecycle, target, before, proofs)
    ]
    if proofs is not None:
        named = proofs.name
        made = [replace(o, certificate=named if o.path.suffix == ".py" else "") for o in made]
    if target.python:
        for one in earlier:
            path = target.python / f"{one.lifecycle.name}_v{one.lifecycle.version}.py"
            made.append(_output(one, path, _module(path, one.lifecycle)))
    return tuple(made)


def _check_versions(definition: Definition, earlier: Sequence[Definition]) -> None:
    own = definition.lifecycle
    seen: dict[int, str] = {own.version: definition.name}
    for one in earlier:
        past = one.lifecycle
        if past.name != own.name:
            problem = f"is of the lifecycle '{past.name}' and not '{own.name}'"
        elif past.version > own.version:
            problem = f"is version {past.version}, and {definition.name} is only {own.version}"
        elif past.version in seen:
            problem = f"is version {past.version}, and so is {seen[past.version]}: raise 'version'"
        else:
            seen[past.version] = one.name
            continue
        raise ProjectProblem(f"{one.name}, given as earlier than {definition.name}, {problem}")


def _output(
    definition: Definition, path: Path, body: str | None, earlier: Sequence[Definition] = ()
) -> Output:
    digest = digest_of_text(b"\0".join([definition.content, *(one.content for one in earlier)]))
    text = None
    if body is not None:
        text = with_header(body, suffix=path.suffix, source=definition.name, source_digest=digest)
    return Output(path=path, text=text, source_digest=digest)


def _bodies(
    lifecycle: Lifecycle,
    target: Target,
    earlier: Sequence[Lifecycle],
    proofs: Proofs | None,
) -> Iterator[tuple[Path, str | None]]:
    name = lifecycle.name
    if target.python:
        path = target.python / f"{name}.py"
        yield path, _module(path, lifecycle, earlier, proofs)
    if target.reference:
        yield target.reference / f"{name}.md", emit_reference(lifecycle)
    if not target.diagrams:
        return
    for machine in lifecycle.machines:
        drawing = draw(sketch(machine))
        graph = dot(drawing, name)
        yield target.diagrams / f"{name}.{machine.name}.dot", graph
        yield target.diagrams / f"{name}.{machine.name}.svg", _rendered(graph)
        yield target.diagrams / f"{name}.{machine.name}.mmd", as_ascii(mermaid(drawing))


def _module(
    path: Path,
    lifecycle: Lifecycle,
    earlier: Sequence[Lifecycle] = (),
    proofs: Proofs | None = None,
) -> str:
    """The generated module, proved to say what the definition says. Raises DefinitionError."""
    text = emit_python(lifecycle, earlier, proofs)
    findings = tuple(
        Finding(
            code="E905",
            place=Place(file=path.name, line=one.line, column=1),
            message=f"generated code that says something else: {one.told}",
            hint="this is a defect of milepost and not of the definition; nothing was written",
        )
        for one in validate_module(text, lifecycle, earlier, proofs)
    )
    if findings:
        raise DefinitionError(findings, ())
    return text


def _rendered(graph: str) -> str | None:
    try:
        return render_svg(graph)
    except RendererMissing:
        return None
