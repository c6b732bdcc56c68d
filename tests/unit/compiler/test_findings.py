"""Every finding has a fixture with its exact text, an explanation and a heading in the docs."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from milepost_codegen.compiler import compile_definition
from milepost_codegen.explaining import explain_command
from milepost_codegen.explanations import EXPLANATIONS, reference
from milepost_codegen.findings import CODES, DefinitionError, render

from .lifecycles import FINDINGS, ROOT, SMALL

FIXTURES = sorted(FINDINGS.glob("*.yaml"))
OF_GENERATED_FILES = {"E901", "E902", "E903", "E905", "W901"}  # test_write.py, test_certificates.py


def rendered(path: Path) -> str:
    try:
        compiled = compile_definition(path.read_bytes(), path.name)
    except DefinitionError as problem:
        return str(problem)
    return render(compiled.warnings, compiled.lines)


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_gives_its_golden_text(path: Path) -> None:
    """The finding in the file's name is found; the text beside the fixture is what is said."""
    text = rendered(path)
    assert f": {path.name[:4]} " in text
    assert text == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_code_has_a_fixture_an_explanation_and_a_heading() -> None:
    """The three sets are the same."""
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    headings = {line[3:7] for line in page.splitlines() if line.startswith(("## E", "## W"))}
    assert {path.name[:4] for path in FIXTURES} | OF_GENERATED_FILES == set(CODES)
    assert set(EXPLANATIONS) == set(CODES)
    assert headings >= set(CODES)


def test_the_docs_say_what_explain_says() -> None:
    """The section of the page is the text of the command."""
    page = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    assert reference() in page


def test_findings_come_all_at_once_and_sorted() -> None:
    """One run reports mistakes of every stage, in the order of the file."""
    text = (
        SMALL.replace("on: close", "on: clse")
        .replace("task:", "task:\n    colour: red", 1)
        .replace("events: {close: {}}", "events: {close: {}, spare: {}}\n    guards: {odd: 1 / 2}")
    )
    with pytest.raises(DefinitionError) as caught:
        compile_definition(text.encode(), "f.yaml")
    assert [finding.code for finding in caught.value.findings] == ["E101", "E501", "E302", "E202"]


def test_a_misspelt_name_has_no_consequences() -> None:
    """What a mistake hides is not reported as well."""
    text = SMALL.replace("to: closed", "to: clsed")
    with pytest.raises(DefinitionError) as caught:
        compile_definition(text.encode(), "f.yaml")
    assert [finding.code for finding in caught.value.findings] == ["E203"]


def test_explain_knows_every_code_and_no_other() -> None:
    """The command prints the explanation; an unknown code is a mistake of usage."""
    run = CliRunner().invoke
    assert run(explain_command, ["e203"]).stdout.startswith("E203 unknown state\n")
    assert run(explain_command, ["E999"]).exit_code == 2
