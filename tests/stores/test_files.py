"""Where a store may be: files for their owner alone, folders only when asked, no network."""

from __future__ import annotations

import logging
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from milepost import StateManager
from milepost.errors import StoreAbsent, StoreError, StoreForeign, StoreUnsafe
from milepost.stores.sqlite import files as sqlite_files
from milepost.stores.sqlite.files import file_system_of, mount_table
from milepost.stores.sqlite.store import SqliteStore

LOCAL = "25 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n"


def mounted(*places: tuple[Path | str, str]) -> str:
    """A table of mounts: the root, and `places` with their types."""
    lines = [
        f"{number} 25 0:{number} / {str(place).replace(' ', chr(92) + '040')} rw master:1"
        f" - {kind} host:/export rw,vers=4.2\n"
        for number, (place, kind) in enumerate(places, 30)
    ]
    return LOCAL + "".join(lines)


@pytest.mark.parametrize(
    "kind",
    ["nfs", "nfs4", "cifs", "smb3", "9p", "virtiofs", "fuse.sshfs", "ceph", "lustre", "glusterfs"],
)
def test_a_network_file_system_is_refused_with_advice(tmp_path: Path, kind: str) -> None:
    """Before anything is made there; the message names the way round it, which works."""
    path = tmp_path / "share" / "jobs.db"
    path.parent.mkdir()
    table = mounted((path.parent, kind))
    with pytest.raises(StoreUnsafe, match=r"allow_network=True") as refused:
        SqliteStore(path, mounts=lambda: table)
    assert refused.value.file_system == kind
    with pytest.raises(StoreUnsafe):
        SqliteStore(path, read_only=True, mounts=lambda: table)
    assert list(path.parent.iterdir()) == []
    SqliteStore(path, allow_network=True, mounts=lambda: table).close()
    assert path.exists()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "fuse.lxcfs"])
def test_a_local_one_is_not(tmp_path: Path, kind: str) -> None:
    """The negative control."""
    SqliteStore(tmp_path / "jobs.db", mounts=lambda: mounted((tmp_path, kind))).close()


def test_where_there_is_no_table_nothing_is_refused(tmp_path: Path) -> None:
    """Elsewhere than on Linux the kind of a file system is not known."""
    SqliteStore(tmp_path / "jobs.db", mounts=lambda: "").close()
    SqliteStore(tmp_path / "jobs.db", mounts=lambda: "not\na table - at all\n").close()


def test_a_url_and_the_manager_allow_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the command line can look at what an executor was allowed to write."""
    table = tmp_path / "mountinfo"
    table.write_text(mounted((tmp_path, "nfs4")))
    monkeypatch.setattr(sqlite_files, "_MOUNTS", table)
    path = tmp_path / "jobs.db"
    with pytest.raises(StoreUnsafe):
        StateManager.open(path)
    StateManager.open(path, allow_network=True).close()
    StateManager.open(f"sqlite:///{path}?allow_network=1", read_only=True).close()
    for query in ("allow_network=0", "allow_network", "mode=rw"):
        with pytest.raises(StoreError, match="no URL of a store"):
            StateManager.open(f"sqlite:///{path}?{query}")


def test_the_deepest_mount_counts_and_of_two_the_last(tmp_path: Path) -> None:
    """Names with blanks, links, neighbours that begin alike, and mounts over mounts."""
    deep = tmp_path / "a share" / "local"
    deep.mkdir(parents=True)
    link = tmp_path / "link"
    link.symlink_to(deep.parent)
    table = mounted(
        (tmp_path / "a share", "nfs"), (deep, "xfs"), (tmp_path / "a", "cifs"), (deep, "ext4")
    )
    assert file_system_of(deep / "jobs.db", table) == "ext4"
    assert file_system_of(deep.parent / "jobs.db", table) == "nfs"
    assert file_system_of(link / "jobs.db", table) == "nfs"
    assert file_system_of(tmp_path / "abc" / "jobs.db", table) == "ext4"
    assert file_system_of(Path("/"), table) == "ext4"


@pytest.mark.skipif(sys.platform != "linux", reason="the table is Linux's")
def test_the_table_of_this_machine_is_read() -> None:
    """Every place on Linux is on some file system, of a type that has a name."""
    assert file_system_of(Path("/proc/self"), mount_table()) == "proc"


def test_folders_are_made_when_asked_and_for_their_owner_alone(tmp_path: Path) -> None:
    """Those that were there keep their permissions."""
    tmp_path.chmod(0o755)
    path = tmp_path / "a" / "b" / "jobs.db"
    with pytest.raises(StoreAbsent, match="create='folders'"):
        StateManager.open(path)
    with pytest.raises(StoreAbsent):
        StateManager.open(path, create="folders", read_only=True)
    assert list(tmp_path.iterdir()) == []
    with StateManager.open(path, create="folders") as manager:
        manager.create_job(["a"], job_id="j")
        modes = {
            found.name: stat.S_IMODE(found.stat().st_mode)
            for found in (tmp_path, *tmp_path.rglob("*"))
        }
    del modes[tmp_path.name]
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert modes == {
        "a": 0o700,
        "b": 0o700,
        "jobs.db": 0o600,
        "jobs.db-wal": 0o600,
        "jobs.db-shm": 0o600,
    }


def test_a_place_where_nothing_can_be_made(tmp_path: Path) -> None:
    """The system's own words, as one of our errors."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be"):
        StateManager.open(tmp_path / "file" / "jobs.db", create="folders")


