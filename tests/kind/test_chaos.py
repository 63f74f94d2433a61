"""Submissions while pods, the operator and the API server are killed at random moments.

No job is lost, none runs twice, and no exit code is wrong. A witness outside the cluster counts the
drivers that start and end, so that nothing which is killed can forget them. `make soak` submits
fifty times; RAYKIT_CHAOS_SUBMITS names another number, RAYKIT_CHAOS_SEED another seed.
"""

import http.server
import json
import os
import random
import subprocess
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.kind.outside import gateway

SUBMITS = int(os.environ.get("RAYKIT_CHAOS_SUBMITS", "50"))
SEED = int(os.environ.get("RAYKIT_CHAOS_SEED", "1"))
pytestmark = [
    pytest.mark.kind,
    pytest.mark.timeout(max(600, 90 * SUBMITS)),
    pytest.mark.skipif("RAYKIT_SOAK" not in os.environ, reason="takes most of an hour: make soak"),
]

ROOT = Path(__file__).parents[2]
LONGEST_WAIT = 8.0
DRIVER = """
import sys, time, urllib.request
import ray

witness, name = sys.argv[1:]

def tell(what):
    urllib.request.urlopen(f"{witness}/{what}/{name}", timeout=10).read()

tell("began")
ray.init()

@ray.remote(num_cpus=1)
def work(number):
    time.sleep(1)
    return number * number

assert sum(ray.get([work.remote(number) for number in range(6)])) == 55
tell("ended")
print("sum is 55")
"""


class Witness:
    """Counts what drivers tell: `began/<id>` and `ended/<id>`."""

    def __init__(self, address):
        self.told = Counter()
        told = self.told

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                told[self.path.strip("/")] += 1
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def witness(lab):
    """A server on the machine's own end of kind's network, which pods reach."""
    made = Witness(gateway(lab))
    yield made
    made.close()


@pytest.fixture(scope="module")
def cluster(lab):
    spec = ROOT / "deploy/clusters/multi-node.yaml"
    lab.raykit("up", "-f", spec, "-n", "raykit", "--name", "chaos")
    yield "raykit/chaos"
    lab.raykit("down", "chaos", "-n", "raykit", "--yes")


def pod(lab, kind):
    labels = f"ray.io/cluster=chaos,ray.io/node-type={kind}"
    found = lab.objects("pods", "-n", "raykit", "-l", labels)
    return found[0]["metadata"]["name"] if found else None


def kill_pod(lab, kind):
    if name := pod(lab, kind):
        words = ("-n", "raykit", "--grace-period=0", "--force", "--wait=false")
        lab.kubectl("delete", "pod", name, *words, check=False)


def kill_operator(lab):
    words = ("-n", "ray-system", "-l", "app.kubernetes.io/name=kuberay-operator", "--wait=false")
    lab.kubectl("delete", "pod", *words, check=False)


def kill_api_server(lab):
    words = ["docker", "exec", f"{lab.name}-control-plane", "pkill", "-KILL", "kube-apiserver"]
    subprocess.run(words, capture_output=True, timeout=60)


BLOWS = {
    "nothing": lambda lab: None,
    "worker": lambda lab: kill_pod(lab, "worker"),
    "head": lambda lab: kill_pod(lab, "head"),
    "operator": kill_operator,
    "API server": kill_api_server,
}


def whole(lab):
    """Whether the cluster is ready again, head and workers."""
    done = subprocess.run(
        ["raykit", "status", "--on", "raykit/chaos"],
        env=lab.env,
        cwd=lab.env["HOME_OF_TESTS"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode == 0 and " ready " in done.stdout and " 2/2 " in done.stdout


def test_no_job_is_lost_none_runs_twice_and_no_exit_code_is_wrong(
    lab, witness, cluster, soon, tmp_path
):
    chance = random.Random(SEED)
    for number in range(SUBMITS):
        soon(lambda: whole(lab), 300)
        name = f"chaos-{SEED}-{number}-{os.urandom(2).hex()}"
        blow, wait = chance.choice(list(BLOWS)), chance.uniform(0, LONGEST_WAIT)
        told = f"seed {SEED}, submit {number}: {blow} killed after {wait:.1f} s"
        err = tmp_path / name
        words = ["raykit", "submit", "--on", cluster, "--id", name, "--entrypoint", "--"]
        with err.open("wb") as out:
            child = subprocess.Popen(
                [*words, "python", "-c", DRIVER, witness.url, name],
                env=lab.env,
                cwd=lab.env["HOME_OF_TESTS"],
                stdout=out,
                stderr=out,
            )
            time.sleep(wait)
            BLOWS[blow](lab)
            code = child.wait(400)
        judge(blow, code, name, lab, witness, f"{told}: exit {code}\n{err.read_text()}")
        print(f"{told}: exit {code}")


def judge(blow, code, name, lab, witness, evidence):
    """Check what raykit said of a submission against what the witness saw."""
    began, ended = witness.told[f"began/{name}"], witness.told[f"ended/{name}"]
    assert began <= 1, f"it ran {began} times: {evidence}"
    if code == 0:
        assert (began, ended) == (1, 1), evidence
        return
    if code == 5:
        # It was refused before anything was sent: neither a job nor a record of one.
        assert blow in ("head", "API server"), evidence
        assert began == 0, evidence
        assert status(lab, name) in (None, "NOT_SUBMITTED"), evidence
        return
    if code == 6:
        # Nothing answered for too long, in the middle of the submission.
        assert blow in ("head", "API server"), evidence
        known = status(lab, name)
        assert known in ("NOT_SUBMITTED", "UNFINISHED"), evidence
        assert began == 0 or known == "UNFINISHED", evidence
        if known == "UNFINISHED" and blow == "API server":
            found_again(lab, name, witness)
        return
    assert blow == "head", f"nothing but a lost head may end a job: {evidence}"
    assert code == 20, evidence
    assert "the head was lost" in evidence, evidence


def found_again(lab, name, witness):
    """Check that a job which went on while nothing answered is followed to its end afterwards."""
    deadline = time.monotonic() + 300
    while not whole(lab):
        assert time.monotonic() < deadline
        time.sleep(1)
    lab.raykit("attach", name)
    assert witness.told[f"ended/{name}"] == 1


def status(lab, name):
    """What the record of a job says of it; None without a record."""
    words = ["raykit", "runs", "show", name, "-o", "json"]
    done = subprocess.run(words, env=lab.env, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)["data"]["status"] if done.returncode == 0 else None
