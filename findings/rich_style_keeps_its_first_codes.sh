#!/bin/sh
# Package    rich 15.0.0 (Style)
# Question   A program shows one style, `color(208)` beside bold, to a terminal of 16 colours, then to one of 256, then to one of 24 bits. Which codes does each get?
# Good guess Each gets its own: a Console says its colour system with each text that it renders, and a Style is a value that cannot be changed.
# Behaviour  All get those of the terminal that came first: so does the same text parsed again, and an equal Style that is made anew of a Color.
# Why        A Style keeps the codes that it made, without the colour system that they were made for; parsed styles and sums of styles are
#            kept for the process, by what they are equal to, and a text is rendered in the sum of the console's style and its own.
# Seen       standard first, then 256, then 24 bits: '\x1b[1;91m' each time; parsed again for 256, and made anew for 256: '\x1b[1;91m';
#            another colour, 256 first, then 24 bits, then standard: '\x1b[1;38;5;209m' each time, which a terminal of 16 colours does not know
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q rich==15.0.0
cd "$work"
"$work/venv/bin/python" - <<'EOF'
from io import StringIO

from rich.color import Color
from rich.console import Console
from rich.style import Style


def shown(style, system):
    console = Console(file=StringIO(), force_terminal=True, color_system=system)
    console.print("x", style=style, end="")
    return console.file.getvalue().removesuffix("x\x1b[0m")


def made(number):
    return Style(color=Color.parse(f"color({number})"), bold=True)


parsed = Style.parse("bold color(208)")
low = [shown(parsed, system) for system in ("standard", "256", "truecolor")]
again = shown(Style.parse("bold color(208)"), "256")
anew = shown(made(208), "256")
high = [shown(made(209), system) for system in ("256", "truecolor", "standard")]
print("standard first", low)
print("again", [again], [anew])
print("256 first", high)
assert low == ["\x1b[1;91m"] * 3
assert made(208) == parsed and (again, anew) == ("\x1b[1;91m", "\x1b[1;91m")
assert high == ["\x1b[1;38;5;209m"] * 3
EOF
