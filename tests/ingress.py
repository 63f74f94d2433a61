"""A real ingress before a Ray head: nginx with TLS of a private authority and a path of its own.

nginx, because it is what most ingress controllers run or imitate: its limits (1 MiB a request body,
seconds of silence) are theirs.
"""

import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.registry import free_port

PROGRAM = "nginx"
TEAM = "X-Team-Key"
KEY = "blue-and-s3cret"

CONFIGURATION = """
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {folder}/server.pem;
    ssl_certificate_key {folder}/server.key;
    location {path} {{
      {gate}
      proxy_read_timeout {silence}s;
      proxy_pass http://127.0.0.1:{head}/;
    }}
  }}
}}
"""
HEADER = f'if ($http_x_team_key != "{KEY}") {{ return 401; }}'
BASIC = 'auth_basic "ray"; auth_basic_user_file {folder}/users;'
EXTENSIONS = """
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = IP:127.0.0.1, DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


@dataclass
class Ingress:
    """An ingress of one head.

    head: its port. path: where the head begins. silence: seconds without a byte after which nginx
    gives up. basic: it asks for a user and password instead of its header; strips: and keeps them
    from the head. They can be changed before a start.
    """

    folder: Path
    head: int
    path: str = "/ray/"
    silence: int = 60
    basic: bool = False
    strips: bool = True
    port: int = field(default_factory=free_port)
    process: subprocess.Popen | None = None

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}{self.path}"

    @property
    def ca(self):
        return self.folder / "ca.pem"

    @property
    def headers(self):
        """A file as `--header @FILE` takes it."""
        return self.folder / "headers"

    def start(self):
        # Started by root, nginx would work as a user who may not enter the folder.
        user = "user root;" if os.getuid() == 0 else ""
        gate = BASIC.format(**vars(self)) if self.basic else HEADER
        gate += 'proxy_set_header Authorization "";' if self.basic and self.strips else ""
        text = CONFIGURATION.format(**vars(self), gate=gate, user=user)
        (self.folder / "nginx.conf").write_text(text)
        self.process = subprocess.Popen(
            [PROGRAM, "-c", self.folder / "nginx.conf", "-e", self.folder / "error.log"],
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            assert self.process.poll() is None, (self.folder / "error.log").read_text()
            try:
                httpx2.get(self.url, verify=False, trust_env=False)
            except httpx2.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError("nginx does not answer within 240 s")

    def restart(self):
        self.stop()
        self.start()

    def stop(self):
        """End it at once: open requests break."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=120)


@contextmanager
def before(head: int, folder: Path):
    """An ingress before the head of a port; skip with the reason where nginx is absent.

    With RAYKIT_REQUIRE_INGRESS=1 the tests fail instead.
    """
    absent = [tool for tool in (PROGRAM, "openssl") if shutil.which(tool) is None]
    if absent and os.environ.get("RAYKIT_REQUIRE_INGRESS") == "1":
        pytest.fail(f"RAYKIT_REQUIRE_INGRESS=1, yet {', '.join(absent)} not on PATH")
    if absent:
        pytest.skip(f"{', '.join(absent)} not on PATH")
    _certify(folder)
    (folder / "headers").write_text(f"{TEAM}: {KEY}\n")
    (folder / "users").write_text(f"team:{{PLAIN}}{KEY}\n")
    ingress = Ingress(folder, head)
    ingress.start()
    try:
        yield ingress
    finally:
        ingress.stop()


def _certify(folder: Path) -> None:
    """An authority of our own (`ca.pem`), and the server's certificate that it has signed."""
    (folder / "extensions").write_text(EXTENSIONS)

    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

    for name, subject in (("ca", "/CN=an authority of our own"), ("server", "/CN=ray")):
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl("req", "-new", "-nodes", *curve, "-subj", subject, *files)
        signer = ("-signkey", "ca.key") if name == "ca" else ("-CA", "ca.pem", "-CAkey", "ca.key")
        serial = () if name == "ca" else ("-CAcreateserial",)
        extended = ("-extfile", "extensions", "-extensions", name)
        words = ("-in", f"{name}.csr", "-out", f"{name}.pem", "-days", "2")
        openssl("x509", "-req", *words, *signer, *serial, *extended)
