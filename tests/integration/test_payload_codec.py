"""Payloads pass through a codec: with it all is as it was, without it no word of them is told."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from milepost import ItemEvent, RecordConflict, StateManager, StateStore
from milepost.errors import CodecAbsent, LogCorrupt, StoreUnreadable, ValueInvalid
from milepost.state.persistence import open_store
from milepost.testing import FakeClock
from tests.integration.cli.conftest import CommandLine

EXAMPLE = Path(__file__).parents[2] / "examples" / "encrypted_payloads.py"
SECRET = "the hidden word"  # noqa: S105 and it opens nothing


class Masked:
    """A codec that hides nothing from anybody who tries, and every byte from who only looks."""

    def __init__(self, name: str = "masked", mask: int = 0x55, digest_key: bytes = b"key") -> None:
        self.name = name
        self.digest_key = digest_key
        self._mask = mask

    def encode(self, plain: bytes) -> bytes:
        return bytes([self._mask]) + bytes(byte ^ self._mask for byte in plain)

    def decode(self, stored: bytes) -> bytes:
        if not stored or stored[0] != self._mask:
            raise ValueError("it has another mask")
        return bytes(byte ^ self._mask for byte in stored[1:])


def tell(manager: StateManager) -> None:
    """A job whose every payload has the secret in it: values, results, messages, a refused one."""
    items = [{"n": n, "word": SECRET} for n in range(4)]
    manager.create_job(items, job_id="job", config={"max_attempts": 1})
    manager.fire("job", "start_map")
    manager.record("job", [ItemEvent(n, "start") for n in range(4)])
    long = f"{SECRET} " * 200
    manager.record("job", [ItemEvent(0, "succeed", {"result": SECRET})])
    manager.record("job", [ItemEvent(1, "succeed", {"result": {"long": long}})])
    manager.record("job", [ItemEvent(2, "fail", {"cause": "error", "message": SECRET})])
    with pytest.raises(RecordConflict):
        manager.record("job", [ItemEvent(0, "succeed", {"result": f"other {SECRET}"})])
    manager.create_checkpoint("job")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "jobs.db"
    with StateManager.open(path, payload_codec=Masked(), clock=FakeClock()) as manager:
        tell(manager)
    return path


def observed(manager: StateManager) -> dict[str, Any]:
    state = manager.get_state("job")
    return {
        "results": list(dict(manager.results("job")).values()),
        "failures": [list(map(tuple, found)) for found in manager.failures("job").values()],
        "values": [state.inputs.value(ordinal) for ordinal in range(4)],
        "items": state.tally,
        "events": [event.event for event in manager.get_state_history("job")],
    }


@pytest.mark.parametrize("url", ["memory:", "sqlite"])
def test_with_the_codec_all_is_as_without_one(url: str, tmp_path: Path) -> None:
    """Every store; what is read is what a job without a codec gives."""
    stores: list[StateStore] = [
        open_store(url if url == "memory:" else tmp_path / f"{n}.db") for n in range(2)
    ]
    coded = StateManager(stores[0], clock=FakeClock(), payload_codec=Masked())
    plain = StateManager(stores[1], clock=FakeClock())
    for manager in (coded, plain):
        tell(manager)
    fresh = StateManager(stores[0], clock=FakeClock(), payload_codec=Masked())
    assert observed(fresh) == observed(coded) == observed(plain)
    assert fresh.verify("job")[0].sound
    fresh.compact("job")
    assert observed(fresh) == observed(plain)
    for store in stores:
        store.close()


def test_nothing_of_a_payload_is_in_the_file(database: Path, tmp_path: Path) -> None:
    """Neither a value nor what could be told from its digest."""
    assert SECRET.encode() not in database.read_bytes()
    with StateManager.open(tmp_path / "plain.db", clock=FakeClock()) as manager:
        tell(manager)
    assert SECRET.encode() in (tmp_path / "plain.db").read_bytes(), "the negative control"
    with StateManager.open(database) as coded, StateManager.open(tmp_path / "plain.db") as plain:
        one, two = coded.get_state("job"), plain.get_state("job")
        assert one.created.fingerprint != two.created.fingerprint
        assert one.inputs.key(0) != two.inputs.key(0)


def test_equal_payloads_have_unequal_digests_if_the_codec_makes_them_so(tmp_path: Path) -> None:
    """The digest of a body is of what is stored: it tells no more than that does."""

    class Salted(Masked):
        salt = 0

        def encode(self, plain: bytes) -> bytes:
            self.salt += 1
            return super().encode(bytes([self.salt]) + plain)

        def decode(self, stored: bytes) -> bytes:
            return super().decode(stored)[1:]

    store = open_store("memory:")
    manager = StateManager(store, clock=FakeClock(), payload_codec=Salted())
    manager.create_job(["a", "b"], job_id="job")
    manager.fire("job", "start_map")
    manager.record("job", [ItemEvent(n, "start") for n in range(2)])
    for n in range(2):
        manager.record("job", [ItemEvent(n, "succeed", {"result": 1})])
    assert manager.record("job", [ItemEvent(0, "succeed", {"result": 1})]).seq == 5  # passed over
    with store.reading() as reader:
        digests = [row.body_digest for row in reader.rows(1) if row.body_digest]
    assert len(set(digests)) == 2
    assert list(dict(manager.results("job")).values()) == [1, 1]


def test_without_the_codec_a_job_can_be_looked_at_and_taken_up(database: Path) -> None:
    """States, plans, recovery, checkpoints, history, verification, compaction."""
    with StateManager.open(database, clock=FakeClock()) as manager:
        assert manager.get_state("job").progress.done == 2
        assert manager.verify("job")[0].sound
        assert manager.get_state_history("job")[0].kind == "created"
        plan = manager.recover_from_checkpoint("job")
        assert len(plan.parts["in_flight"].ordinals) == 1
        assert manager.apply(plan).progress.running == 0
        assert manager.create_checkpoint("job").seq > 0
        (failures,) = manager.failures("job", undecoded=True).values()
        assert [failure[:3] for failure in failures] == [(6, "error", "(encoded by masked)")]
        manager.compact("job")
        assert manager.verify("job")[0].sound
    with StateManager.open(database, payload_codec=Masked()) as manager:
        assert observed(manager)["results"][0] == SECRET


@pytest.mark.parametrize("codec", [None, Masked("another")], ids=["none", "another"])
def test_without_it_what_needs_it_says_which(database: Path, codec: Masked | None) -> None:
    """By name, and whatever is asked for."""
    asked: list[Callable[[StateManager], object]] = [
        lambda manager: list(manager.results("job")),
        lambda manager: manager.failures("job"),
        lambda manager: manager.get_state("job").inputs.value(0),
        lambda manager: manager.record("job", [ItemEvent(0, "succeed", {"result": SECRET})]),
    ]
    with StateManager.open(database, payload_codec=codec) as manager:
        for ask in asked:
            with pytest.raises(CodecAbsent, match="payload_codec=") as absent:
                ask(manager)
            assert absent.value.codec == "masked"


def test_the_message_of_a_job_event_is_left_out_of_the_history(database: Path) -> None:
    """And named as what it is."""
    with StateManager.open(database, payload_codec=Masked()) as manager:
        manager.fire("job", "fail", {"cause": "error", "message": SECRET})
        assert manager.get_state_history("job")[-1].payload["message"] == SECRET
    with StateManager.open(database) as manager:
        assert manager.get_state_history("job")[-1].payload["encoded_by"] == "masked"
        assert SECRET not in str(manager.get_state_history("job")[-1].payload)


def test_the_command_line_shows_a_job_without_its_codec(database: Path) -> None:
    """Looking at jobs needs no key."""
    milepost = CommandLine(store=database, clock=FakeClock())
    for command in (["show"], ["history"], ["items"], ["plan"], ["verify"], ["compact"]):
        told = milepost(*command, "job").stdout
        assert SECRET not in told
    assert "(encoded by masked)" in milepost("show", "job").stdout
    assert milepost.json("verify")["sound"] is True


def test_nothing_is_stored_in_the_clear_by_who_forgot_the_codec(database: Path) -> None:
    """A job whose items are encoded takes no payload that is not; what has none, it takes."""
    with StateManager.open(database) as manager:
        before = manager.get_state("job")
        with pytest.raises(CodecAbsent, match="in the clear"):
            manager.record("job", [ItemEvent(3, "succeed", {"result": SECRET})])
        with pytest.raises(CodecAbsent, match="in the clear"):
            manager.update_state("job", lambda _: ItemEvent(3, "succeed", {"result": SECRET}))
        assert manager.get_state("job") == before
        assert manager.fire("job", "pause").phase == "paused"


def test_another_key_is_said_to_be_another(database: Path) -> None:
    """A codec of the right name that cannot decode: the commit is named, the state is there."""
    with StateManager.open(database, payload_codec=Masked(mask=0x33)) as manager:
        with pytest.raises(LogCorrupt, match="has another key: it has another mask"):
            list(manager.results("job"))
        with pytest.raises(StoreUnreadable, match="items 0 to 3 the codec masked cannot"):
            manager.get_state("job").inputs.value(0)
        assert manager.get_state("job").progress.done == 2


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE commits SET body = substr(body, 1, length(body) - 1) WHERE seq = 4 AND job = 1",
        'UPDATE inputs SET "values" = substr("values", 1, length("values") - 1)',
        "UPDATE inputs SET keys = CAST(replace(keys, 'a', 'b') AS BLOB)",
    ],
)
def test_damage_is_found_without_the_codec(database: Path, damage: str) -> None:
    """Digests are of what is stored, so that nobody needs a key to verify."""
    connection = apsw.Connection(str(database))
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
    connection.execute(damage)
    connection.close()
    for codec in (None, Masked()):
        with StateManager.open(database, read_only=True, payload_codec=codec) as manager:
            assert not manager.verify("job")[0].sound


def test_a_payload_that_the_codec_refuses_is_not_stored(tmp_path: Path) -> None:
    """An error of the value, as any other that cannot be stored."""

    class Broken(Masked):
        def encode(self, plain: bytes) -> bytes:
            raise ValueError("the key has been taken away")

    with StateManager.open(tmp_path / "jobs.db", payload_codec=Broken()) as manager:
        with pytest.raises(ValueInvalid, match="taken away"):
            manager.create_job(["a"], job_id="job")
        assert manager.job_ids() == []
    with StateManager.open(tmp_path / "jobs.db") as manager:
        manager.create_job(["a"], job_id="job")
        manager.fire("job", "start_map")
    with StateManager.open(tmp_path / "jobs.db", payload_codec=Broken()) as manager:
        before = manager.record("job", [ItemEvent("a", "start")])
        with pytest.raises(ValueInvalid, match="codec masked: the key has been taken away"):
            manager.record("job", [ItemEvent("a", "succeed", {"result": 1})])
        assert manager.get_state("job") == before


@pytest.mark.parametrize(
    "codec",
    [
        Masked(name="With Blanks"),
        Masked(name=""),
        Masked(name="x" * 33),
        Masked(digest_key=b"k" * 65),
    ],
)
def test_a_codec_that_cannot_be_named_is_refused(tmp_path: Path, codec: Masked) -> None:
    """Its name goes into every row."""
    with pytest.raises(ValueError, match="'payload_codec': a codec with a"):
        StateManager.open(tmp_path / "jobs.db", payload_codec=codec)


@given(value=st.recursive(st.none() | st.text(), st.lists, max_leaves=9))
@settings(deadline=None, max_examples=30)
def test_any_value_comes_back(value: Any) -> None:
    """Whatever the codec makes of it, longer or shorter."""

    class Zipped(Masked):
        def encode(self, plain: bytes) -> bytes:
            return gzip.compress(plain)

        def decode(self, stored: bytes) -> bytes:
            return gzip.decompress(stored)

    manager = StateManager(open_store("memory:"), clock=FakeClock(), payload_codec=Zipped())
    manager.create_job({"a": value}, job_id="job")
    manager.fire("job", "start_map")
    manager.record("job", [ItemEvent("a", "start")])
    manager.record("job", [ItemEvent("a", "succeed", {"result": value})])
    assert dict(manager.results("job")) == {"a": json.loads(json.dumps(value))}
    assert manager.get_state("job").inputs.value(0) == value


def _needs_cryptography() -> None:
    if importlib.util.find_spec("cryptography") is None:
        assert not os.environ.get("CI"), "examples/encrypted_payloads.py was not tested"
        pytest.skip("examples/encrypted_payloads.py needs the package cryptography")


def test_the_example_encrypts(tmp_path: Path) -> None:
    """It runs as it is shown, and leaves no word of it in the file."""
    _needs_cryptography()
    path = tmp_path / "demo.db"
    done = subprocess.run(
        [sys.executable, str(EXAMPLE), str(path)], capture_output=True, text=True, check=True
    )
    assert "nothing to worry about" in done.stdout
    assert "payloads were encoded by the codec aes-256-gcm" in done.stdout
    assert b"worry" not in path.read_bytes()
    assert b"a name" not in path.read_bytes()


def test_the_example_rotates_its_key(tmp_path: Path) -> None:
    """What an older key encrypted is read with the newer beside it; with another, nothing is."""
    _needs_cryptography()
    aes: Any = runpy.run_path(str(EXAMPLE))["AesGcm"]
    first, second = bytes(range(32)), bytes(range(1, 33))
    path = tmp_path / "jobs.db"
    with StateManager.open(path, payload_codec=aes({0: first})) as manager:
        tell(manager)
        before = observed(manager)
    rotated = aes({0: first, 1: second})
    assert rotated.digest_key == aes({0: first}).digest_key
    with StateManager.open(path, payload_codec=rotated) as manager:
        assert observed(manager) == before
        manager.record("job", [ItemEvent(3, "succeed", {"result": "new"})])
        assert manager.verify("job")[0].sound
    for keys, problem in (
        ({0: first}, "no key of that number"),
        ({0: second}, "not encrypted with this key"),
    ):
        with StateManager.open(path, payload_codec=aes(keys)) as manager:
            results = manager.results("job")
            with pytest.raises(LogCorrupt, match=problem):
                list(results)
