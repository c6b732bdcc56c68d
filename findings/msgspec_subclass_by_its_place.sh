#!/bin/sh
# Packages   msgspec 0.22.0, beautifulsoup4 4.15.0, MarkupSafe 3.0.4
# Question   A scraper records what Beautiful Soup and MarkupSafe gave it: subclasses of str and of list. Does msgspec encode them?
# Good guess All or none: either a subclass is its base, as in json and orjson, or it is a type that the encoder does not know.
# Behaviour  It depends on the base and the place. A subclass of list or dict is written as its base, with what it holds besides left out,
#            and enc_hook is not asked. A subclass of str, int, float or bytes is an unsupported type for which enc_hook is
#            asked, or a TypeError: the text of a tag, a Markup. But as a KEY of a dict the same str passes, without the hook.
# Why        Containers are recognised by flags that subclasses inherit, scalars by their exact type, and keys by another path.
# Seen       {'text': 'hook', 'Markup': 'hook', 'found': ['<b>x</b>'], 'key': {'x': 1}}, without a hook TypeError
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q msgspec==0.22.0 beautifulsoup4==4.15.0 MarkupSafe==3.0.4
cd "$work"
"$work/venv/bin/python" - <<'EOF'
import json
import msgspec
from bs4 import BeautifulSoup
from bs4.element import NavigableString
from markupsafe import Markup

soup = BeautifulSoup("<p><b>x</b></p>", "html.parser")
text, found = soup.b.string, soup.find_all("b")
found[0] = str(found[0])
values = {"text": text, "Markup": Markup("x"), "found": found, "key": {text: 1}}
asked = []


def hook(value):
    asked.append(type(value).__name__)
    return "hook"


seen = {name: json.loads(msgspec.json.encode(value, enc_hook=hook)) for name, value in values.items()}
try:
    msgspec.json.encode(text)
    bare = "taken"
except TypeError as refused:
    bare = type(refused).__name__
print(seen, asked, bare)
assert type(text) is NavigableString and type(found) is not list and isinstance(found, list)
assert seen == {"text": "hook", "Markup": "hook", "found": ["<b>x</b>"], "key": {"x": 1}}
assert asked == ["NavigableString", "Markup"] and bare == "TypeError"
assert json.loads(json.dumps(values)) == {"text": "x", "Markup": "x", "found": ["<b>x</b>"], "key": {"x": 1}}
EOF
