"""What is generated is the same bytes wherever and however it is generated."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .tables import EXAMPLES, NAMES


def generated(project: Path, here: Path, **environment: str) -> dict[str, bytes]:
    """All files of all lifecycles, made by a process of its own that is started in `here`."""
    out = project.parent / f"out-{environment['PYTHONHASHSEED']}"
    subprocess.run(
        [sys.executable, "-m", "milepost_codegen", "compile", "--out", str(out)],
        cwd=here,
        env={**os.environ, **environment},
        check=True,
        capture_output=True,
    )
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_neither_locale_nor_hashes_nor_the_folder_matter(tmp_path: Path) -> None:
    project = tmp_path / "project"
    below = project / "some" / "folder"
    below.mkdir(parents=True)
    listed = "\n".join(f'    {{ source = "{name}.yaml" }},' for name in NAMES)
    (project / "pyproject.toml").write_text(f"[tool.milepost]\nlifecycles = [\n{listed}\n]\n")
    for name in NAMES:
        (project / f"{name}.yaml").write_bytes((EXAMPLES / f"{name}.yaml").read_bytes())
    posix = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "TZ": "UTC"}
    first = generated(project, project, PYTHONHASHSEED="1", **posix)
    second = generated(project, below, PYTHONHASHSEED="2", LC_ALL="C.UTF-8", TZ="Asia/Tokyo")
    assert len(first) == 5 * len(NAMES)
    assert first == second
