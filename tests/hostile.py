"""Texts that misbehave where they are shown, by name, and a judge of what was shown.

The judge has tables of its own: it must not share a mistake with the code that it judges.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

HOSTILE: Final[Mapping[str, str]] = {
    # what steers a terminal
    "nul": "a\0b",
    "bell": "a\ab",
    "backspace": "safe\b\b\b\bevil",
    "tab": "a\tb",
    "line_feed": "one\ntwo",
    "line_end_at_end": "one\n",
    "return_over_it": "failed\rdone  ",
    "return_and_feed": "one\r\ntwo",
    "vertical_tab": "a\x0bb",
    "form_feed": "a\x0cb",
    "separators": "a\x1cb\x1db\x1eb\x1f",
    "shift_out": "a\x0eb",
    "red": "\x1b[31mred\x1b[0m",
    "clear_screen": "\x1b[2J\x1b[H",
    "title": "\x1b]0;owned\a",
    "link": "\x1b]8;;http://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "report": "\x1b[6n\x1bZ",
    "delete": "a\x7fb",
    "c1_csi": "\x9b31mred",
    "c1_osc": "\x9d0;owned\x9c",
    "next_line": "one\x85two",
    "line_separator": "one\u2028two\u2029three",
    # what reorders
    "override": "user\u202e\u2066// admin\u2069\u2066",
    "embedding": "a\u202ab\u202bc\u202c\u202d",
    "isolates": "a\u2066b\u2067c\u2068d\u2069",
    "marks": "a\u200eb\u200fc\u061cd",
    # what hides
    "zero_width": "pass\u200bword\u2060\u200c\u200d",
    "byte_order_mark": "\ufeffkey",
    "soft_hyphen": "key\u00ad",
    "tags": "x\U000e0001\U000e0069\U000e0067\U000e007f",
    "selectors": "a\ufe00\ufe0f\U000e0100\U000e01ef",
    "hidden_bytes": "\U0001f600\ufe0f\ufe0e\ufe01\U000e0101\U000e0102",
    "fillers": "a\u3164\u115f\u1160\uffa0\u034f",
    "annotation": "a\ufff9b\ufffac\ufffb",
    "shorthand": "a\U0001bca0\U0001d173b",
    "private": "a\ue000\U0010fffdb",
    "no_character": "a\ufdd0\uffff\U0010fffeb\u2065\ufff0\U000e0fff",
    # what other readers take for their own
    "markup": "[bold red]x[/bold red]",
    "broken_markup": "x[/nothing] [",
    "markup_link": "[link=file:///etc/passwd]x[/link]",
    "emoji_code": ":smile: :warning:",
    "html": "<script>alert(1)</script><img src=x onerror=y>",
    "entities": "&lt;b&gt; &#27;[31m &#x202e; &amp;",
    "comment_end": "--> ]]> <!-- */ %%",
    "markdown_link": "[x](javascript:alert(1)) ![y](http://evil.example/z.png)",
    "markdown_heading": "# not a heading",
    "markdown_list": "- not a list",
    "markdown_cells": "| not | cells |",
    "markdown_code": "`` a ` b ```",
    "emphasis": "**a** _b_ ~~c~~ *",
    "autolink": "<http://evil.example> www.evil.example",
    "formats": "%s %(x)s %d {0} {x!r} {{ y }} {% z %}",
    "dot": '\\N \\G \\L \\l \\n" ]; evil [label="',
    "html_label": "<b>x</b>",
    "mermaid": 'end; click a "javascript:x" %%{init: {}}%% #35; a --> b: c',
    "backslash_at_end": "C:\\new\\",
    "two_backslashes_at_end": "x\\\\",
    "quote_at_end": 'it says "x"',
    "three_quotes": "\"\"\" + __import__('os') + '''",
    "quote_and_backslash": '\\"\\"\\"\\',
    "escapes": "\\x1b[31m \\N{BULLET} \\u202e",
    "yaml": "a: b # c - {d: [e]} *f &g !h",
    "option": "--apply",
    "path": "../../etc/passwd",
    "url": "https://user:word@example.com/?q=%1b%5b31m#\u00fc",
    # what must stay as it is
    "wide": "日本語のキー",
    "right_to_left": "שלום עולם",
    "accents": "naïve café Zürich",
    "combining": "e\u0301\u0302\u0303\u0304",
    "unassigned": "next year's \U0001fadd \u0378",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "keycap": "1\ufe0f\u20e3 \u2764\ufe0f",
    "persian": "می\u200cخواهم",
    "blanks": "a\u00a0b\u3000c",
    "long": "long " * 60,
    "long_word": "x" * 300,
}
"""By name. Every one is text that JSON and UTF-8 can hold."""

HALF_PAIRS: Final[Mapping[str, str]] = {
    "high_half": "a\ud800b",
    "low_half": "a\udc80b",
    "wrong_order": "\udc00\ud800",
}
"""What is no text, but can stand in a path, an argument or an escape."""

READABLE: Final = (
    "unassigned",
    "wide",
    "right_to_left",
    "accents",
    "combining",
    "family",
    "keycap",
    "persian",
)
"""Those that nothing may change: they only look unusual to a program."""

_GOOD: Final = (HOSTILE["family"], "1\ufe0f\u20e3", "\u2764\ufe0f", HOSTILE["persian"])
_BAD: Final = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff\ue000-\uf8ff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)
_SEEN: Final = frozenset(
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)
"""Format characters that draw a sign, around the digits that follow."""

_HIDDEN: Final = ("Cf", "Cs", "Zl", "Zp")
_DRAWN: Final = re.compile(
    "\x1b\\[(?:0|1|2|(?:[12];)?38;2;[0-9]+;[0-9]+;[0-9]+)m|\r?\x1b\\[\\?25[hl]"
)


def misbehaving(text: str, *, lines: bool = True) -> list[str]:
    """The characters of `text` that should not have been shown; line feeds are allowed in `lines`.

    The one selector that an emoji may carry is allowed in `hidden_bytes`.
    """
    for good in (*_GOOD, "\U0001f600\ufe0f"):
        text = text.replace(good, "")
    found = _BAD.findall(text)
    found += [each for each in text if unicodedata.category(each) in _HIDDEN and each not in _SEEN]
    return found if lines else found + re.findall("\n", text)


def without_drawing(output: str) -> str:
    """What a terminal of 24-bit colour got, without what pages and bars are drawn with.

    Those are bold, dim, the colours of states, and hiding the cursor: no text here is made of them.
    """
    return _DRAWN.sub("", output)
