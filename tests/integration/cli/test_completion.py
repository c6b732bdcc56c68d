"""`milepost completion`: the script of each shell, and bash really completing with its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cli.conftest import CommandLine

BASH = shutil.which("bash")
PROGRAM = Path(sys.executable).with_name("milepost")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_a_script(shell: str, milepost: CommandLine) -> None:
    """It asks the program, by the variable that this one listens to."""
    told = milepost("completion", shell).stdout
    assert f"_MILEPOST_COMPLETE={shell}_complete" in told
    assert told.count("milepost") >= 3
    assert "python" not in told, "whatever it was started as"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_reads_its_script(shell: str, milepost: CommandLine, tmp_path: Path) -> None:
    """Where the shell is installed it finds no fault with it."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"there is no {shell} here")
    script = tmp_path / "script"
    script.write_text(milepost("completion", shell).stdout)
    done = subprocess.run([program, "-n", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(BASH is None or not PROGRAM.exists(), reason="there is no bash here")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["comple"], ["completion"]),
        (["show", "weekly"], ["weekly-1", "weekly-2"]),
        (["items", "nightly", "--state", "sk"], ["skipped"]),
        (["show", "nightly", "--no-p"], ["--no-pager"]),
        (["import", "cur"], ["curator"]),
    ],
    ids=" ".join,
)
def test_bash_completes(words: list[str], completed: list[str], store: Path) -> None:
    """Commands, ids of jobs, names of their lifecycle and options, as after the line of ~/.bashrc.

    That the names come from the store of MILEPOST_DB shows in the ids.
    """
    typed = ["milepost", *words]
    lines = (
        'eval "$(milepost completion bash)"',
        "complete -p milepost >/dev/null || exit 3",
        f"COMP_WORDS=({' '.join(typed)}) COMP_CWORD={len(words)}",
        "_milepost_completion milepost",
        'printf "%s\\n" "${COMPREPLY[@]}"',
    )
    path = os.pathsep.join((str(PROGRAM.parent), os.environ["PATH"]))
    done = subprocess.run(
        [str(BASH), "--norc", "-c", "\n".join(lines)],
        env={**os.environ, "PATH": path, "MILEPOST_DB": str(store)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == completed
