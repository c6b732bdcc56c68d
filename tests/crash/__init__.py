import pytest

pytest.register_assert_rewrite("tests.crash.nursery", "tests.crash.trial")
