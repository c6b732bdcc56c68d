"""The look for entry points finds what the standard library finds, wherever a package lies."""

from __future__ import annotations

import os
import shutil
import sys
import zipfile
from collections.abc import Callable, Iterable
from importlib.machinery import PathFinder
from importlib.metadata import Distribution, DistributionFinder, PathDistribution, entry_points
from pathlib import Path

import pytest

from milepost.discovery import installed

GROUP = "shop.orders"
TEXT = f"[{GROUP}]\norders = shop:ORDERS\n"
METADATA = "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n"


def of_library(group: str) -> list[tuple[str, str]]:
    return sorted((each.name, each.value) for each in entry_points(group=group))


def found(group: str = GROUP) -> list[tuple[str, str]]:
    return [(each.name, each.value) for each in installed.entries(group)]


def in_a_folder(folder: Path) -> Path:
    info = folder / "shop-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text(TEXT)
    return folder


def under_capitals(folder: Path) -> Path:
    info = folder / "Shop-1.0.EGG-INFO"
    info.mkdir()
    (info / "PKG-INFO").write_text(METADATA)
    (info / "entry_points.txt").write_text(TEXT)
    return folder


def in_an_egg(folder: Path) -> Path:
    egg = folder / "shop-1.0.egg"
    (egg / "EGG-INFO").mkdir(parents=True)
    (egg / "EGG-INFO" / "PKG-INFO").write_text(METADATA)
    (egg / "EGG-INFO" / "entry_points.txt").write_text(TEXT)
    return egg


def in_an_archive(folder: Path) -> Path:
    archive = folder / "shop.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("shop-1.0.dist-info/METADATA", METADATA)
        file.writestr("shop-1.0.dist-info/entry_points.txt", TEXT)
    return archive


@pytest.mark.parametrize("laid", [in_a_folder, under_capitals, in_an_egg, in_an_archive])
def test_a_package_is_found_wherever_it_lies(
    laid: Callable[[Path], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    assert found() == []
    monkeypatch.syspath_prepend(laid(tmp_path))

    assert found() == of_library(GROUP) == [("orders", "shop:ORDERS")]


def test_a_package_that_is_installed_meanwhile_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    os.utime(tmp_path, (0, 0))  # long ago: what was seen of it is kept
    monkeypatch.syspath_prepend(tmp_path)
    assert found() == found() == []

    in_a_folder(tmp_path)
    assert found() == of_library(GROUP) == [("orders", "shop:ORDERS")]

    shutil.rmtree(tmp_path / "shop-1.0.dist-info")
    assert found() == []


def test_a_folder_is_looked_through_once_until_it_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    listed: list[str] = []
    scandir = os.scandir

    def counted(path: str) -> object:
        listed.append(path)
        return scandir(path)

    os.utime(tmp_path, (0, 0))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    monkeypatch.setattr(os, "scandir", counted)

    assert found() == found() == []
    assert listed == [str(tmp_path)]


def test_the_current_folder_is_another_after_a_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.chdir(tmp_path / "empty")
    assert found() == []

    monkeypatch.chdir(in_a_folder(tmp_path))
    assert found() == [("orders", "shop:ORDERS")]


def test_a_package_in_the_current_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(in_a_folder(tmp_path))
    monkeypatch.setattr(sys, "path", ["", *sys.path])

    assert found() == of_library(GROUP) == [("orders", "shop:ORDERS")]


def test_a_finder_of_packages_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Whoever installs packages elsewhere gives Python a finder of distributions."""
    info = in_a_folder(tmp_path) / "shop-1.0.dist-info"

    class Elsewhere(DistributionFinder):
        def find_distributions(self, *_: object) -> Iterable[Distribution]:
            return [PathDistribution(info)]

        def find_spec(self, *_: object) -> None:
            return None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Elsewhere()])

    assert found() == of_library(GROUP) == [("orders", "shop:ORDERS")]


def test_every_group_of_this_environment_is_found_alike():
    groups = entry_points().groups

    assert "milepost.commands" in groups
    for group in groups:
        assert found(group) == of_library(group), group


def test_what_is_no_text_on_the_path_is_left_to_the_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "path", [*sys.path, in_a_folder(tmp_path)])

    assert found() == of_library(GROUP) == [("orders", "shop:ORDERS")]


def test_folders_that_are_not_there_and_files_that_are_no_packages_have_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "shop-1.0.egg-info").write_text(METADATA + TEXT)
    (tmp_path / "loose.dist-info").mkdir()
    (tmp_path / "text").write_text(TEXT)
    more = [str(tmp_path), str(tmp_path / "gone"), str(tmp_path / "text"), os.devnull]
    monkeypatch.setattr(sys, "path", [*more, *sys.path])

    assert found() == of_library(GROUP) == []


def test_nothing_is_read_twice_where_nobody_names_the_group(monkeypatch: pytest.MonkeyPatch):
    def refuse(**_: object) -> None:
        raise AssertionError("the slow reader was asked")

    folders = [each for each in sys.path if Path(each or ".").is_dir()]
    finders = [PathFinder, *(f for f in sys.meta_path if not hasattr(f, "find_distributions"))]
    monkeypatch.setattr(sys, "path", [each for each in folders if not each.endswith(".egg")])
    monkeypatch.setattr(sys, "meta_path", finders)
    monkeypatch.setattr("importlib.metadata.entry_points", refuse)

    assert installed.entries("nobody.has.this") == []
    with pytest.raises(AssertionError, match="slow reader"):
        installed.entries("milepost.commands")
