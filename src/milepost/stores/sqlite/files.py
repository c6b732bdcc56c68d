"""The file of a store: whether there is one, how one is made, and whether its place is fit for it.

The file itself is never opened here, only by its guard and by SQLite: to close it again would give
up the locks that SQLite holds on it for another store of this process (POSIX).
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from milepost.errors import (
    StoreAbsent,
    StoreError,
    StoreForeign,
    StoreFull,
    StoreUnreadable,
    StoreUnsafe,
)
from milepost.stores.protocol import Create
from milepost.stores.sqlite.errors import CHECK, NO_ROOM
from milepost.text.escapes import printable

__all__ = [
    "file_system_of",
    "make_ready",
    "mount_table",
    "new_file",
    "refuse_network",
]

_log: Final = logging.getLogger("milepost.store")

_THERE: Final = "there is a file already: name another"
_LOGS: Final = ("-journal", "-wal")
"""How the files are named in which SQLite keeps a part of one."""

_BESIDE: Final = (*_LOGS, "-shm")
"""How all files are named that SQLite keeps beside one."""

_NETWORK: Final = frozenset(
    {
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs4",
        "ocfs2",
        "orangefs",
        "prl_fs",
        "pvfs2",
        "smb3",
        "smbfs",
        "vboxsf",
        "virtiofs",
        "vmhgfs",
        "fuse.ceph-fuse",
        "fuse.davfs",
        "fuse.gcsfuse",
        "fuse.glusterfs",
        "fuse.juicefs",
        "fuse.rclone",
        "fuse.s3fs",
        "fuse.sshfs",
        "fuse.vmhgfs-fuse",
    }
)
"""What other machines, or a host, share: neither locks nor memory are shared with them."""

_MOUNTS: Final = Path("/proc/self/mountinfo")


def mount_table() -> str:
    """The table of mounts as Linux tells it; empty where there is none."""
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""


def refuse_network(path: Path, url: str, mounts: Callable[[], str]) -> None:
    """Raise StoreUnsafe if `path` is on a file system that others share over a network.

    SQLite keeps the index of its log in memory that all who write share, and rests on locks:
    between machines both fail without a word, and the file is damaged. What kind of file system
    it is, is known on Linux alone; elsewhere nothing is refused.
    """
    found = file_system_of(path, mounts())
    if found in _NETWORK:
        raise StoreUnsafe(
            url=url,
            file_system=found,
            problem=f"it is on a file system of type {found}, which is shared over a network: two"
            " machines that write there damage it. Use a local disk; where just one machine ever"
            " opens it, say allow_network=True (in a URL: ?allow_network=1)",
        )


def file_system_of(path: Path, mounts: str) -> str:
    """The type of the file system that `path` is on, or would be; "" where it is not known.

    `mounts` is in the form of /proc/self/mountinfo. Of two mounts on one place the last counts.
    """
    place = os.path.realpath(path)
    found, depth = "", -1
    for line in mounts.splitlines():
        before, separator, after = line.partition(" - ")
        fields = before.split(" ")
        if not separator or len(fields) < 5:
            continue
        mounted = _unescaped(fields[4]).rstrip("/")
        if len(mounted) >= depth and (place == mounted or place.startswith(f"{mounted}/")):
            found, depth = after.split(" ", 1)[0], len(mounted)
    return found


def _unescaped(field: str) -> str:
    """A field with its octal escapes: blank, tab, line feed and backslash."""
    if "\\" not in field:
        return field
    for escape, char in ((r"\040", " "), (r"\011", "\t"), (r"\012", "\n"), (r"\134", "\\")):
        field = field.replace(escape, char)
    return field


def make_ready(path: Path, url: str, *, create: Create) -> None:
    """Tell absent, foreign and unreadable files apart; make an empty one where there is none.

    What is made is for its owner alone: files 0600, folders 0700. What is there already stays as
    it is; that anybody may write to it is worth a warning. Raises StoreAbsent, StoreForeign,
    StoreUnreadable, StoreError.
    """
    try:
        found = path.stat()
    except FileNotFoundError:
        _make(path, url, create=create)
        return
    except OSError as error:
        raise StoreUnreadable(url=url, problem=f"cannot be read: {error}", todo=CHECK) from error
    if stat.S_ISDIR(found.st_mode):
        raise StoreForeign(url=url, problem="it is a folder: name a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise StoreForeign(
            url=url, problem="it is no regular file; it was left alone: name another file"
        )
    if not os.access(path, os.R_OK):
        raise StoreUnreadable(url=url, problem="cannot be read: permission denied", todo=CHECK)
    if found.st_size == 0 and not create:
        raise StoreAbsent(
            url=url, problem="the file is empty: check the path, or create a job in it"
        )
    _warn_of_strangers(path, found)


def _make(path: Path, url: str, *, create: Create) -> None:
    if not path.parent.is_dir() and create != "folders":
        problem = f"the folder {path.parent} does not exist: make it first"
        if create:
            problem += ", or say create='folders' in Python"
        raise StoreAbsent(url=url, problem=problem)
    if not create:
        problem = "there is no such file: check the path, or create a job in it"
        raise StoreAbsent(url=url, problem=problem)
    try:
        _make_folder(path.parent)
        with suppress(FileExistsError):  # made by another meanwhile
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except OSError as error:
        raise _trouble(error, url, "cannot be made") from error


@contextmanager
def new_file(path: Path, url: str) -> Iterator[Path]:
    """Where a file is made that is put at `path` as the block ends, durable, its owner's alone.

    It is an empty file beside `path` under a hidden name, which is all that is left where the
    process dies meanwhile; of an error nothing is. Raises StoreError if there is anything at
    `path`, before or after, or if the block leaves a part of the file beside it.
    """
    from milepost.process.files import part_beside  # noqa: PLC0415 for copies alone

    if os.path.lexists(path):
        raise StoreError(url=url, problem=_THERE)
    part = part_beside(path)
    _claim(part, url)
    made = [part, *(part.with_name(part.name + end) for end in _BESIDE)]
    try:
        yield part
        _insist_on_all(part, url)
        _settle(part, url)
        _put(part, path, url)
        made.append(path)
        _settle(path.parent, url)
    except BaseException:
        for name in made:
            with suppress(OSError):
                name.unlink()
        raise


def _insist_on_all(part: Path, url: str) -> None:
    """Raise StoreError where SQLite could not bring its log in: it closes a file without a word."""
    for end in _LOGS:
        log = part.with_name(part.name + end)
        if log.exists() and log.stat().st_size:
            raise StoreError(
                url=url,
                problem=f"not all of it came in from its {end} file: see whether there is room on"
                " the disk, and try again",
            )


def _put(part: Path, path: Path, url: str) -> None:
    """Give a file its name. Raises StoreError where somebody has that meanwhile."""
    try:
        os.link(part, path)
    except FileExistsError as error:
        raise StoreError(url=url, problem=_THERE) from error
    except OSError:  # a file system without links: for a moment there is an empty file
        _claim(path, url)
        try:
            os.replace(part, path)  # noqa: PTH105
        except OSError as error:
            path.unlink()
            raise _trouble(error, url, "cannot be put in its place") from error
    else:
        part.unlink()


def _claim(path: Path, url: str) -> None:
    """Make an empty file for its owner alone. Raises StoreError if there is anything at `path`."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError as error:
        raise StoreError(url=url, problem=_THERE) from error
    except OSError as error:
        raise _trouble(error, url, "cannot be made") from error


