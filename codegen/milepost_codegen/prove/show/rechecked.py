"""What is left of a certificate, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from milepost.text.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from milepost_codegen.prove.recheck import Recheck

__all__ = ["render_recheck"]


def render_recheck(found: Recheck, name: str) -> str:
    """What is left of the certificate of that `name`, in lines that are safe to show."""
    return "".join(f"{printable(line)}\n" for line in _rechecked(found, name))


def _rechecked(found: Recheck, name: str) -> Iterator[str]:
    parts = [f"{len(keys)} {verdict}" for verdict, keys in sorted(found.confirmed.items()) if keys]
    told = f"confirmed: {', '.join(parts)}" if parts else "nothing is confirmed"
    yield f"{found.verdict}: {found.lifecycle}, version {found.version}, by {name}: {told}"
    for misfit in found.misfits:
        yield f"  {misfit}"
    for key, why in found.lost:
        yield f"  not confirmed {key}: {why}"
    for key, why in found.open:
        yield f"  undetermined {key}: {why}"
    if found.misfits or found.lost:
        yield f"hint: make it again: milepost check FILE --certificate {name}"
