"""The page on Slurm and Kubernetes: its driver, its script and its manifest do what it says."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from milepost import StateManager

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "run-on-slurm-and-kubernetes.md"
BLOCK = re.compile(r"(?ms)^```\w+\n((?:#![^\n]*\n)?# ([\w.]+)\n.*?)^```$")
FILES = {name: text for text, name in BLOCK.findall(PAGE.read_text(encoding="utf-8"))}
BIN = Path(sys.executable).parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the files of the page, and a stand-in for Slurm's own command.

    Temporary files are in another one, since Python has sockets there and their paths are short.
    """
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "bin").mkdir()
    told = tmp_path / "bin" / "scontrol"
    told.write_text('#!/bin/sh\necho "$@" >> "$SLURM_SUBMIT_DIR/asked"\n', encoding="utf-8")
    told.chmod(0o755)
    with tempfile.TemporaryDirectory(prefix="slurm-", ignore_cleanup_errors=True) as short:
        monkeypatch.setenv("TMPDIR", short)
        yield tmp_path


def begun(folder: Path, *command: str) -> subprocess.Popen[str]:
    path = os.pathsep.join((str(folder / "bin"), str(BIN), os.environ["PATH"]))
    slurm = {"SLURM_JOB_ID": "17", "SLURM_SUBMIT_DIR": str(folder)}
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **slurm, "PATH": path},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def hasten(folder: Path) -> None:
    """What is left to do takes no time from here on."""
    quick = FILES["driver.py"].replace("sleep(0.05)", "sleep(0)")
    assert quick != FILES["driver.py"]
    (folder / "driver.py").write_text(quick, encoding="utf-8")


def until(process: subprocess.Popen[str], words: str) -> None:
    """Return once the process has said so."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if words in line:
            return
    raise AssertionError("".join(said))


def ended(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=60)
    return process.returncode


def test_a_driver_that_is_stopped_says_so_and_the_next_finishes(folder: Path) -> None:
    """75, then 0; no attempt is used up."""
    first = begun(folder, "python", "driver.py")
    until(first, "job nightly: map")
    first.send_signal(signal.SIGTERM)
    assert ended(first) == 75
    with StateManager.open(folder / "jobs.db") as manager:
        state = manager.get_state("nightly")
        assert (state.phase, state.owner, state.progress.running) == ("map", None, 0)
    hasten(folder)
    assert ended(begun(folder, "python", "driver.py")) == 0


def test_a_job_that_failed_is_told_from_one_to_come_again_for(folder: Path) -> None:
    """Which the manifest ends the Job at."""
    broken = FILES["driver.py"].replace("return len(item.key)", "raise ValueError")
    (folder / "driver.py").write_text(broken.replace("sleep(0.05)", "sleep(0)"), encoding="utf-8")
    assert broken != FILES["driver.py"]
    assert ended(begun(folder, "python", "driver.py")) == 3


def test_a_standby_takes_over_from_one_that_is_killed(folder: Path) -> None:
    """At once, on the same machine."""
    hold = folder / "hold"
    hold.touch()
    waits = "while os.path.exists('hold'): time.sleep(0.01)"
    held = FILES["driver.py"].replace("time.sleep(0.05)", waits)
    assert held != FILES["driver.py"]
    (folder / "driver.py").write_text(held, encoding="utf-8")
    first = begun(folder, "python", "driver.py")
    until(first, "job nightly: map")
    standby = begun(folder, "python", "driver.py")
    until(standby, "waiting until it gives the job back")
    hold.unlink()
    first.kill()
    assert ended(first) == -signal.SIGKILL
    assert ended(standby) == 0


def test_the_script_keeps_the_store_and_asks_to_come_again(folder: Path) -> None:
    """Stopped before its time is up, and finished by the next job, on another node as it were."""
    script = ("bash", "job.sbatch")
    first = begun(folder, *script)
    until(first, "job nightly: map")
    first.send_signal(signal.SIGTERM)
    assert ended(first) == 75
    assert (folder / "asked").read_text(encoding="utf-8") == "requeue 17\n"
    with StateManager.open(folder / "nightly.db") as manager:
        assert manager.get_state("nightly").phase == "map"
    hasten(folder)
    assert ended(begun(folder, *script)) == 0
    with StateManager.open(folder / "nightly.db") as manager:
        assert manager.get_state("nightly").phase == "completed"
    assert (folder / "asked").read_text(encoding="utf-8") == "requeue 17\n"
    assert not list(folder.glob("tmp.*"))


def test_the_script_is_one_that_bash_and_slurm_can_read(folder: Path) -> None:
    """Options stand before the first command, where sbatch looks for them."""
    subprocess.run(["bash", "-n", "job.sbatch"], cwd=folder, check=True)
    head = FILES["job.sbatch"].partition("\n\n")[0].splitlines()
    assert head[0] == "#!/bin/bash"
    options = dict(re.findall(r"(?m)^#SBATCH --([\w-]+)(?:=(.*))?$", FILES["job.sbatch"]))
    assert len(options) == sum(line.startswith("#SBATCH") for line in head) == 6
    assert re.fullmatch(r"B:TERM@(\d+)", options["signal"])


def test_the_manifest_gives_the_driver_its_time_and_its_disk() -> None:
    """The fields that the page speaks of, with values that fit the driver's."""
    claim, job = yaml.safe_load_all(FILES["job.yaml"])
    spec: dict[str, Any] = job["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
    assert pod["restartPolicy"] == "Never"  # without it no podFailurePolicy
    grace_s = int(re.findall(r"grace_s=(\d+)", FILES["driver.py"])[0])
    assert pod["terminationGracePeriodSeconds"] >= grace_s + 15
    codes, disruption = spec["podFailurePolicy"]["rules"]
    failed = int(re.findall(r"FINISHED, FAILED, AGAIN = 0, (\d+), 75", FILES["driver.py"])[0])
    assert (codes["action"], codes["onExitCodes"]["values"]) == ("FailJob", [failed])
    assert codes["onExitCodes"]["containerName"] == container["name"]
    assert disruption["onPodConditions"] == [{"type": "DisruptionTarget"}]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    (volume,), (mount,) = pod["volumes"], container["volumeMounts"]
    assert volume["name"] == mount["name"]
    assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    (store,) = container["env"]
    assert store["value"].startswith(mount["mountPath"] + "/")
    assert container["command"][0] == "python"
