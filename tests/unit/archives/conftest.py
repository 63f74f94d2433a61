"""A server of archives, and an empty store."""

import threading

import pytest

from raykit.archives import fetch as fetching
from raykit.archives.store import Store
from tests.servers import Server
from tests.unit.archives.noaa import WHOLE, Archive


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "FIRST_PAUSE_SECONDS", 0.001)
    server = Server(("127.0.0.1", 0), Archive)
    server.body, server.etag, server.plan, server.ranges = WHOLE, '"one"', [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_address[1]}/archive"
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "gsod")