def test_what_anybody_may_write_to_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A store that is there keeps the permissions that somebody gave it."""
    path = tmp_path / "jobs.db"
    StateManager.open(path).close()
    with caplog.at_level(logging.WARNING, logger="milepost.store"):
        StateManager.open(path).close()
        assert caplog.messages == []
        path.chmod(0o660)
        StateManager.open(path).close()
        assert caplog.messages == []
        path.chmod(0o666)
        StateManager.open(path).close()
        assert "may be written by anybody" in caplog.messages[0]
        path.chmod(0o600)
        tmp_path.chmod(0o777)
        StateManager.open(path).close()
        assert "a folder that anybody may write to" in caplog.messages[1]
        tmp_path.chmod(0o1777)
        StateManager.open(path).close()
        assert len(caplog.messages) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_pipe_is_no_store(tmp_path: Path) -> None:
    """And asking does not wait for somebody to write into it."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreForeign, match="no regular file"):
        StateManager.open(tmp_path / "pipe")


@pytest.mark.skipif(sys.platform != "linux", reason="/proc/locks is Linux's")
def test_a_second_store_on_a_file_leaves_the_locks_of_the_first(tmp_path: Path) -> None:
    """To close any handle of a file gives up all locks of the process on it (POSIX)."""
    path = tmp_path / "jobs.db"

    def locks() -> int:
        inode = f":{path.stat().st_ino}"
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
        return sum(str(os.getpid()) in line.split() and inode in line for line in lines)

    with StateManager.open(path) as first:
        first.create_job(["a"], job_id="one")
        held = locks()
        assert held > 0
        with StateManager.open(path) as second:
            second.job_ids()
            assert locks() >= held
        with path.open("rb"):
            pass
        assert locks() < held, "the negative control"


def test_the_log_is_tidied_away_by_the_last_to_close(tmp_path: Path) -> None:
    """One file is left, which can be copied as it is."""
    path = tmp_path / "jobs.db"
    with StateManager.open(path) as manager:
        manager.create_job(["a"], job_id="one")
        manager.get_state("one")
        code = (
            "import sys; from milepost import StateManager; StateManager.open(sys.argv[1]).close()"
        )
        subprocess.run([sys.executable, "-c", code, str(path)], check=True)
        manager.create_job(["b"], job_id="two")
    assert [found.name for found in tmp_path.iterdir()] == ["jobs.db"]
    with StateManager.open(path, read_only=True) as manager:
        assert manager.job_ids() == ["one", "two"]
