"""Seams of the clusters' unit tests: stub programs on PATH, a kubeconfig, a small API server."""

import http.server
import json
import threading
from urllib.parse import urlsplit

import pytest
import yaml

from raykit.app.main import main


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Puts stub programs, and nothing else, on PATH; `tools(docker="exit 1")`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for needed in ("sh", "cat", "sleep", "env"):
        for place in ("/bin", "/usr/bin"):
            (folder / needed).unlink(missing_ok=True)
            (folder / needed).symlink_to(f"{place}/{needed}")
            if (folder / needed).exists():
                break
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def write(**scripts):
        for name, script in scripts.items():
            path = folder / name
            path.write_text(f'#!/bin/sh\necho "{name} $*" >> {folder}/called\n{script}\n')
            path.chmod(0o755)
        return folder

    write.called = lambda: (folder / "called").read_text().splitlines()
    return write


@pytest.fixture
def raykit(capsys, monkeypatch):
    """Runs a command in this process: exit code, stdout and stderr."""
    # The command line's own handlers must not replace those of pytest.
    monkeypatch.setattr("signal.signal", lambda *_: None)

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main([str(word) for word in words])
        said = capsys.readouterr()
        return ended.value.code, said.out, said.err

    return run


@pytest.fixture
def kubeconfig(tmp_path, monkeypatch):
    """Writes a kubeconfig of one context and points KUBECONFIG at it."""

    def write(server, context="kind-here", user=None, **cluster):
        path = tmp_path / "kubeconfig"
        content = {
            "current-context": context,
            "contexts": [{"name": context, "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": server, **cluster}}],
            "users": [{"name": "u", "user": user or {"token": "letter"}}],
        }
        path.write_text(yaml.safe_dump(content))
        monkeypatch.setenv("KUBECONFIG", str(path))
        return path

    return write


class ApiServer:
    """Answers by path; what it does not know is 404, as in Kubernetes. `asked`: all requests."""

    def __init__(self):
        self.answers = {"/version": (200, {"gitVersion": "v1.36.2"})}
        self.asked = []
        self.tokens = []

    def say(self, path, body, status=200):
        self.answers[path] = (status, body)

    def refuse(self, path, status, message):
        body = {"kind": "Status", "apiVersion": "v1", "code": status, "message": message}
        self.say(path, body, status)


@pytest.fixture
def api():
    """A small HTTP server that speaks as a Kubernetes API server does; `api.url`."""
    server = ApiServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def answer(self):
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length)
            path = urlsplit(self.path).path
            server.asked.append((self.command, path, json.loads(body) if body else None))
            server.tokens.append(self.headers.get("Authorization"))
            missing = {"kind": "Status", "code": 404, "message": "not found"}
            status, told = server.answers.get(path, (404, missing))
            if self.command == "PATCH" and status == 404:
                status, told = 200, json.loads(body)
            data = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(status)
            kind = "text/html" if isinstance(told, str) else "application/json"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_PATCH = do_DELETE = answer

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    server.url = f"http://127.0.0.1:{httpd.server_port}"
    yield server
    httpd.shutdown()
    httpd.server_close()
    thread.join()
