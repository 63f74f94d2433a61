"""Tasks survive their node: a worker pod that is preempted or killed, a Kubernetes node that stops.

The answer stays right; what was lost and tried again is in the record, in the strip and in the
verdict.
"""

import subprocess
import threading

import pytest

from tests.conftest import PATIENCE_SECONDS
from tests.kind import outside
from tests.kind.life import restricted_namespace
from tests.kind.wellness import ills

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

SECTION = "Pods and scheduling"
# The head and one worker share a Kubernetes node; the other one is lost.
SPEC = """
name: hit
head: {{taskCpus: 0, cpu: 100m, memory: 1536Mi, nodeSelector: {{kubernetes.io/hostname: {near}}}}}
workers:
  - {{name: near, nodeSelector: {{kubernetes.io/hostname: {near}}}, {pods}}}
  - {{name: far, nodeSelector: {{kubernetes.io/hostname: {far}}}, {pods}}}
"""
PODS = (
    "replicas: 1, taskCpus: 1, cpu: 100m, memory: 1280Mi, env: {SSL_CERT_FILE: /authority/ca.pem}, "
    "volumes: [{name: authority, mountPath: /authority, configMap: authority, readOnly: true}]"
)
# The brackets keep the pattern from matching the command that looks for it.
TASKS = "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' '\\n' | grep -c '^ray::[fl]'"
FIB = ("fib", "--", "--size", "100000", "--tasks", "40", "--repeat", "1", "--mode", "tasks")
GSOD = ("gsod", "--", "--years", "2020", "2024", "--high-temp", "80")
DISTURBED = r"doubt: DISTURBED: .*?undisturbed time"
# A pod that was killed without a goodbye may end some time later, in the run of the next test.
LOST = r"(A Ray node was|\d+ Ray nodes were) lost while the job ran \(worker .*?\); "
TRIED_AGAIN = LOST + r"\d+ tasks? (was|were) tried again"
# A node may be lost between two short tasks of `fib`, while Ray asks it for a place for the next.
PERHAPS_TRIED_AGAIN = LOST + r"(no task|\d+ tasks?) (was|were) tried again"


@pytest.fixture(scope="module")
def server(lab, tmp_path_factory):
    """A web server outside of the cluster, with two years of the sample.

    It answers once `answers` is set: until then a task that reads is at work.
    """

    def held(_):
        origin.answers.wait(PATIENCE_SECONDS)
        return False

    folder = tmp_path_factory.mktemp("server")
    with outside.archives(lab, folder, 2020, 2024) as origin:
        origin.always, origin.folder, origin.answers = held, folder, threading.Event()
        yield origin


@pytest.fixture(scope="module")
def namespace(lab, server):
    """A namespace with a head and two workers, of which `far` has a Kubernetes node alone."""
    with restricted_namespace(lab, "survival") as name:
        outside.trust(lab, server.folder, name)
        path = server.folder / "hit.yaml"
        path.write_text(
            SPEC.format(near=f"{lab.name}-worker", far=f"{lab.name}-worker2", pods=PODS)
        )
        lab.raykit("up", "-f", path, "-n", name)
        yield name


@pytest.fixture
def running(lab, namespace, server, faults, soon):
    """Starts a job, and waits until a task of it runs on the worker `far`; returns its pod too."""

    def start(name, dashes, *options):
        server.answers.clear()
        data = ("--data", server.url) if name == "gsod" else ()
        watched = faults.start("submit", name, "--on", f"{namespace}/hit", dashes, *data, *options)
        pod = soon(lambda: at_work(lab, namespace), 300)
        watched.strike()
        return watched, pod

    yield start
    server.answers.set()
    soon(lambda: not ills(lab, namespace), 300)


def at_work(lab, namespace):
    """The pod of the worker `far` while a task runs in it; else None."""
    labels = "ray.io/cluster=hit,ray.io/group=far"
    for pod in lab.objects("pods", "-n", namespace, "-l", labels):
        name = pod["metadata"]["name"]
        words = ("exec", "-n", namespace, name, "--", "sh", "-c", TASKS)
        if int(lab.kubectl(*words, check=False).strip() or 0):
            return name
    return None


def kill(lab, namespace, pod):
    """What a Kubernetes node does to its pods when it vanishes: no time to say goodbye."""
    words = ("--grace-period=0", "--force", "--wait=false")
    lab.kubectl("delete", "pod", pod, "-n", namespace, *words)


def containers(lab, pod):
    """What still runs of a pod of the worker `far`, which the API server may have forgotten."""
    words = ["crictl", "--timeout=60s", "ps", "-q", "--label", f"io.kubernetes.pod.name={pod}"]
    command = ["docker", "exec", f"{lab.name}-worker2", *words]
    return subprocess.run(command, check=True, capture_output=True).stdout.strip()


def survived(lab, retried):
    """Check the record of a job that lost Ray nodes and gave the right answer."""
    run = lab.json("runs", "show", "last")
    assert run["status"] == "SUCCEEDED"
    ended = [end["lost"] for end in run["tasks"]["ended"].values()]
    assert ended
    assert all(ended)
    assert run["tasks"]["retried"] >= retried
    (result,) = run["results"]
    if "years" in result["data"]:
        assert [year["hits"] for year in result["data"]["years"]] == [108, 18]
    else:
        assert result["data"]["agree"] is True


def test_fib_survives_a_worker_pod_that_is_preempted(lab, namespace, running, faults):
    watched, pod = running(*FIB)
    lab.kubectl("delete", "pod", pod, "-n", namespace, "--wait=false")
    case = "a worker pod is preempted while fib runs"
    # Ray lets running tasks end within the pod's grace period, so that none may be lost.
    said = faults.end(watched, SECTION, case, code=0, says=(DISTURBED, PERHAPS_TRIED_AGAIN))
    assert "x node ended" in said.unbroken
    survived(lab, retried=0)


def test_gsod_survives_a_worker_pod_that_is_killed(lab, namespace, server, running, faults, soon):
    watched, pod = running(*GSOD)
    kill(lab, namespace, pod)
    soon(lambda: not containers(lab, pod))
    server.answers.set()
    case = "a worker pod is killed while gsod reads"
    faults.end(watched, SECTION, case, code=0, says=(DISTURBED, TRIED_AGAIN))
    survived(lab, retried=1)


@pytest.mark.parametrize(
    ("job", "case", "retried", "verdict"),
    [
        (FIB, "a Kubernetes node stops while fib runs", 0, PERHAPS_TRIED_AGAIN),
        (GSOD, "a Kubernetes node stops while gsod reads", 1, TRIED_AGAIN),
    ],
    ids=["fib", "gsod"],
)
def test_a_job_survives_a_kubernetes_node_that_stops(
    lab, server, running, faults, job, case, retried, verdict
):
    watched, _ = running(*job)
    node = f"{lab.name}-worker2"
    subprocess.run(["docker", "stop", "-t", "0", node], check=True, capture_output=True)
    server.answers.set()
    try:
        faults.end(watched, SECTION, case, code=0, says=(DISTURBED, verdict))
    finally:
        subprocess.run(["docker", "start", node], check=True, capture_output=True)
    survived(lab, retried)
