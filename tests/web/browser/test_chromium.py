"""`tools/chromium`: where a browser is, how it comes, and what is said where there is none."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.web.browser.chromium import needed, where

TOOL: Final = Path(__file__).parents[3] / "tools" / "chromium"

_APT: Final = """#!/bin/sh
echo "apt-get $*" >> "{log}"
case "$*" in
  *install*{fails}) printf '#!/bin/sh\\n' > "{folder}/chromium"; chmod +x "{folder}/chromium";;
  *install*) exit 100;;
esac
"""
_SUDO: Final = """#!/bin/sh
shift
exec "$@"
"""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder of programs of a machine without a browser and without apt-get."""
    for name in ("bash", "env", "id", "sh", "chmod"):
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def _program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def _ran(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOL, *args], capture_output=True, text=True, check=False)


def test_without_a_browser_tests_are_skipped_by_name(
    bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    assert where() == ""
    with pytest.raises(pytest.skip.Exception, match="needs a Chromium: tools/chromium"):
        needed()


def test_without_a_browser_tests_fail_in_ci(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")
    with pytest.raises(AssertionError, match="not looked at: needs a Chromium"):
        needed()


def test_one_that_is_there_is_named(bare: Path) -> None:
    """Nothing is installed then: there is no apt-get."""
    _program(bare / "chromium", "#!/bin/sh\n")
    assert needed() == str(bare / "chromium")
    assert _ran().stdout == f"{bare / 'chromium'}\n"


def test_without_one_and_without_apt_it_is_said_what_to_do(bare: Path) -> None:
    told = _ran()
    assert told.returncode == 1
    assert told.stdout == ""
    assert "no apt-get" in told.stderr
    assert "install one by hand" in told.stderr


@pytest.mark.parametrize("works", [True, False])
def test_without_one_that_of_debian_is_installed(bare: Path, *, works: bool) -> None:
    """Looking alone installs nothing. `apt-get` here is a script; a failure of it is told."""
    log = bare / "log"
    script = _APT.format(log=log, folder=bare, fails="" if works else "never")
    _program(bare / "apt-get", script)
    _program(bare / "sudo", _SUDO)
    assert _ran("--where").returncode == 1
    assert not log.exists()
    told = _ran()
    asked = log.read_text().splitlines()
    assert asked[0].startswith("apt-get update")
    assert "install" in asked[1]
    assert "chromium" in asked[1]
    if works:
        assert (told.returncode, told.stdout) == (0, f"{bare / 'chromium'}\n")
    else:
        assert told.returncode == 1
        assert "apt-get could not install it" in told.stderr


def test_ci_looks_for_one_first() -> None:
    """And says that it is CI, so that nothing is skipped."""
    script = (TOOL.parents[1] / ".ci" / "run").read_text().splitlines()
    assert script.index("export CI=1") < script.index("tools/chromium") < script.index("make test")
    assert os.access(TOOL, os.X_OK)