def _settle(path: Path, url: str) -> None:
    """Make what is in a file, or the names in a folder, survive power loss."""
    try:
        handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise _trouble(error, url, "cannot be made durable") from error


def _trouble(error: OSError, url: str, what: str) -> StoreError:
    """What the system says about a file that was to be made."""
    reason = (error.strerror or str(error)).lower()
    if error.errno in NO_ROOM:
        problem = f"{what}, for there is no room left: {reason}; free some space and try again"
        return StoreFull(url=url, problem=problem)
    if isinstance(error, FileNotFoundError) and not Path(error.filename).parent.is_dir():
        reason = "its folder does not exist"
    return StoreError(url=url, problem=f"{what}: {reason}: check the path, and what you may write")


def _make_folder(folder: Path) -> None:
    """Make `folder` and those that lead to it, each durable in the one that it is in."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    above = os.open(folder.parent, os.O_RDONLY)
    try:
        os.fsync(above)
    finally:
        os.close(above)


def _warn_of_strangers(path: Path, found: os.stat_result) -> None:
    folder = path.parent.stat()
    if found.st_mode & stat.S_IWOTH:
        _log.warning("%s may be written by anybody: chmod o-w", printable(str(path)))
    elif folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        _log.warning("%s is in a folder that anybody may write to: chmod o-w", printable(str(path)))
