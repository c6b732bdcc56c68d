"""Large results in object storage, through obstore, and in a filesystem of fsspec."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import fsspec
import pytest

from milepost import ExtraAbsent, StateManager, StoredResultAbsent, StoredResultDamaged
from milepost.executors import Beside
from milepost.worker import places
from tests.integration.beside.buckets import Bucket, serving
from tests.integration.beside.test_beside import (
    LARGE,
    collected,
    expected,
    references,
    worked,
)

SECRET = "wJalrXUtnFEMI"  # noqa: S105 and it opens nothing


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    with serving() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL", served.endpoint)
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        places._bucket.cache_clear()
        yield served
        places._bucket.cache_clear()


def test_object_storage(manager: StateManager, bucket: Bucket) -> None:
    worked(manager, "s3://results/nightly", [LARGE, 5, LARGE + 2])  # type: ignore[arg-type]
    assert len(bucket.objects) == 2
    stored = references(manager)[0]
    assert stored is not None
    assert stored.uri.startswith("s3://results/nightly/j.")
    assert stored.uri.removeprefix("s3://results/") in bucket.objects
    assert dict(manager.results("j")) == expected(manager)
    bucket.objects["nightly/strange.txt"] = b"not ours"
    assert collected(manager).objects == 2
    assert list(bucket.objects) == ["nightly/strange.txt"]


def test_damage_absence_and_refusals_there(manager: StateManager, bucket: Bucket) -> None:
    worked(manager, "s3://results", [LARGE])  # type: ignore[arg-type]
    (key,) = bucket.objects
    whole = bucket.objects[key]
    bucket.objects[key] = whole[:-1] + b"x"
    with pytest.raises(StoredResultDamaged):
        list(manager.results("j"))
    del bucket.objects[key]
    with pytest.raises(StoredResultAbsent, match="nothing of that name"):
        list(manager.results("j"))
    bucket.objects[key] = whole
    bucket.broken = True
    with pytest.raises(StoredResultAbsent, match="cannot be read") as caught:
        list(manager.results("j"))
    assert SECRET not in str(caught.value)
    (put_off,) = collected(manager).passed_over
    assert "cannot be deleted yet" in put_off.why
    assert SECRET not in put_off.why
    bucket.broken = False
    assert collected(manager).objects == 1
    assert bucket.objects == {}


def test_credentials_are_nowhere_in_the_store(
    manager: StateManager, bucket: Bucket, tmp_path: object
) -> None:
    worked(manager, "s3://results", [LARGE])  # type: ignore[arg-type]
    told = repr([event.payload for event in manager.get_state_history("j")])
    assert "s3://results/j." in told
    assert SECRET not in told
    assert SECRET not in repr(manager.keep_beside("j", Beside("s3://results")))


def test_a_filesystem_that_the_application_has_imported(manager: StateManager) -> None:
    memory = fsspec.filesystem("memory")
    try:
        worked(manager, "memory://kept", [LARGE, 5])  # type: ignore[arg-type]
        stored = references(manager)[0]
        assert stored is not None
        assert memory.exists(stored.uri)
        assert dict(manager.results("j")) == expected(manager)
        assert collected(manager).objects == 1
        assert not memory.exists(stored.uri)
    finally:
        memory.store.clear()


def test_without_the_package_there_is_a_line_for_pip(
    manager: StateManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    places._bucket.cache_clear()
    monkeypatch.setitem(sys.modules, "obstore", None)
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    monkeypatch.delitem(sys.modules, "fsspec")
    with pytest.raises(ExtraAbsent, match=r"pip install 'milepost\[objects\]'"):
        worked(manager, "s3://results", [LARGE])  # type: ignore[arg-type]
    with pytest.raises(ExtraAbsent, match="fsspec"):
        worked(manager, "memory://kept", [LARGE], job="k")  # type: ignore[arg-type]
