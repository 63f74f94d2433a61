"""The script that drops safe defaults: what it drops is still there to be dropped.

`python scripts/drop_safe_defaults.py` shows the test that fails without each.
"""

import importlib.util
import sys

import pytest

from raykit import kit

SCRIPT = kit.root() / "scripts" / "drop_safe_defaults.py"


@pytest.fixture(scope="module")
def script():
    found = importlib.util.spec_from_file_location("drop_safe_defaults", SCRIPT)
    module = importlib.util.module_from_spec(found)
    # A dataclass looks its module up there.
    sys.modules[found.name] = module
    found.loader.exec_module(module)
    return module


def test_each_default_stands_once_in_its_file(script):
    for default in script.DEFAULTS:
        compile(script.dropped(default), default.file, "exec")
    names = [default.name for default in script.DEFAULTS]
    assert len(set(names)) == len(names) > 40


def test_a_default_that_is_gone_is_said(script):
    with pytest.raises(ValueError, match="0 times in pods"):
        script.dropped(script.Default("gone", "pods.py", "no such line"))
