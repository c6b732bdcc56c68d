"""Texts as Markdown that says what they say: no link, no heading, no HTML comes of a doc.

Docs are plain text, in which `code` may stand between single backticks. All other signs that
Markdown would read, in GitHub's dialect too, are taken as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from milepost.text.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["cell", "code", "paragraph"]

_SPAN: Final = re.compile(r"(?<!`)`([^`]+)`(?!`)")
_SIGN: Final = re.compile(r"[\\`*\[\]~|$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
_TAG: Final = re.compile(r"<|&(?=[A-Za-z#])")
_OPENING: Final = re.compile(r"[#>+=-]|[0-9]{1,9}(?=[.)])")
_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")


def code(text: str) -> str:
    """`text` as code in the cell of a table."""
    safe = printable(text)
    if "\\|" in safe:  # no span of code can say that in a cell
        return f"<code>{_PUNCTUATION.sub(_entity, safe)}</code>"
    return _span(safe.replace("|", "\\|"))


def cell(text: str) -> str:
    """A doc in the cell of a table."""
    return _mixed(text, code)


def paragraph(text: str) -> str:
    """A doc as a paragraph, which begins no heading, list or quotation."""
    safe = _mixed(text, _span)
    opening = _OPENING.match(safe)
    if opening is None:
        return safe
    at = opening.end() if safe[0].isdigit() else 0
    return f"{safe[:at]}\\{safe[at:]}"


def _mixed(text: str, as_code: Callable[[str], str]) -> str:
    """`text` with its spans of code as `as_code` gives them, and no other markup."""
    safe = printable(text)
    parts: list[str] = []
    at = 0
    for span in _SPAN.finditer(safe):
        parts += [_plain(safe[at : span.start()]), as_code(span[1])]
        at = span.end()
    return "".join([*parts, _plain(safe[at:])])


def _plain(text: str) -> str:
    return _TAG.sub(_entity, _SIGN.sub(lambda sign: f"\\{sign[0]}", text))


def _span(text: str) -> str:
    """Code between more backticks than stand together in it."""
    runs = {len(run) for run in re.findall("`+", text)}
    fence = "`" * next(length for length in range(1, len(runs) + 2) if length not in runs)
    pad = " " if text[:1] in ("`", " ") or text[-1:] in ("`", " ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _entity(sign: re.Match[str]) -> str:
    return {"<": "&lt;", "&": "&amp;"}.get(sign[0], f"&#{ord(sign[0])};")
