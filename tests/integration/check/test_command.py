"""`milepost check`: exit codes, the forms of its answer, certificates, and what is wrong usage."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from milepost_codegen.checking import check_command
from milepost_codegen.compiler import compile_definition
from milepost_codegen.python import emit_python
from tests.integration.check.test_show import SARIF

PROVED = """\
lifecycle: tickets
version: 1
machines:
  ticket:
    initial: open
    states: {open: {}, taken: {}, closed: {final: true}}
    context:
      takes: {type: int, initial: 0}
      most:  {type: int, param: true, where: "1 <= most", default: 3}
    events: {take: {}, put_back: {}, close: {}}
    transitions:
      - from: open
        on: take
        to: taken
        when: takes < most
        partial: true
        set: {takes: takes + 1}
      - {from: taken, on: put_back, to: open}
      - {from: [open, taken], on: close, to: closed}
    invariants:
      bounded: {holds: 0 <= takes and takes <= most}
    progress: {decreases: [most - takes]}
"""
REFUTED = PROVED.replace("        when: takes < most\n        partial: true\n", "")
NEEDS_A_LEMMA = """\
lifecycle: meters
version: 1
machines:
  meter:
    initial: low
    states: {low: {}, high: {}, off: {final: true}}
    context:
      flow: {type: int, initial: 0}
      step: {type: int, initial: 1}
    events: {rise: {}, stop: {}}
    transitions:
      - {from: low, on: rise, to: high, set: {flow: flow + step}}
      - {from: high, on: rise, to: high, set: {flow: flow + step}}
      - {from: [low, high], on: stop, to: off}
    invariants:
      forwards: {holds: flow >= 0}
