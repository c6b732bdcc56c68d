"""The shop from a shell: `python -m shop place order-1 tea`, then pay, work, show, cancel."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from milepost import MilepostError
from shop.service import Outside, Shop, said

_EVENTS = ("pay", "hold", "go-on", "try-again", "cancel")


def main() -> int:
    """Do what is asked for, and say how the order stands."""
    parser = argparse.ArgumentParser(prog="shop", description=__doc__.partition("\n")[0])
    parser.add_argument("--db", type=Path, default=Path("orders.db"))
    parser.add_argument("--outside", type=Path, default=Path("outside.txt"))
    parser.add_argument("--declined", action="append", default=[], metavar="ORDER")
    commands = parser.add_subparsers(dest="command", required=True)
    place = commands.add_parser("place")
    place.add_argument("order")
    place.add_argument("basket", nargs="+")
    for event in (*_EVENTS, "show"):
        commands.add_parser(event).add_argument("order")
    commands.add_parser("work").add_argument("name")
    asked = parser.parse_args()
    shop = Shop.at(asked.db)
    try:
        return _done(shop, asked)
    except MilepostError as error:
        print(f"shop: {error}", file=sys.stderr)
        return 1
    finally:
        shop.manager.close()


def _done(shop: Shop, asked: argparse.Namespace) -> int:
    if asked.command == "work":
        taken = shop.work(asked.name, Outside(asked.outside, frozenset(asked.declined)))
        for order in taken:
            print(f"{asked.name}: {order} {said(shop.order(order))}")
        return 0
    match asked.command:
        case "place":
            found = shop.place(asked.order, asked.basket)
        case "show":
            found = shop.order(asked.order)
            for line in shop.history(asked.order):
                print(line)
        case "pay":
            found = shop.pay(asked.order)
        case "hold":
            found = shop.hold(asked.order)
        case "go-on":
            found = shop.go_on(asked.order)
        case "try-again":
            found = shop.try_again(asked.order)
        case _:
            found = shop.cancel(asked.order)
    print(f"{asked.order} {said(found)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
