"""What an index and its users see of both distributions, by the checkers that there are for it."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Final

from .conftest import ROOT, Distributions
from .pythons import SUPPORTED

README: Final = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LINK: Final = re.compile(r"\]\(([^)]+)\)")
UNNAMED: Final = "Author,AuthorEmail"
"""What pyroma is not asked: nobody is named as the author."""


def checked(*words: str) -> subprocess.CompletedProcess[str]:
    """What a checker says of files, with the settings of this repository."""
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def altered(wheel: Path, folder: Path, left_out: str, put_in: str) -> Path:
    """A copy of the wheel without one file, and with another; its RECORD says so."""
    copy = folder / wheel.name
    with zipfile.ZipFile(wheel) as old, zipfile.ZipFile(copy, "w") as new:
        assert left_out in old.namelist()
        for name in old.namelist():
            content = old.read(name)
            if name.endswith(".dist-info/RECORD"):
                lines = content.decode().splitlines()
                kept = [line for line in lines if not line.startswith(f"{left_out},")]
                content = "\n".join((*kept, f"{put_in},,\n")).encode()
            if name != left_out:
                new.writestr(name, content)
        new.writestr(put_in, "")
    return copy


def test_the_index_takes_both(distributions: Distributions) -> None:
    """`twine check` reads the metadata, and renders the description as the index does."""
    told = checked("twine", "check", "--strict", str(distributions.sdist), str(distributions.wheel))
    assert told.returncode == 0, told.stdout
    assert told.stdout.count("PASSED") == 2


def test_the_wheel_has_the_two_packages_and_nothing_else(distributions: Distributions) -> None:
    """It is made of the sdist, so the sdist has all that it is made of."""
    told = checked("check_wheel_contents", str(distributions.wheel))
    assert told.returncode == 0, told.stdout
    assert told.stdout.rstrip().endswith(": OK")


def test_a_wheel_that_lacks_a_file_or_has_one_too_many_is_found(
    distributions: Distributions, tmp_path: Path
) -> None:
    """Control."""
    bad = altered(distributions.wheel, tmp_path, "milepost/py.typed", "tests/test_it.py")
    told = checked("check_wheel_contents", str(bad))
    assert told.returncode == 1
    assert {"W101", "W102"} <= set(re.findall(r"\bW\d{3}\b", told.stdout))


def test_pyroma_has_nothing_to_say(distributions: Distributions) -> None:
    told = checked("pyroma", "--min=10", f"--skip-tests={UNNAMED}", str(distributions.sdist))
    assert told.returncode == 0, told.stdout
    assert "Final rating: 10/10" in told.stdout


def test_what_the_index_or_pyroma_miss_is_found(tmp_path: Path) -> None:
    """Control: a project that says little of itself."""
    (tmp_path / "pyproject.toml").write_text(
        "[build-system]\n"
        'requires = ["hatchling"]\n'
        'build-backend = "hatchling.build"\n'
        '[project]\nname = "bare"\nversion = "1"\n'
    )
    (tmp_path / "bare.py").touch()
    build = ("build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(tmp_path))
    assert checked(*build).returncode == 0
    (wheel,) = tmp_path.glob("*.whl")
    assert "long_description" in checked("twine", "check", "--strict", str(wheel)).stdout
    told = checked("pyroma", "--min=10", f"--skip-tests={UNNAMED}", str(tmp_path))
    assert told.returncode == 2
    assert "Final rating: 10" not in told.stdout
    assert "license" in told.stdout.lower()


def test_the_licence_is_there_and_links_lead_somewhere(distributions: Distributions) -> None:
    """Beside an index page there is no repository: no link is relative, and none got lost."""
    with zipfile.ZipFile(distributions.wheel) as packed:
        (licence,) = (name for name in packed.namelist() if name.endswith("licenses/LICENSE"))
        (metadata,) = (name for name in packed.namelist() if name.endswith("info/METADATA"))
        assert packed.read(licence) == (ROOT / "LICENSE").read_bytes()
        text = packed.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in text
    assert not re.search(r"(?m)^(Author|Maintainer)", text)
    links = LINK.findall(text)
    assert len(links) == len(LINK.findall(README))
    assert [link for link in links if not link.startswith("https://")] == []


def test_metadata_and_pages_name_the_same_pythons() -> None:
    """As to the oldest and the newest; those between follow."""
    assert PROJECT["project"]["requires-python"] == f">={SUPPORTED[0]}"
    assert f"CPython {SUPPORTED[0]} to {SUPPORTED[-1]} on Linux" in README


def test_what_builds_is_installed_for_the_tests() -> None:
    """Tests build without asking an index, by the same versions."""
    assert set(PROJECT["build-system"]["requires"]) <= set(
        PROJECT["project"]["optional-dependencies"]["package"]
    )
