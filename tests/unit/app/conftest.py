"""What tests of the commands share."""

import pytest


@pytest.fixture
def spec(tmp_path, request):
    """A file with the text `SPEC` of the test's module."""
    path = tmp_path / "small.yaml"
    path.write_text(request.module.SPEC)
    return path


@pytest.fixture
def prod(api, kubeconfig, tmp_path, monkeypatch):
    """The API server, in a context that is not kind's."""
    kubeconfig(api.url, context="prod")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return api
