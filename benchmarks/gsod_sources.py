"""GSOD from each kind of source against a folder: time, rate, waiting and memory.

    python benchmarks/gsod_sources.py FOLDER --years 1980 2020 --runs 5

FOLDER holds `<year>.tar.gz`, as `gsod_generate.py` makes them. The arms take turns on one warm
local head: the folder, a web server over TLS on loopback, the same with a cache that has the years,
and, with `--s3 PROGRAM` (moto's `moto_server`), a bucket and a bucket with one object a station
(`--stations` of them a year, beside an archive with the same stations). The servers run on the same
CPUs as the job and take their share. Printed are medians; each ratio is the median over the rounds:
of makespans, and of processor time, the servers' included, which a busy machine hardly changes.
"""

from __future__ import annotations

import argparse
import http.server
import io
import json
import mmap
import os
import re
import socket
import ssl
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from gsod_job import submit
from warm_head import warm_head

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.gsod_origin import certify
from tests.registry import free_port

LOOPBACK = "DNS:localhost,IP:127.0.0.1"
SEND_BYTES = 256 * 2**10
Run = dict[str, Any]


class Handler(http.server.BaseHTTPRequestHandler):
    """Sends files of one folder, whole or from a byte on."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.send(head=True)

    def do_GET(self) -> None:
        self.send(head=False)

    def send(self, head: bool) -> None:
        path = self.folder / self.path.rpartition("/")[2]
        asked = re.fullmatch(r"bytes=(\d+)-\d*", self.headers.get("Range", ""))
        first, size = int(asked[1]) if asked else 0, path.stat().st_size
        self.send_response(206 if asked else 200)
        self.send_header("ETag", f'"{path.stat().st_mtime_ns:x}"')
        self.send_header("Content-Length", str(size - first))
        if asked:
            self.send_header("Content-Range", f"bytes {first}-{size - 1}/{size}")
        self.end_headers()
        if head:
            return
        with (
            path.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held,
            memoryview(held) as content,
        ):
            for at in range(first, size, SEND_BYTES):
                self.wfile.write(content[at : at + SEND_BYTES])


def serve(folder: Path, host: str, port: int, certificates: Path) -> None:
    """Serve a folder over TLS until killed."""
    Handler.folder = folder
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates / "server.pem", certificates / "server.key")
    server = http.server.ThreadingHTTPServer((host, port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


@contextmanager
def running(argv: list[str], port: int, host: str = "127.0.0.1") -> Iterator[psutil.Process]:
    """A server that answers at its port."""
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                socket.create_connection((host, port), 1).close()
                break
            except OSError:
                time.sleep(0.1)
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def fill_bucket(url: str, folder: Path, years: list[int], stations: int, small: Path) -> None:
    """Put the archives into a bucket, and the first stations of each both there and in `small`."""
    import obstore
    from obstore.store import S3Store

    credential = "AWS4-HMAC-SHA256 Credential=bench/20260101/us-east-1/s3/aws4_request"
    request = urllib.request.Request(
        f"{url}/gsod", b"", {"Authorization": credential}, method="PUT"
    )
    urllib.request.urlopen(request).close()
    words = {"endpoint": url, "access_key_id": "bench", "secret_access_key": "bench"}
    store = S3Store("gsod", **words, client_options={"allow_http": True})
    for year in years:
        name = f"{year}.tar.gz"
        obstore.put(store, f"archives/{name}", folder / name)
        with tarfile.open(folder / name) as whole, tarfile.open(small / name, "w:gz") as some:
            for _, member in zip(range(stations), whole, strict=False):
                content = whole.extractfile(member).read()  # type: ignore[union-attr]
                obstore.put(store, f"stations/{year}/{member.name}", content)
                some.addfile(member, io.BytesIO(content))


def served_seconds(servers: list[psutil.Process]) -> float:
    """Processor seconds of the servers so far."""
    return sum(sum(server.cpu_times()[:2]) for server in servers)


def figures(name: str, runs: list[Run], base: list[Run]) -> dict[str, Any]:
    """Medians of one arm, and its ratio to another, round by round."""
    reading = [run["reading"] for run in runs]
    pairs = list(zip(runs, base, strict=True))
    return {
        "source": name,
        "makespan_seconds": median(run["makespan_seconds"] for run in runs),
        "ratio": median(a["makespan_seconds"] / b["makespan_seconds"] for a, b in pairs),
        "processor_seconds": median(run["processor_seconds"] for run in runs),
        "processor_ratio": median(
            a["processor_seconds"] / b["processor_seconds"] for a, b in pairs
        ),
        "mb_per_second": median(each["bytes_per_second"] for each in reading) / 1e6,
        "waiting_share": median(each["waiting_share"] for each in reading),
        "task_memory_mib": median(run["task_memory_bytes"] for run in runs) / 2**20,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--years", type=int, nargs="+", default=[1980, 2020])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--s3", metavar="PROGRAM", help="moto_server")
    parser.add_argument("--stations", type=int, default=500)
    parser.add_argument("--serve", type=int, metavar="PORT", help="only serve FOLDER over TLS")
    parser.add_argument("--host", default="127.0.0.1", help="with --serve")
    parser.add_argument("--certificates", type=Path, help="with --serve")
    options = parser.parse_args()
    folder = options.folder.resolve()
    if options.serve:
        serve(folder, options.host, options.serve, options.certificates)
    with ExitStack() as opened:
        measure(options, folder, opened)
    return 0


def measure(options: argparse.Namespace, folder: Path, opened: ExitStack) -> None:
    """Start the servers and the head, run the arms in turn, and print the table."""
    temporary = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="bench-sources-")))
    certificates = certify(temporary, LOOPBACK)
    os.environ["SSL_CERT_FILE"] = str(certificates / "ca.pem")
    web = free_port()
    argv = [sys.executable, __file__, str(folder), "--serve", str(web)]
    servers = [opened.enter_context(running([*argv, "--certificates", str(certificates)], web))]
    url = f"https://localhost:{web}/archive"
    arms: dict[str, tuple[str, ...]] = {
        "folder": (str(folder),),
        "https": (url,),
        "https, cached": (url, "--cache", str(temporary / "cache")),
    }
    against = dict.fromkeys(arms, "folder")
    if options.s3:
        small = temporary / "small"
        small.mkdir()
        port = free_port()
        servers.append(opened.enter_context(running([options.s3, "-p", str(port)], port)))
        endpoint = f"http://127.0.0.1:{port}"
        credentials = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench"}
        os.environ.update(credentials, AWS_ENDPOINT_URL=endpoint)
        fill_bucket(endpoint, folder, options.years, options.stations, small)
        arms |= {
            "s3": ("s3://gsod/archives",),
            f"folder, {options.stations} stations": (str(small),),
            f"s3, {options.stations} objects": ("s3://gsod/stations",),
        }
        against["s3"] = "folder"
        against |= dict.fromkeys(list(arms)[-2:], list(arms)[-2])
    runs: dict[str, list[Run]] = {name: [] for name in arms}
    env = opened.enter_context(warm_head())
    asked = ("--years", *map(str, options.years), "--high-temp", "100")
    for number in range(options.runs + 1):
        for name, words in arms.items():
            before = served_seconds(servers)
            run = submit(env, "gsod", "--on", "local", "-o", "json", "--", "--data", *words, *asked)
            served = served_seconds(servers) - before
            run["processor_seconds"] = run["reading"]["processor_seconds"] + served
            if number:
                runs[name].append(run)
    for name in arms:
        print(json.dumps(figures(name, runs[name], runs[against[name]])))


if __name__ == "__main__":
    raise SystemExit(main())
