"""Submissions while pods, Kubernetes nodes, the operator and the API server are killed at random.

No job is lost, none runs twice, and no exit code is wrong. A witness outside the cluster counts
the drivers that start and end, so that nothing which is killed can forget them; `tests/chaos.py`
judges. `make soak` submits fifty times; RAYKIT_CHAOS_SUBMITS names another number,
RAYKIT_CHAOS_SEED another seed. RAYKIT_FAULTS_TABLE=FILE keeps the figures for docs/faults.md.
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

from tests import chaos
from tests.faults import TABLE
from tests.kind.outside import gateway
from tests.servers import Server

SUBMITS = int(os.environ.get("RAYKIT_CHAOS_SUBMITS", "50"))
SEED = int(os.environ.get("RAYKIT_CHAOS_SEED", "1"))
pytestmark = [
    pytest.mark.kind,
    pytest.mark.timeout(max(1200, 90 * SUBMITS)),
    pytest.mark.skipif("RAYKIT_SOAK" not in os.environ, reason="takes most of an hour: make soak"),
]

ROOT = Path(__file__).parents[2]
LONGEST_WAIT = 8.0
WHOLE_SECONDS = 420
"""A kubelet starts a container that ends again and again only every 5 minutes at last."""
SUBMIT_SECONDS = 400
RAY_NODES = 3
ASKS_RAY = """
import json, os, urllib.request
request = urllib.request.Request("http://127.0.0.1:8265/nodes?view=summary")
request.add_header("Authorization", "Bearer " + os.environ["RAY_AUTH_TOKEN"])
nodes = json.load(urllib.request.urlopen(request, timeout=10))["data"]["summary"]
print(sum(node["raylet"]["state"] == "ALIVE" for node in nodes))
"""
DRIVER = f"""
import sys, time, urllib.request
import ray

witness, name = sys.argv[1:]

def tell(what):
    urllib.request.urlopen(f"{{witness}}/{{what}}/{{name}}", timeout=10).read()

tell("began")
ray.init()

@ray.remote(num_cpus=1)
def work(number):
    time.sleep(1)
    return number * number

