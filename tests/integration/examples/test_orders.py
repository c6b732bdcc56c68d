"""The shop of examples/orders: its page, its rules, and two workers who never have one order.

To write the outputs of its page anew: MILEPOST_UPDATE_DOCS=1 pytest tests/integration/examples
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from milepost import StateManager, TransitionRefused
from tests.docs.shell import Shell, check

FOLDER = Path(__file__).parents[3] / "examples" / "orders"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The module of the shop, as those import it who have its folder on their path."""
    monkeypatch.syspath_prepend(str(FOLDER))
    import shop.service

    yield shop.service
    for name in [name for name in sys.modules if name.partition(".")[0] == "shop"]:
        del sys.modules[name]


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    """The shop from a shell, and what the command line shows of it."""
    check(FOLDER / "README.md", Shell(tmp_path, (FOLDER,)))


def test_an_order_is_paid_held_shipped_and_no_more_cancelled(service: Any, tmp_path: Path) -> None:
    """By its typed states; what is not legal is refused and changes nothing."""
    outside = service.Outside(tmp_path / "outside.txt")
    shop = service.Shop.at(tmp_path / "orders.db")
    with shop.manager:
        assert type(shop.place("o", ["tea"])).__name__ == "PlacedOrder"
        with pytest.raises(TransitionRefused):
            shop.hold("o")
        assert service.said(shop.pay("o")) == "is being charged (request 1)"
        assert type(shop.hold("o")).__name__ == "OnHoldOrder"
        assert shop.work("anna", outside) == []
        assert type(shop.go_on("o")).__name__ == "ChargingOrder"
        assert shop.work("anna", outside) == ["o"]
        assert service.said(shop.order("o")) == "is delivered"
        with pytest.raises(TransitionRefused):
            shop.cancel("o")
        assert shop.manager.result("o") == {"track": "T-o"}
        assert shop.manager.get_state("o").variables == {"basket": ["tea"], "receipt": "R-o/1"}
        assert [one.sound for one in shop.manager.verify()] == [True]


def test_a_card_is_asked_only_so_often(service: Any, tmp_path: Path) -> None:
    """The guard of the lifecycle says when it is enough."""

    class Poor(service.Outside):  # type: ignore[name-defined,misc]
        def charge(self, order: str, key: str) -> dict[str, Any]:
            raise service.DeclinedError("there is no cover")

    shop, poor = service.Shop.at(tmp_path / "orders.db"), Poor(tmp_path / "outside.txt")
    with shop.manager:
        shop.place("o", ["tea"])
        shop.pay("o")
        for _ in range(2):
            shop.work("anna", poor)
            shop.try_again("o")
        shop.work("anna", poor)
        with pytest.raises(TransitionRefused, match="may_charge"):
            shop.try_again("o")
        assert service.said(shop.order("o")) == "had a trouble too often"
        assert type(shop.cancel("o")).__name__ == "CancelledOrder"


def test_two_workers_share_the_orders(service: Any, tmp_path: Path) -> None:
    """Two processes at once: every order is delivered, and nothing was asked for twice."""
    orders = [f"o{number}" for number in range(8)]
    with service.Shop.at(tmp_path / "orders.db").manager as manager:
        shop = service.Shop(manager)
        for order in orders:
            shop.place(order, ["tea"])
            shop.pay(order)

    shell = Shell(tmp_path, (FOLDER,))
    command = f"{sys.executable} -m shop --outside {{0}}.txt work {{0}}"
    with ThreadPoolExecutor(2) as pool:
        told = [*pool.map(lambda name: shell.run(command.format(name)), ["anna", "ben"])]
    lifecycle = sys.modules["shop.orders"].LIFECYCLE
    with StateManager.open(tmp_path / "orders.db", lifecycle=lifecycle) as manager:
        assert {one.phase for one in manager.list_jobs()} == {"delivered"}
        assert all(one.sound for one in manager.verify())
    files = [tmp_path / f"{name}.txt" for name in ("anna", "ben")]
    asked = Counter(line for file in files for line in _lines(file))
    assert asked == Counter(
        [f"charge {order}/1" for order in orders] + [f"send {o}" for o in orders]
    )
    assert {line.split()[1] for line in "".join(told).splitlines()} == set(orders)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []
