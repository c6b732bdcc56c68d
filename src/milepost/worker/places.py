"""Where large results are put beside the log: a local folder, object storage, another filesystem.

A place holds objects whose names are the digest of their bytes, so that writing one twice is
harmless. Nothing outside the place is read, written or removed, whatever a name says. obstore and
fsspec are imported by the first place that needs them.
"""

from __future__ import annotations

import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, unquote, urlsplit

from milepost import arguments
from milepost.errors import ArgumentInvalid, ExtraAbsent

__all__ = ["NAME", "Place", "base_url", "place_at", "without_secrets"]

NAME: Final = re.compile(r"[0-9a-f]{64}\.(json|coded)")
"""The names of objects: what they hold is JSON, or came out of a payload codec."""

_PART: Final = re.compile(r"\.[0-9a-f]{64}\.(json|coded)\.[0-9a-f]{12}\.part")
_OBJECTS: Final = ("s3", "gs", "az", "abfs", "abfss")
_OTHERS: Final = ("memory", "hdfs", "webhdfs", "sftp", "smb", "dbfs", "gcs", "adl", "oci", "oss")
_MOST_CHARS: Final = 4096
_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.=+@-][A-Za-z0-9_.=+@ %-]*")


class Place(Protocol):
    """The objects below one URL, by name. Each method raises OSError where the place cannot."""

    def write(self, name: str, data: bytes, *, synced: bool = True) -> None:
        """Put an object there whole, and durable unless it need not be `synced`, or raise."""
        ...

    def read(self, name: str) -> bytes:
        """The bytes of an object. Raises FileNotFoundError if there is none."""
        ...

    def names(self) -> Iterator[tuple[str, float]]:
        """The names of all objects with their times in seconds since 1970; none if no place."""
        ...

    def remove(self, name: str) -> None:
        """Take an object away; it is no error if there is none."""
        ...

    def clear(self) -> int:
        """Take away all objects, what a writer left half made, and the place; how many objects."""
        ...


def base_url(given: str | os.PathLike[str]) -> str:
    """The URL of a place that was given as a path or a URL. Raises ArgumentInvalid.

    A URL has one of the known schemes, and no user, password, query or fragment: it is kept in the
    log, where anybody can read it.
    """
    if isinstance(given, os.PathLike):
        text = str(arguments.path("url", given))
    else:
        text = arguments.text("url", given, least=1, most=_MOST_CHARS)
    if "://" not in text:
        return Path(os.path.abspath(text)).as_uri()  # noqa: PTH100 links stay links
    try:
        parts = urlsplit(text)
    except ValueError:  # a password may be in what the parser says
        given = "a text that is none"
        raise ArgumentInvalid(name="url", given=given, wanted="a path or a URL") from None
    scheme = parts.scheme.lower()
    if scheme not in ("file", *_OBJECTS, *_OTHERS):
        known = ", ".join(("file", *_OBJECTS))
        _refuse(text, f"a URL with a scheme of {known}, or one of fsspec's that is known")
    if parts.username or parts.password or parts.query or parts.fragment or "@" in parts.netloc:
        _refuse(text, "a URL without a user, a password or a query: credentials come from the"
                " environment, and the URL is kept in the log")  # fmt: skip
    path = unquote(parts.path)
    if any(part in (".", "..") for part in path.split("/")) or "\\" in path or "\0" in path:
        _refuse(text, "a URL whose path has no parts like '..'")
    if scheme == "file":
        if parts.netloc not in ("", "localhost") or not path.startswith("/"):
            _refuse(text, "a URL of this machine: file:///folder")
        return Path(path).as_uri()
    if scheme in _OBJECTS and not parts.netloc:
        _refuse(text, f"a URL with a bucket: {scheme}://bucket/folder")
    return f"{scheme}://{parts.netloc}{quote(path.rstrip('/'))}"


def without_secrets(text: str) -> str:
    """A URL as it may be shown: nothing that may be a credential is left in it."""
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


def place_at(url: str) -> Place:
    """The place at a URL that `base_url` gave, or below one. Raises ArgumentInvalid, ExtraAbsent.

    Object storage needs obstore, or fsspec if the application has imported that alone; any other
    scheme needs that it has imported fsspec.
    """
    checked = base_url(url)
    scheme, _, rest = checked.partition("://")
    if scheme == "file":
        return _Folder(Path(unquote(rest)))
    if scheme in _OBJECTS and not _only_fsspec():
        bucket, _, prefix = rest.partition("/")
        return _Bucket(_bucket(f"{scheme}://{bucket}"), unquote(prefix))
    if "fsspec" not in sys.modules:
        raise ExtraAbsent(
            package="fsspec", extra="objects", needed_by=f"a place of the scheme {scheme}"
        )
    return _Filesystem(scheme, unquote(rest))


def _refuse(text: str, wanted: str) -> None:
    raise ArgumentInvalid(name="url", given=without_secrets(text), wanted=wanted)


def _only_fsspec() -> bool:
    """True if fsspec was imported and obstore cannot be."""
    if "fsspec" not in sys.modules:
        return False
    try:
        import_module("obstore")
    except ImportError:
        return True
    return False


