"""A real OCI registry on loopback: Debian's docker-registry, on a free port."""

import errno
import os
import random
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import yaml

PROGRAM = "docker-registry"
PORTS = (20_000, 30_000)
"""Below those that the kernel gives to connections and to listeners of port 0, above Ray's."""


@dataclass(frozen=True)
class Registry:
    """A registry that runs. address: host and port."""

    address: str

    def push(self, archive):
        """Push a packaged chart under `charts/`."""
        words = ["helm", "push", archive, f"oci://{self.address}/charts", "--plain-http"]
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def lacking():
    """Why no registry can be started here; None where one can."""
    absent = [tool for tool in (PROGRAM, "helm") if shutil.which(tool) is None]
    return f"{', '.join(absent)} not on PATH" if absent else None


def required() -> bool:
    """Whether tests fail where no registry can be started, instead of being skipped."""
    return os.environ.get("RAYKIT_REQUIRE_REGISTRY") == "1"


@contextmanager
def with_chart(chart: Path, folder: Path):
    """Run a registry that has a chart, packaged and pushed by Helm; the chart's address in it."""
    with running(folder) as registry:
        registry.push(package(chart, folder))
        yield f"oci://{registry.address}/charts/{chart.name}"


@contextmanager
def running(folder: Path, host: str = "127.0.0.1", *, read_only: bool = False):
    """Run a registry that keeps its data in a folder; skip with the reason where there is none.

    host: the address on which it listens. Two may share a folder, one of them read-only.
    With RAYKIT_REQUIRE_REGISTRY=1 the tests fail instead.
    """
    reason = lacking()
    if reason and required():
        pytest.fail(f"RAYKIT_REQUIRE_REGISTRY=1, yet {reason}")
    if reason:
        pytest.skip(reason)
    address = f"{host}:{free_port(host)}"
    settings = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {
            "filesystem": {"rootdirectory": str(folder / "data")},
            "maintenance": {"readonly": {"enabled": read_only}},
        },
        "http": {"addr": address},
    }
    file = folder / f"{host}.yaml"
    file.write_text(yaml.safe_dump(settings), "utf-8")
    with file.with_suffix(".log").open("w") as log:
        words = [PROGRAM, "serve", file]
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            wait_until_it_answers(process, address)
            yield Registry(address)
        finally:
            process.terminate()
            process.wait(timeout=120)


def package(chart: Path, folder: Path) -> Path:
    """Package a chart into a folder; the archive's path."""
    words = ["helm", "package", chart, "--destination", folder]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("*.tgz"))


def free_port(host: str = "127.0.0.1") -> int:
    """A port on which nothing listens, and which the kernel gives to nobody who asks for any."""
    while True:
        port = random.SystemRandom().randrange(*PORTS)
        with socket.socket() as free:
            try:
                free.bind((host, port))
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
            else:
                return port


def wait_until_it_answers(process, address, seconds=240):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert process.poll() is None, "the registry ended at once"
        try:
            if httpx2.get(f"http://{address}/v2/", trust_env=False).status_code == 200:
                return
        except httpx2.TransportError:
            time.sleep(0.05)
    raise AssertionError(f"no registry answers at {address} within {seconds} s")
