"""Docstrings of generated code, wrapped as a person would wrap them, with no surprise in them."""

from __future__ import annotations

import textwrap

from milepost.text.escapes import as_python, escaped, printable
from milepost_codegen.layout import WIDTH

__all__ = ["docstring", "note"]

_QUOTES = '"""'


def docstring(summary: str, doc: str = "", *, indent: int = 0, below: tuple[str, ...] = ()) -> str:
    """A docstring: summary and doc on one line if they fit, else the doc wrapped below it.

    `summary` is short and ends without a full stop; each of `below` is a line, or more if long.
    """
    text = _sentence(doc)
    prefix, (summary, text, *lines) = _literal(summary, text, *below)
    pad = " " * indent
    one = f"{summary}: {text}" if text else f"{summary}."
    paragraphs = ["\n".join(_wrap(line, indent) for line in lines)] if lines else []
    if indent + len(prefix) + len(one) + 6 <= WIDTH:
        first = one
    else:
        first = f"{summary}."
        paragraphs.insert(0, _wrap(text, indent))
    if not paragraphs:
        return f"{prefix}{_QUOTES}{first}{_QUOTES}"
    body = "\n\n".join(paragraphs)
    return f"{prefix}{_QUOTES}{first}\n\n{body}\n{pad}{_QUOTES}"


def note(doc: str, *, indent: int) -> str:
    """A string that documents what stands above it."""
    prefix, (text,) = _literal(_sentence(doc))
    wrapped = _wrap(f"{prefix}{_QUOTES}{text}{_QUOTES}", indent)
    return wrapped.lstrip()


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
    return doc if not doc or doc.endswith((".", "!", "?")) else f"{doc}."


def _literal(*texts: str) -> tuple[str, list[str]]:
    """The prefix of a string literal in three quotes, and `texts` as they stand in it.

    A text whose backslashes are all that is unusual is raw, as people write it. A quote that
    could end the literal, and what is not safe to show, need escapes.
    """
    whole = "\n".join(texts)
    plain = _QUOTES not in whole and not any(text.startswith('"') for text in texts)
    if plain and all(printable(text) == text for text in texts):
        return ("r" if "\\" in whole else ""), list(texts)
    return "", [_escaped(text) for text in texts]


def _escaped(text: str) -> str:
    safe = escaped(text.replace("\\", "\\\\"), as_python).replace(_QUOTES, '\\"\\"\\"')
    return f"\\{safe}" if safe.startswith('"') else safe
