"""A Helm that is absent or out of range is refused with the command that mends it."""

import pytest

from raykit.errors import MissingError
from raykit.kuberay.helm import tool


def refusal(call):
    with pytest.raises(MissingError) as refused:
        call()
    return refused.value


@pytest.mark.parametrize(("version", "fits"), [("v3.11.9", False), ("v3.12.0", True)])
@pytest.mark.parametrize("newer", ["v4.3.1", "v5.0.0"])
def test_a_helm_out_of_range_is_refused_with_the_range(tools, version, fits, newer):
    tools(helm=f"echo {version}")
    if fits:
        assert tool.check_version() == version
    else:
        assert "3.12 or newer" in refusal(tool.check_version).what
    tools(helm=f"echo {newer}")
    if newer == "v4.3.1":
        assert tool.check_version() == newer
    else:
        assert "below 5" in refusal(tool.check_version).what


def test_no_helm_says_where_to_get_it(tools):
    tools()
    assert refusal(tool.check_version).next == tool.INSTALL_HINT
