"""Expressions of the definition language: parsed, typed, and written out again."""

from milepost_codegen.expressions.evaluate import evaluate
from milepost_codegen.expressions.python import to_python
from milepost_codegen.expressions.scope import Scope
from milepost_codegen.expressions.syntax import KEYWORDS, ExpressionProblem
from milepost_codegen.expressions.text import to_text
from milepost_codegen.expressions.tree import BOOL, INT, Expression, Type
from milepost_codegen.expressions.typing import BrokenName, read_expression, type_of

__all__ = [
    "BOOL",
    "INT",
    "KEYWORDS",
    "BrokenName",
    "Expression",
    "ExpressionProblem",
    "Scope",
    "Type",
    "evaluate",
    "read_expression",
    "to_python",
    "to_text",
    "type_of",
]
