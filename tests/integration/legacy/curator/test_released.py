"""The released bespokelabs-curator leaves a folder, and it is brought over as the sample is.

Its packages are large, so this runs under `make soak` alone, where MILEPOST_SOAK is set.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.legacy.curator.folders import SAMPLE, SAMPLE_JOB, opened
from tests.integration.legacy.curator.test_sample import assert_brought_over

RELEASED = "bespokelabs-curator==0.1.31"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the released package, and nothing of this project."""
    if "MILEPOST_SOAK" not in os.environ:
        pytest.skip("the released bespokelabs-curator is installed by `make soak` alone")
    folder = tmp_path_factory.mktemp("released")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=120)
    made = folder / "bin" / "python"
    pip = [str(made), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    asked = [
        *pip,
        "download",
        "--no-deps",
        "--no-cache-dir",
        "--dest",
        str(folder / "asked"),
        "click",
    ]
    if subprocess.run(asked, capture_output=True, timeout=300, check=False).returncode:
        if "CI" in os.environ:
            pytest.fail("no package index can be reached, and the released package needs one")
        pytest.skip("no package index can be reached, and the released package needs one")
    subprocess.run([*pip, "install", RELEASED], capture_output=True, check=True, timeout=1200)
    return made


def shape(value: Any) -> Any:
    """The value without what differs from run to run: times, and the address of the server."""
    if isinstance(value, dict):
        return {
            name: None if name in ("created_at", "finished_at") else shape(inner)
            for name, inner in value.items()
        }
    return [shape(each) for each in value] if isinstance(value, list) else value


def lines_of(folder: Path, file: str) -> list[Any]:
    """The lines of a file, as Python reads its own JSON; NaN as text, which equals itself."""
    text = (folder / file).read_text()
    return [shape(json.loads(line, parse_constant=str)) for line in text.splitlines()]


def test_a_folder_of_the_released_package_is_brought_over(
    python: Path, tmp_path: Path, record_property: Any
) -> None:
    """What it leaves today is what the sample holds, line by line, but for the times."""
    home = tmp_path / "curator"
    left = subprocess.run(
        [str(python), str(Path(__file__).with_name("make.py")), str(home)],
        capture_output=True,
        timeout=300,
        check=False,
    )
    assert left.returncode == -signal.SIGKILL, left.stderr[-2000:].decode()
    for file in ("requests_0.jsonl", "responses_0.jsonl"):
        assert lines_of(home / SAMPLE_JOB, file) == lines_of(SAMPLE / SAMPLE_JOB, file)
    with opened() as manager:
        assert_brought_over(home, manager)
    record_property("counted", ("import from the released curator", {"items brought over": 6}))
