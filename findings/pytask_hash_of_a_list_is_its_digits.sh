#!/bin/sh
# Package    pytask 0.6.0
# Question   A task depends on a value, PythonNode(value=..., hash=True), so that it runs again when the value changes. It changes from
#            (11, 1) to (1, 11), from [1, 23] to [12, 3], or from -1 to -2. Does the task run again?
# Good guess Yes, for each of them. The values differ, and are not even equal as 1 and True are.
# Behaviour  No. The build says that it succeeded, and the product stays that of the old value. From 1 to 2 the task does run again.
# Why        The hash of a list or tuple is the hash of its members' hashes, put one after the other as text with nothing in between,
#            and a number's hash is Python's: that of a small one is its digits, and -1 has the hash of -2.
# Seen       {'1 to 2': '2', '(11, 1) to (1, 11)': '(11, 1)', '[1, 23] to [12, 3]': '[1, 23]', '-1 to -2': '-1'} is what the product holds
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install -q pytask==0.6.0
cd "$work"
cat > main.py <<'EOF'
import ast
import subprocess
import sys
from pathlib import Path

TASK = '''
import ast
from pathlib import Path
from typing import Annotated

from pytask import Product, PythonNode

HERE = Path(__file__).parent
VALUE = ast.literal_eval((HERE / "value").read_text())


def task_show(value: Annotated[object, PythonNode(value=VALUE, hash=True)], to: Annotated[Path, Product] = HERE / "shown"):
    to.write_text(repr(value))
'''


def build(folder, value):
    """What the product holds after a build that succeeded."""
    (folder / "value").write_text(value)
    subprocess.run([sys.executable, "-m", "pytask", "build", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return (folder / "shown").read_text()


seen = {}
for number, (old, new) in enumerate([("1", "2"), ("(11, 1)", "(1, 11)"), ("[1, 23]", "[12, 3]"), ("-1", "-2")]):
    assert ast.literal_eval(old) != ast.literal_eval(new)
    folder = Path(f"project {number}")
    folder.mkdir()
    (folder / "pyproject.toml").write_text("[tool.pytask.ini_options]\n")
    (folder / "task_show.py").write_text(TASK)
    assert build(folder, old) == old
    seen[f"{old} to {new}"] = build(folder, new)
print(seen)
assert seen == {
    "1 to 2": "2",
    "(11, 1) to (1, 11)": "(11, 1)",
    "[1, 23] to [12, 3]": "[1, 23]",
    "-1 to -2": "-1",
}
EOF
"$work/venv/bin/python" main.py