"""
FAR = NEEDS_A_LEMMA.replace("flow >= 0", "flow <= 100000")
ERROR = PROVED.replace("initial: open", "initial: opn")
WARNING = PROVED.replace("        partial: true\n", "")


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(check_command, [str(arg) for arg in args])


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def given(text: str, name: str = "given.yaml") -> str:
    Path(name).write_text(text, encoding="utf-8")
    return name


@pytest.mark.usefixtures("write")
class TestVerdicts:
    def test_all_is_proved(self) -> None:
        result = run(given(PROVED))
        assert (result.exit_code, result.stderr) == (0, "")
        assert result.stdout.startswith("proved: tickets, version 1: ")
        assert " 0 " not in result.stdout
        assert "proved ticket.invariant.bounded" in run("given.yaml", "--verbose").stdout

    def test_something_is_refuted(self) -> None:
        result = run(given(REFUTED))
        assert (result.exit_code, result.stderr) == (1, "")
        assert "refuted ticket.invariant.bounded" in result.stdout
        assert "  bounded does not hold then: " in result.stdout
        assert "-> taken" in result.stdout

    def test_errors_are_told_as_a_compilation_does(self) -> None:
        result = run(given(ERROR))
        assert (result.exit_code, result.stdout) == (1, "")
        assert "given.yaml:5:14: E203" in result.stderr

    def test_warnings_are_no_proof(self) -> None:
        result = run(given(WARNING))
        assert result.exit_code == 1
        assert "W401" in result.stderr
        assert "refuted ticket.gap.open.take" in result.stdout

    def test_a_lemma_is_told_in_the_words_of_the_definition(self) -> None:
        """Pasted where the definition has its invariants, it is proved like any other."""
        result = run(given(NEEDS_A_LEMMA))
        assert result.exit_code == 0, result.output
        lines = [line.strip() for line in result.stdout.splitlines() if "lemma_" in line]
        assert lines
        pasted = "".join(f"      {line}\n" for line in lines)
        again = run(given(NEEDS_A_LEMMA + pasted))
        assert again.exit_code == 0
        assert "lemma_" not in again.stdout

    def test_what_nobody_decides_is_never_a_pass(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """It breaks, and after more steps than are looked at."""
        result = run(given(FAR))
        assert result.exit_code == 3
        assert "undetermined meter.invariant.forwards" in result.stdout
        assert result.stderr == ""
        monkeypatch.setitem(sys.modules, "z3", None)
        alone = run("given.yaml")
        assert alone.exit_code == 3
        assert "(without a solver)" in alone.stdout
        assert "pip install 'milepost[prove]'" in alone.stderr
        found = json.loads(run("given.yaml", "--json").stdout)
        assert (found["verdict"], found["lifecycles"][0]["solver"]) == ("undetermined", "")
        assert run(given(REFUTED)).exit_code == 1

    def test_without_a_file_all_of_the_project_is_checked(self) -> None:
        Path("pyproject.toml").write_text(
            "[tool.milepost]\nlifecycles = ["
            '{ source = "one.yaml" }, { source = "two.yaml", python = "made" }]\n'
        )
        given(PROVED, "one.yaml")
        given(REFUTED, "two.yaml")
        result = run()
        assert result.exit_code == 1
        assert result.stdout.startswith("proved: tickets")
        assert re.search(r"two\.yaml:\d+:7: refuted ticket\.invariant\.bounded", result.stdout)
        given(PROVED, "two.yaml")
        assert run().exit_code == 0


@pytest.mark.usefixtures("write")
class TestForms:
    def test_json(self) -> None:
        found: dict[str, Any] = json.loads(run(given(REFUTED), "--json").stdout)
        assert (found["schema"], found["verdict"]) == ("milepost.check/1", "refuted")
        (lifecycle,) = found["lifecycles"]
        refuted = [one for one in lifecycle["results"] if one["verdict"] == "refuted"]
        assert refuted[0]["run"]["length"] == len(refuted[0]["run"]["steps"])
        errors = json.loads(run(given(ERROR), "--json").stdout)
        assert [one["code"] for one in errors["findings"]] == ["E203"]
        assert errors["lifecycles"] == []

    def test_sarif(self) -> None:
        for text in (PROVED, REFUTED, WARNING, ERROR):
            jsonschema.validate(json.loads(run(given(text), "--sarif").stdout), SARIF)

    def test_a_snippet_runs_on_the_compiled_module(self) -> None:
        result = run(given(REFUTED), "--snippet", "ticket.invariant.bounded")
        assert result.exit_code == 1
        given(result.stdout, "shows.py")
        lifecycle = compile_definition(REFUTED.encode(), "given.yaml").lifecycle
        given(emit_python(lifecycle), "tickets.py")
        done = subprocess.run(
            [sys.executable, "shows.py"], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert "1. take -> taken" in done.stdout
        given(emit_python(compile_definition(PROVED.encode(), "x").lifecycle), "tickets.py")
        mended = subprocess.run([sys.executable, "shows.py"], capture_output=True, check=False)
        assert mended.returncode == 1

    def test_drawings(self) -> None:
        result = run(given(REFUTED), "--svg", "drawn/here")
        names = sorted(path.name for path in Path("drawn/here").iterdir())
        assert "tickets.ticket.invariant.bounded.svg" in names
        assert "tickets.ticket.invariant.bounded.dot" in names
        assert result.stderr.count("wrote drawn/here/") == len(names)

    def test_the_same_bytes_whatever_the_order_of_hashes(self) -> None:
        """Text, JSON and certificate, in processes of their own."""
        given(REFUTED)
        seen = set()
        for seed in ("1", "2"):
            parts = []
            for form in ([], ["--json"], ["--certificate", f"{seed}.json"]):
                done = subprocess.run(
                    [sys.executable, "-m", "milepost", "check", "given.yaml", *form],
                    env={**os.environ, "PYTHONHASHSEED": seed},
                    capture_output=True,
                    check=False,
                )
                assert done.returncode == 1
                parts.append(done.stdout)
            seen.add((*parts, Path(f"{seed}.json").read_bytes()))
        assert len(seen) == 1


@pytest.mark.usefixtures("write")
@pytest.mark.parametrize(
    ("args", "told"),
    [
        (("none.yaml",), "none.yaml"),
        (("given.yaml", "--json", "--sarif"), "exclude each other"),
        (("given.yaml", "--recheck", "none.json"), "none.json"),
        (("given.yaml", "--recheck", "given.yaml"), "no JSON"),
        (("given.yaml", "--recheck", "x.json", "--svg", "x"), "--json alone"),
        (("given.yaml", "--snippet", "ticket.row.open.tak"), "did you mean 'ticket.row.open.take'"),
        (("given.yaml", "--snippet", "ticket.deadlock.open"), "proved without a run"),
        ((), "pyproject.toml"),
    ],
)
def test_wrong_usage(args: tuple[str, ...], told: str) -> None:
    given(PROVED)
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert told in result.stderr


def certified(text: str) -> dict[str, Any]:
    """The certificate of a definition, as data."""
    assert run(given(text), "--certificate", "given.json").exit_code in (0, 1)
    found: dict[str, Any] = json.loads(Path("given.json").read_text(encoding="utf-8"))
    return found


def rechecked(document: dict[str, Any], *more: str) -> Result:
    Path("changed.json").write_text(json.dumps(document), encoding="utf-8")
    return run("given.yaml", "--recheck", "changed.json", *more)


def of_key(document: dict[str, Any], key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in document["obligations"] if one["key"] == key)
    return found


IDLE_GUARD = """\
lifecycle: idle
version: 1
machines:
  m:
    initial: a
    states: {a: {}, z: {final: true}}
    context: {k: {type: int, initial: 2}}
    events: {go: {}}
    transitions:
      - {from: a, on: go, to: z, when: k < 5, partial: true}
