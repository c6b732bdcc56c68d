"""Tries mutants, says how many were noticed, and writes the page of those that were not.

python -m tests.mutants [MODULE...]   every mutant, module by module: an hour
python -m tests.mutants --sample      those of sample.txt, each by the test that is named there
"""

from __future__ import annotations

import sys

from tests.mutants.running import main

sys.exit(main(sys.argv[1:]))
