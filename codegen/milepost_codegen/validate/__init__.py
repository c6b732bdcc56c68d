"""Translation validation: the generated module is read back and proved equal to its definition.

Nothing of the module is run. Its text is parsed, and each function and each table in it is compared
with what the definition says: first as trees, and where those differ, by the compiler's own logic.
What is not understood counts as different, so that no defect of the generator can hide behind it.
"""

from milepost_codegen.validate.difference import Difference
from milepost_codegen.validate.module import validate_module

__all__ = ["Difference", "validate_module"]