"""
"""No row sets what the guard reads, so it never says no."""


@pytest.mark.usefixtures("write")
class TestCertificates:
    @pytest.mark.parametrize(
        ("text", "code"), [(PROVED, 0), (NEEDS_A_LEMMA, 0), (REFUTED, 1), (IDLE_GUARD, 1)]
    )
    def test_what_was_found_is_found_again(self, text: str, code: int) -> None:
        document = certified(text)
        assert document["schema"] == "milepost.certificate/1"
        result = rechecked(document)
        assert result.exit_code == code, result.output
        every = len(document["obligations"])
        told = json.loads(rechecked(document, "--json").stdout)["rechecks"][0]
        assert sum(map(len, told["confirmed"].values())) == every
        assert (told["misfits"], told["lost"], told["open"]) == ([], [], [])

    def test_it_is_the_same_whichever_solver_made_it(self) -> None:
        """No version stands in it, so that it stays as it is when the solver changes."""
        document = certified(PROVED)
        assert document["solver"] == "z3"

    def test_lemmas_are_few_and_needed(self) -> None:
        document = certified(NEEDS_A_LEMMA)
        assert 1 <= len(document["lemmas"]) <= 4
        for one in document["lemmas"]:
            fewer = {**document, "lemmas": [o for o in document["lemmas"] if o != one]}
            assert rechecked(fewer).exit_code == 1

    def test_another_definition(self) -> None:
        document = certified(PROVED)
        given(PROVED.replace("takes + 1", "takes + 2").replace("takes < most", "takes + 1 < most"))
        result = rechecked(document)
        assert result.exit_code == 1
        assert "was made before the definition was changed last" in result.stdout

    @pytest.mark.parametrize(
        ("change", "told"),
        [
            (lambda d: d["obligations"].pop(), "it says nothing of"),
            (lambda d: d["obligations"].append(d["obligations"][0]), "twice"),
            (lambda d: d["code"].update({"meters.py": "0" * 24}), "is generated otherwise now"),
            (lambda d: d["code"].clear(), "it has no meters.py"),
            (lambda d: d["lemmas"][0].update(holds="flow >= 7"), "the lemmas do not hold"),
            (lambda d: d["lemmas"][0].update(holds="flw >= 7"), "is no condition on meter"),
            (lambda d: d["lemmas"][0].update(state="nowhere"), "has no state 'nowhere'"),
            (lambda d: d["lemmas"].clear(), "meter.invariant.forwards"),
            (
                lambda d: of_key(d, "meter.invariant.forwards").update(verdict="refuted"),
                "meter.invariant.forwards",
            ),
            (
                lambda d: of_key(d, "meter.row.high.rise")["run"]["steps"].pop(),
                "does not end with high.rise",
            ),
            (
                lambda d: of_key(d, "meter.row.high.rise")["run"]["steps"].pop(0),
                "cannot be taken in low",
            ),
            (lambda d: of_key(d, "meter.row.high.rise")["run"].pop("start"), "it is no run"),
            (
                lambda d: of_key(d, "meter.invariant.forwards").update(
                    run=of_key(d, "meter.row.high.rise")["run"]
                ),
                "a run proves nothing but",
            ),
        ],
    )
    def test_what_is_not_true_is_found(self, change: Any, told: str) -> None:
        document = certified(NEEDS_A_LEMMA)
        change(document)
        result = rechecked(document)
        assert result.exit_code == 1, result.output
        assert told in result.stdout

    def test_a_refutation_that_is_none_is_found(self) -> None:
        document = certified(REFUTED)
        bad = of_key(document, "ticket.invariant.bounded")
        bad["run"]["start"]["most"] = 50
        result = rechecked(document)
        assert result.exit_code == 1
        assert "not confirmed ticket.invariant.bounded: bounded holds by the code" in result.stdout

    def test_a_project_keeps_its_certificates(self) -> None:
        Path("pyproject.toml").write_text(
            "[tool.milepost]\nlifecycles = ["
            '{ source = "given.yaml", certificate = "kept/given.json" }, { source = "two.yaml" }]\n'
        )
        given(PROVED)
        given(NEEDS_A_LEMMA, "two.yaml")
        missing = run("--recheck")
        assert (missing.exit_code, missing.stdout) == (2, "")
        assert run("--certificate").exit_code == 0
        assert sorted(path.name for path in Path("kept").iterdir()) == ["given.json"]
        kept = Path("kept/given.json").read_bytes()
        fine = run("--recheck")
        assert fine.exit_code == 0
        assert fine.stdout.startswith("proved: tickets, version 1, by ")
        assert run("given.yaml", "--recheck").exit_code == 0
        assert run("two.yaml", "--recheck").exit_code == 2
        given(PROVED.replace("default: 3", "default: 4"))
        assert run("--recheck").exit_code == 1
        assert run("given.yaml", "--certificate").exit_code == 0
        assert Path("kept/given.json").read_bytes() != kept

    def test_what_was_open_stays_open(self) -> None:
        document = certified(PROVED)
        of_key(document, "ticket.deadlock.open").update(verdict="undetermined", method="none")
        assert rechecked(document).exit_code == 3
