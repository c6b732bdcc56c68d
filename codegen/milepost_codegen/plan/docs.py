"""Docs of a definition as docstrings."""

from __future__ import annotations

import textwrap

from milepost_codegen.layout import WIDTH

__all__ = ["docstring", "note"]


def docstring(summary: str, doc: str = "", *, indent: int = 0, below: tuple[str, ...] = ()) -> str:
    """A docstring: summary and doc on one line if they fit, else the doc wrapped below it.

    `summary` is short and ends without a full stop; each of `below` is a line, or more if long.
    """
    text = _sentence(doc)
    pad = " " * indent
    one = f"{summary}: {text}" if text else f"{summary}."
    prefix = "r" if "\\" in one + "".join(below) else ""
    paragraphs = ["\n".join(_wrap(line, indent) for line in below)] if below else []
    if indent + len(prefix) + len(one) + 6 <= WIDTH:
        first = one
    else:
        first = f"{summary}."
        paragraphs.insert(0, _wrap(text, indent))
    if not paragraphs:
        return f'{prefix}"""{first}"""'
    body = "\n\n".join(paragraphs)
    return f'{prefix}"""{first}\n\n{body}\n{pad}"""'


def _wrap(text: str, indent: int) -> str:
    pad = " " * indent
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=pad,
        subsequent_indent=pad,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _sentence(doc: str) -> str:
    """A doc as a sentence that can stand in a docstring."""
    text = doc.replace('"""', "'''")
    return text if not text or text.endswith((".", "!", "?")) else f"{text}."


def note(doc: str, *, indent: int) -> str:
    """A string that documents what stands above it."""
    text = _sentence(doc)
    prefix = "r" if "\\" in text else ""
    wrapped = _wrap(f'{prefix}"""{text}"""', indent)
    return wrapped.lstrip()