class _Folder:
    """A folder of this machine: plain files, written to another name, synced and renamed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, name: str, data: bytes, *, synced: bool = True) -> None:
        path = self._path / _checked(name)
        if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
            return
        made = not self._path.is_dir()
        self._path.mkdir(parents=True, exist_ok=True)
        self._refuse_link()
        part = self._path / f".{name}.{secrets.token_hex(6)}.part"
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                if synced:
                    os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            with suppress(OSError):
                part.unlink()
            raise
        if synced:
            _sync(self._path)
        if synced and made:
            _sync(self._path.parent)

    def read(self, name: str) -> bytes:
        return (self._path / _checked(name)).read_bytes()

    def names(self) -> Iterator[tuple[str, float]]:
        try:
            entries = list(os.scandir(self._path))
        except FileNotFoundError:
            return
        for entry in entries:
            if NAME.fullmatch(entry.name) and entry.is_file(follow_symlinks=False):
                with suppress(FileNotFoundError):
                    yield entry.name, entry.stat(follow_symlinks=False).st_mtime

    def remove(self, name: str) -> None:
        self._refuse_link()
        (self._path / _checked(name)).unlink(missing_ok=True)

    def clear(self) -> int:
        if not self._path.exists():
            return 0
        self._refuse_link()
        count = 0
        for name, _ in list(self.names()):
            self.remove(name)
            count += 1
        for entry in list(os.scandir(self._path)):
            if _PART.fullmatch(entry.name):
                Path(entry.path).unlink(missing_ok=True)
        with suppress(OSError):  # somebody else's files are in it
            self._path.rmdir()
        return count

    def _refuse_link(self) -> None:
        if self._path.is_symlink():
            raise PermissionError(f"{self._path} is a link to another folder: nothing is put there")


class _Bucket:
    """A prefix of a bucket, through obstore; a put is atomic and durable there."""

    def __init__(self, store: Any, prefix: str) -> None:  # Any: obstore is no dependency
        self._store = store
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._obstore: Any = import_module("obstore")

    def write(self, name: str, data: bytes, *, synced: bool = True) -> None:  # noqa: ARG002
        self._asked(self._obstore.put, self._prefix + _checked(name), data)

    def read(self, name: str) -> bytes:
        return bytes(self._asked(self._obstore.get, self._prefix + _checked(name)).bytes())

    def names(self) -> Iterator[tuple[str, float]]:
        batches = iter(self._asked(self._obstore.list, self._prefix or None))
        while batch := self._asked(lambda _: next(batches, None)):
            for each in batch:
                name = each["path"].removeprefix(self._prefix)
                if NAME.fullmatch(name):
                    yield name, each["last_modified"].timestamp()

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._asked(self._obstore.delete, self._prefix + _checked(name))

    def clear(self) -> int:
        count = 0
        for name, _ in list(self.names()):
            self.remove(name)
            count += 1
        return count

    def _asked(self, function: Any, *args: Any) -> Any:
        try:
            return function(self._store, *args)
        except FileNotFoundError:
            raise
        except Exception as error:
            raise OSError(f"object storage: {_first_line(error)}") from error


class _Filesystem:
    """A folder of a filesystem of fsspec, which the application has imported."""

    def __init__(self, scheme: str, path: str) -> None:
        fsspec: Any = import_module("fsspec")
        self._fs: Any = fsspec.filesystem(scheme)
        self._path = self._fs._strip_protocol(f"{scheme}://{path}").rstrip("/")  # noqa: SLF001 public by use

    def write(self, name: str, data: bytes, *, synced: bool = True) -> None:  # noqa: ARG002
        self._fs.makedirs(self._path, exist_ok=True)
        part = f"{self._path}/.{_checked(name)}.{secrets.token_hex(6)}.part"
        self._fs.pipe_file(part, data)
        self._fs.mv(part, f"{self._path}/{name}")

    def read(self, name: str) -> bytes:
        return bytes(self._fs.cat_file(f"{self._path}/{_checked(name)}"))

    def names(self) -> Iterator[tuple[str, float]]:
        for path in self._listed():
            name = path.rpartition("/")[2]
            if NAME.fullmatch(name):
                modified: Any = self._fs.modified(path)
                yield name, modified.timestamp()

    def remove(self, name: str) -> None:
        with suppress(FileNotFoundError):
            self._fs.rm_file(f"{self._path}/{_checked(name)}")

    def clear(self) -> int:
        count = 0
        for path in self._listed():
            name = path.rpartition("/")[2]
            if NAME.fullmatch(name) or _PART.fullmatch(name):
                self._fs.rm_file(path)
                count += bool(NAME.fullmatch(name))
        return count

    def _listed(self) -> list[str]:
        try:
            return list(self._fs.ls(self._path, detail=False))
        except FileNotFoundError:
            return []


def _checked(name: str) -> str:
    if NAME.fullmatch(name) is None:
        raise ValueError(f"{name!r} is no name of an object")
    return name


@lru_cache(maxsize=64)
def _bucket(url: str) -> Any:  # Any: obstore is no dependency
    try:
        store: Any = import_module("obstore.store")
    except ImportError as error:
        raise ExtraAbsent(
            package="obstore", extra="objects", needed_by="results in object storage"
        ) from error
    try:
        return store.from_url(url)
    except Exception as error:
        raise OSError(f"object storage: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]


def _sync(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