assert sum(ray.get([work.remote(number) for number in range(6)])) == 55
tell("ended")
print("{chaos.ANSWER}")
"""


class Witness:
    """Counts the requests of drivers: `began/<id>` and `ended/<id>`."""

    def __init__(self, address):
        self.requests = requests = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                requests.append((self.path.strip("/"), time.monotonic()))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = Server((address, 0), Handler)
        self.url = f"http://{address}:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def look(self, one):
        """Write down how often drivers of a submission began and ended so far, and when."""
        one.began = len(self._times("began", one))
        ends = self._times("ended", one)
        one.ended = len(ends)
        one.earlier = max(one.struck_at - min(ends), 0.0) if ends and one.struck else 0.0

    def _times(self, what, one):
        return [at for request, at in self.requests if request == f"{what}/{one.name}"]

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
def cluster(lab, soon):
    spec = ROOT / "deploy/clusters/multi-node.yaml"
    lab.raykit("up", "-f", spec, "-n", "raykit", "--name", "chaos")
    yield "raykit/chaos"
    soon(lambda: "ok" in lab.kubectl("get", "--raw", "/readyz", check=False), WHOLE_SECONDS)
    lab.raykit("down", "chaos", "-n", "raykit", "--yes")


def docker(*words):
    subprocess.run(["docker", *words], check=True, capture_output=True, timeout=120)


def pods(lab):
    """The pods that a fault may strike, and what they are."""
    kinds = []
    for pod in lab.objects("pods", "--all-namespaces"):
        labels = pod["metadata"].get("labels", {})
        if labels.get("ray.io/cluster") == "chaos":
            kinds.append((labels["ray.io/node-type"], pod))
        elif labels.get("app.kubernetes.io/name") == "kuberay-operator":
            kinds.append(("operator", pod))
    return kinds


def kill_pod(lab, chance, kind):
    name, namespace = chance.choice(
        [
            (pod["metadata"]["name"], pod["metadata"]["namespace"])
            for its_kind, pod in pods(lab)
            if its_kind == kind
        ]
    )
    words = ("--grace-period=0", "--force", "--wait=false")
    lab.kubectl("delete", "pod", name, "-n", namespace, *words)
    return {kind}


def kill_node(lab, chance):
    """A Kubernetes node loses its power and gets it back: all processes on it die at once."""
    node = f"{lab.name}-{chance.choice(['worker', 'worker2'])}"
    struck = {kind for kind, pod in pods(lab) if pod["spec"].get("nodeName") == node}
    docker("kill", node)
    docker("start", node)
    return {"Kubernetes node"} | struck


def kill_api_server(lab, chance):
    """The kubelet is started again too, and starts the API server at once: else it would wait
    longer after each kill, up to 5 minutes."""
    node = f"{lab.name}-control-plane"
    docker("exec", node, "pkill", "-KILL", "kube-apiserver")
    docker("exec", node, "systemctl", "restart", "kubelet")
    return {chaos.API_SERVER}


FAULTS = {
    "nothing": lambda lab, chance: set(),
    "worker": lambda lab, chance: kill_pod(lab, chance, "worker"),
    chaos.HEAD: lambda lab, chance: kill_pod(lab, chance, chaos.HEAD),
    "operator": lambda lab, chance: kill_pod(lab, chance, "operator"),
    chaos.API_SERVER: kill_api_server,
    "Kubernetes node": kill_node,
}


def lacking(lab):
    """What is not ready; nothing where the cluster is whole."""
    try:
        nodes, mine = lab.objects("nodes"), pods(lab)
        items = [*(("Kubernetes node", node) for node in nodes), *mine]
        absent = [f"{kind} {item['metadata']['name']}" for kind, item in items if not ready(item)]
        kinds = Counter(kind for kind, _ in mine)
        if kinds != {"head": 1, "worker": RAY_NODES - 1, "operator": 1}:
            absent.append(f"pods: {dict(kinds)}")
        return absent or ray_nodes_lacking(lab, mine)
    except (AssertionError, subprocess.TimeoutExpired) as error:
        return [str(error).strip()]


def ready(item):
    conditions = item["status"].get("conditions", [])
    states = {condition["type"]: condition["status"] for condition in conditions}
    return states.get("Ready") == "True" and "deletionTimestamp" not in item["metadata"]


def ray_nodes_lacking(lab, mine):
    """What Ray itself says. Kubernetes calls a node that lost its power ready for a while."""
    (head,) = [pod["metadata"]["name"] for kind, pod in mine if kind == "head"]
    words = ("exec", "-n", "raykit", head, "-c", "ray-head", "--", "python", "-c", ASKS_RAY)
    alive = lab.kubectl(*words).strip()
    return [] if alive == str(RAY_NODES) else [f"Ray counts {alive} Ray nodes"]


def wait_until_whole(lab):
    deadline = time.monotonic() + WHOLE_SECONDS
    while absent := lacking(lab):
        if time.monotonic() > deadline:
            listed = "\n".join(absent)
            pytest.fail(f"not whole again within {WHOLE_SECONDS} s:\n{listed}", pytrace=False)
        time.sleep(1)


def submit(lab, cluster, witness, one, strike):
    """Submit a job, strike meanwhile, and write down what became of it."""
    words = ["raykit", "submit", "--on", cluster, "--id", one.name, "--entrypoint", "--"]
    child = subprocess.Popen(
        [*words, "python", "-c", DRIVER, witness.url, one.name],
        env=lab.env,
        cwd=lab.env["HOME_OF_TESTS"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    time.sleep(one.seconds)
    one.over = child.poll() is not None
    one.struck_at = time.monotonic()
    one.struck = frozenset(strike(lab))
    try:
        one.text, _ = child.communicate(timeout=SUBMIT_SECONDS)
        one.code = child.returncode
    except subprocess.TimeoutExpired:
        child.kill()
        one.text, _ = child.communicate()
    one.status = status(lab, one.name)
    witness.look(one)


def status(lab, name):
    """What the record of a job says of it; None without a record."""
    words = ["raykit", "runs", "show", name, "-o", "json"]
    done = subprocess.run(words, env=lab.env, capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout)["data"]["status"] if done.returncode == 0 else None


def attach(lab, name):
    """The exit code of `raykit attach`."""
    words = ["raykit", "attach", name]
    return subprocess.run(words, env=lab.env, capture_output=True, timeout=280).returncode


def test_no_job_is_lost_none_runs_twice_and_no_exit_code_is_wrong(lab, witness, cluster):
    chance, began, made = random.Random(SEED), time.monotonic(), []
    try:
        for number in range(SUBMITS):
            wait_until_whole(lab)
            name = f"chaos-{SEED}-{number}-{os.urandom(2).hex()}"
            fault, seconds = chance.choice(list(FAULTS)), chance.uniform(0, LONGEST_WAIT)
            one = chaos.Submission(name, fault, seconds)
            made.append(one)
            submit(lab, cluster, witness, one, lambda lab, one=one: FAULTS[one.fault](lab, chance))
            if one.code == 6 and one.status == "UNFINISHED":
                wait_until_whole(lab)
                one.later = attach(lab, name)
                witness.look(one)
            report(one)
    finally:
        # A driver that began after raykit had ended counts too.
        for one in made:
            witness.look(one)
        figures = {"seed": SEED, **chaos.figures(made, time.monotonic() - began)}
        print(f"\nseed {SEED}: {chaos.summary(figures)}", flush=True)
    bad = [f"{one}: {chaos.wrong(one)}" for one in made if chaos.wrong(one)]
    keep(figures)
    assert not bad, "\n".join(bad)


def report(one):
    """Show a submission at once, and all of it if something is wrong."""
    problem = chaos.wrong(one)
    print(one if problem is None else f"{one}: WRONG: {problem}\n{one.text}", flush=True)


def keep(figures):
    if path := os.environ.get(TABLE):
        with Path(path).open("a", encoding="utf-8") as out:
            out.write(json.dumps({"chaos": figures}) + "\n")
