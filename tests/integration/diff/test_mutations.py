"""Whatever becomes of a definition, it is refused with findings or compared."""

import os
import random

import pytest

from milepost_codegen.compiler import compile_definition
from milepost_codegen.diff import compare
from milepost_codegen.diff.document import document
from milepost_codegen.diff.text import render_text
from milepost_codegen.drawings.diff import emit_diff
from milepost_codegen.findings import DefinitionError
from tests.integration.diff.test_command import ORDERS, ROOT

FILES = [
    ORDERS / "final.yaml",
    ROOT / "tests" / "golden" / "rich_example.yaml",
    ROOT / "statemachine.yaml",
]


SEEDS = 4 * int(os.environ.get("MILEPOST_SOAK", "1"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_lines_dropped_doubled_and_swapped_words(seed: int) -> None:
    """Both ways round, and never with an exception; a verdict breaks only where changes do."""
    chance = random.Random(seed)  # noqa: S311  # no secret
    compared = 0
    for file in FILES:
        text = file.read_text(encoding="utf-8")
        before = compile_definition(text.encode(), "old.yaml").lifecycle
        for _ in range(40):
            lines = text.split("\n")
            for _ in range(chance.randint(1, 2)):
                at = chance.randrange(len(lines))
                words = lines[at].split(" ")
                if chance.random() < 0.4:
                    lines[at] = ""
                else:
                    other = chance.choice(chance.choice(lines).split(" "))
                    words[chance.randrange(len(words))] = other
                    lines[at] = " ".join(words)
            try:
                after = compile_definition("\n".join(lines).encode(), "new.yaml").lifecycle
            except DefinitionError as problem:
                assert problem.findings
                continue
            compared += 1
            for pair in ((before, after), (after, before)):
                told = compare(*pair)
                worst = {one.verdict for one in told.changes}
                assert (told.verdict == "breaking") == ("breaking" in worst)
                assert render_text(told).startswith(told.verdict)
                assert document(told)["verdict"] == told.verdict
                assert emit_diff(*pair)
    assert compared > 10
