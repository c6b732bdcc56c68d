"""The text of every definition at hand, by its name: of examples, of tests, of the built-in one."""

from __future__ import annotations

from tests.integration.many.orders import ORDERS_1, ORDERS_2
from tests.integration.shapes.lifecycles import APPROVAL, SHIPPING
from tests.unit.compiler.lifecycles import SMALL

from .compiling import BUILT_IN, BUILT_IN_1, ROOT
from .spelling import RENAMED, RENAMED_1

__all__ = ["TEXTS"]


def _texts() -> dict[str, str]:
    folders = (
        "tests/contract/lifecycles/definitions",
        "examples/lifecycles",
        "tests/golden",
        "tests/integration/diff/orders",
        "examples/orders",
    )
    files = [path for folder in folders for path in sorted((ROOT / folder).glob("*.yaml"))]
    found = {path.stem: path.read_text(encoding="utf-8") for path in files}
    found |= {"built_in": BUILT_IN, "built_in_1": BUILT_IN_1}
    found |= {"renamed": RENAMED, "renamed_1": RENAMED_1, "small": SMALL}
    return found | {"shipping": SHIPPING, "approval": APPROVAL, "o1": ORDERS_1, "o2": ORDERS_2}


TEXTS = _texts()
