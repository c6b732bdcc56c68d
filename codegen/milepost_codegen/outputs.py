"""Everything that one definition file generates, as texts and the paths they belong to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from milepost_codegen.digest import digest_of_text
from milepost_codegen.emit.dot import emit_dot
from milepost_codegen.emit.mermaid import emit_mermaid
from milepost_codegen.emit.python import emit_python
from milepost_codegen.emit.reference import emit_reference
from milepost_codegen.header import with_header
from milepost_codegen.render_svg import RendererMissing, render_svg

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from milepost_codegen.model import Lifecycle
    from milepost_codegen.project import Target

__all__ = ["Output", "outputs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A generated file; `text` is None where its renderer is missing."""

    path: Path
    text: str | None
    source_digest: str


def outputs(lifecycle: Lifecycle, target: Target, content: bytes) -> tuple[Output, ...]:
    """The outputs of `lifecycle`, compiled from `content`, in the folders of `target`."""
    digest = digest_of_text(content)

    def output(path: Path, body: str | None) -> Output:
        text = None
        if body is not None:
            text = with_header(body, suffix=path.suffix, source=target.name, source_digest=digest)
        return Output(path=path, text=text, source_digest=digest)

    return tuple(output(path, body) for path, body in _bodies(lifecycle, target))


def _bodies(lifecycle: Lifecycle, target: Target) -> Iterator[tuple[Path, str | None]]:
    name = lifecycle.name
    if target.python:
        yield target.python / f"{name}.py", emit_python(lifecycle)
    if target.reference:
        yield target.reference / f"{name}.md", emit_reference(lifecycle)
    if not target.diagrams:
        return
    for machine in lifecycle.machines:
        dot = emit_dot(lifecycle, machine)
        yield target.diagrams / f"{name}.{machine.name}.dot", dot
        yield target.diagrams / f"{name}.{machine.name}.svg", _drawn(dot)
        yield target.diagrams / f"{name}.{machine.name}.mmd", emit_mermaid(machine)


def _drawn(dot: str) -> str | None:
    try:
        return render_svg(dot)
    except RendererMissing:
        return None
