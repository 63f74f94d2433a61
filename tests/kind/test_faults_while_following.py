"""Following on a real cluster while its head, its API server or the credentials go away."""

import json
import re
import signal
import subprocess
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.kind import life

pytestmark = [pytest.mark.kind, pytest.mark.timeout(900)]

ENVIRONMENT, PODS = "Environment and cluster", "Pods and scheduling"
LINES = 120
COUNTING = f"for i in $(seq {LINES}); do echo line $i; sleep 0.25; done"
COUNTED = "".join(f"line {number}\n" for number in range(1, LINES + 1))
SUBMIT = ("submit", "--entrypoint", "--on", "single-node", "--", "bash", "-c", COUNTING)


@pytest.fixture
def counting(faults):
    """Starts the job that counts aloud, on a terminal, and waits until it counts."""

    def start(*words, **env):
        watched = faults.start(*(words or SUBMIT), env=env)
        watched.until("line 3")
        watched.strike()
        return watched

    return start


def counted(text):
    """The lines that the job printed, as the terminal showed them."""
    return "".join(f"{line}\n" for line in text.splitlines() if re.fullmatch(r"line \d+", line))


def record(lab):
    return lab.json("runs", "show", "last")


def exit_code(lab, *words):
    done = subprocess.run(
        ["raykit", *words], env=lab.env, cwd=lab.env["HOME_OF_TESTS"], timeout=500
    )
    return done.returncode


def saved(lab, run):
    return (Path(lab.env["RAYKIT_RUNS"]) / run["id"] / "driver.log").read_bytes()


def on_head(lab, run):
    """The driver's log file as the head holds it."""
    path = f"/tmp/ray/session_latest/logs/job-driver-{run['submission_id']}.log"
    head = life.head(lab, "raykit", "single-node")
    return life.on_head(lab, "raykit", head, "cat", path).encode()


def test_no_line_is_lost_while_the_api_server_is_started_again(lab, faults, counting):
    watched = counting()
    words = ["docker", "exec", f"{lab.name}-control-plane", "pkill", "-KILL", "kube-apiserver"]
    subprocess.run(words, env=lab.env, check=True, capture_output=True)
    # It says so only if the API server is away for 10 s and longer.
    says = ("the head does not answer.*?the head answers again|$",)
    case = "the API server is started again while a job is followed"
    said = faults.end(watched, ENVIRONMENT, case, code=0, says=says)
    run = record(lab)
    assert (run["status"], run["log"]["source"]) == ("SUCCEEDED", "file")
    assert run["log"]["reconnects"] >= 1
    assert counted(said.text) == COUNTED
    assert saved(lab, run) == on_head(lab, run)


def test_a_job_whose_head_pod_is_replaced_is_told_lost_with_its_head(
    lab, namespace, spec, faults, counting, soon
):
    lab.raykit("up", "-f", spec("fragile"), "-n", namespace)
    on = ("--on", f"{namespace}/fragile")
    left = ("submit", *on, "--no-follow", "--id", f"left-{namespace}", "--entrypoint")
    lab.raykit(*left, "--", "sleep", "600")
    watched = counting("submit", "--entrypoint", *on, "--", "bash", "-c", COUNTING)
    labels = "ray.io/cluster=fragile,ray.io/node-type=head"
    lab.kubectl("delete", "pod", "-n", namespace, "-l", labels, "--grace-period=1", "--wait=false")
    said = faults.end(watched, PODS, "the head pod is deleted mid-job", code=20)
    assert "the head was lost" in said.unbroken
    run = record(lab)
    assert (run["status"], run["cause"]) == ("FAILED", "head-lost")
    assert run["log"]["source"] == "partial"
    kept = counted(said.text)
    assert kept.startswith("line 1\nline 2\nline 3\n")
    assert COUNTED.startswith(kept)
    assert saved(lab, run).decode().endswith(kept)
    # A head that has just begun may not say yet since when it is up.
    soon(lambda: exit_code(lab, "attach", f"left-{namespace}") == 20, 120)
    left = lab.json("runs", "show", f"left-{namespace}")
    assert (left["status"], left["cause"]) == ("FAILED", "head-lost")


def test_a_credential_that_is_withdrawn_while_following_is_read_again(
    lab, faults, counting, tmp_path, soon
):
    """An account's token is bound to a Secret: deleting that withdraws it within seconds."""
    account = ["-n", "raykit"]
    lab.kubectl("create", "serviceaccount", "follower", *account)
    bind = ["follower", "--clusterrole=cluster-admin", "--serviceaccount=raykit:follower"]
    lab.kubectl("create", "clusterrolebinding", *bind)
    try:
        lab.kubectl("create", "secret", "generic", "withdrawn", *account)
        token = tmp_path / "token"
        bound = ["--bound-object-kind=Secret", "--bound-object-name=withdrawn"]
        token.write_text(lab.kubectl("create", "token", "follower", *account, *bound))
        first = token.read_text()
        config = json.loads(lab.kubectl("config", "view", "--raw", "--minify", "-o", "json"))
        config["users"] = [{"name": config["users"][0]["name"], "user": {"tokenFile": str(token)}}]
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(config))
        watched = counting(KUBECONFIG=str(path))
        token.write_text(lab.kubectl("create", "token", "follower", *account))
        lab.kubectl("delete", "secret", "withdrawn", *account)
        case = "the credentials are withdrawn and replaced while a job is followed"
        said = faults.end(watched, ENVIRONMENT, case, code=0)
        path.write_text(
            json.dumps(config | {"users": [{**config["users"][0], "user": {"token": first}}]})
        )
        words, env = ["kubectl", "get", "namespaces"], {**lab.env, "KUBECONFIG": str(path)}

        def refusal():
            return subprocess.run(words, env=env, capture_output=True, text=True).stderr

        # The API server remembers for some seconds that a token was good.
        soon(lambda: "Unauthorized" in refusal())
    finally:
        lab.kubectl("delete", "clusterrolebinding", "follower")
        lab.kubectl("delete", "serviceaccount", "follower", *account)
    assert counted(said.text) == COUNTED
    run = record(lab)
    assert saved(lab, run) == on_head(lab, run)


def test_the_dashboard_of_a_cluster_is_served_on_this_machine(lab, soon, tmp_path):
    out = tmp_path / "address"
    words = ["raykit", "dashboard", "--on", "single-node", "--no-browser"]
    with out.open("wb") as told:
        child = subprocess.Popen(words, env=lab.env, stdout=told, stderr=subprocess.DEVNULL)
    try:
        address = soon(lambda: out.read_text().strip())
        page = browse(address)
        assert "Ray Dashboard" in page["/"]
        assert json.loads(page["/api/version"])["ray_version"] == "2.60.0"
        assert page["token"] is False
    finally:
        child.send_signal(signal.SIGINT)
        assert child.wait(300) == 0


def browse(address):
    """What a browser that came in by the address of entry gets; whether it ever saw a token."""
    place = urlsplit(address)
    entry, seen, headers = address.partition(place.netloc)[2], {}, {"Host": place.netloc}
    for path in (entry, "/", "/api/version"):
        # Browsers take every name below localhost for this machine; Python asks a name server.
        link = HTTPConnection("127.0.0.1", place.port, timeout=240)
        link.request("GET", path, headers=headers)
        answer = link.getresponse()
        seen[path] = answer.read().decode()
        seen["token"] = seen.get("token", False) or "authorization" in str(answer.headers).lower()
        if "Set-Cookie" in answer.headers:
            headers["Cookie"] = answer.headers["Set-Cookie"].split(";")[0]
        link.close()
    return seen
