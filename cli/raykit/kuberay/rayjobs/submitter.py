"""Submits one job to a Ray head, once, or stops it: a program for the submitter pod of a RayJob.

    python -c TEXT submit    waits for the job's packages, then submits the job
    python -c TEXT stop      stops it

Only its text goes into the pod, so it needs nothing but Python. It sends what `raykit submit`
itself would send. KubeRay's own command line drops the metadata on an existing cluster, and its
shell expands `$` in a runtime environment.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path
from typing import Any

WORK = "RAYKIT_WORK"
"""The variable with a JSON object: `payload` is what Ray gets, `packages` are names that it needs,
`package_seconds` is how long to wait for each."""

ANSWER_SECONDS, ASK_SECONDS, STOP_SECONDS, PAUSE_SECONDS = 120.0, 20.0, 600.0, 1.0
ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


def main(words: list[str]) -> int:
    """Do what the word says; return the exit code."""
    work = json.loads(os.environ[WORK])
    payload = work["payload"]
    if words == ["stop"]:
        say(f"raykit: the deadline is over: stopping {payload['submission_id']}")
        return stop(payload)
    say(f"Job submission server address: {address()}")
    for package in work["packages"]:
        if not wait_for(package, work["package_seconds"]):
            say(f"raykit: {package} was not uploaded within {work['package_seconds']} s")
            return 1
    return submit(payload)


def submit(payload: dict[str, object]) -> int:
    """Submit the job once. If the reply is lost, ask whether the head has the job."""
    try:
        status, text = ask("POST", "api/jobs/", json.dumps(payload).encode())
    except OSError as error:
        say(f"raykit: no reply to the submission ({error}): asking for the job")
        if has(payload, ASK_SECONDS):
            return 0
        say("raykit: the head does not have the job; it is not submitted a second time")
        return 1
    if status == 200 or ("already exists" in text and has(payload, PAUSE_SECONDS)):
        return 0
    say(f"raykit: the head refused the job: HTTP {status}: {text}")
    return 1


def stop(payload: dict[str, object]) -> int:
    """Stop the job. Ray does not stop a job that is PENDING, so it is asked until the job ends."""
    path = f"api/jobs/{payload['submission_id']}"
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        try:
            ask("POST", f"{path}/stop", b"")
            status, text = ask("GET", path)
        except OSError:
            status, text = 0, ""
        if status == 404 or (status == 200 and fields(text).get("status") in ENDED):
            return 0
        time.sleep(PAUSE_SECONDS)
    say(f"raykit: it has not stopped within {STOP_SECONDS:g} s")
    return 1


def has(payload: dict[str, object], seconds: float) -> bool:
    """Whether the head has this very job: one of that id with the same metadata."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            status, text = ask("GET", f"api/jobs/{payload['submission_id']}")
        except OSError:
            status, text = 0, ""
        if status == 200:
            return fields(text).get("metadata") == payload["metadata"]
        time.sleep(PAUSE_SECONDS / 4)
    return False


def wait_for(package: str, seconds: float) -> bool:
    """Wait until the head has a package that raykit uploads."""
    deadline = time.monotonic() + seconds
    waits = False
    while time.monotonic() < deadline:
        try:
            if ask("GET", f"api/packages/gcs/{package}")[0] == 200:
                return True
        except OSError:
            pass
        if not waits:
            say(f"raykit: waiting until {package} is uploaded")
        waits = True
        time.sleep(PAUSE_SECONDS)
    return False


def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, str]:
    """The status and text of the head's answer. Errors: OSError if there is none."""
    headers = {"Content-Type": "application/json"}
    if token():
        headers["Authorization"] = f"Bearer {token()}"
    request = urllib.request.Request(f"{address()}/{path}", body, headers, method=method)
    # A proxy of the environment is for addresses outside of the cluster.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with _opened(opener, request) as answer:
            return int(answer.status or 0), str(answer.read().decode("utf-8", "replace"))
    except HTTPException as cut:
        raise OSError(f"{type(cut).__name__}: {cut}") from cut


def _opened(opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> Any:
    """The answer, also one that refuses."""
    try:
        return opener.open(request, timeout=ANSWER_SECONDS)
    except urllib.error.HTTPError as refused:
        return refused


def fields(text: str) -> dict[str, object]:
    """The fields of an answer; none if it is no JSON object."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def address() -> str:
    """The dashboard of the head, as KubeRay names it."""
    given = os.environ["RAY_DASHBOARD_ADDRESS"]
    return given if "://" in given else f"http://{given}"


def token() -> str:
    """Ray's token, as KubeRay hands it to the pod; empty without one."""
    path = os.environ.get("RAY_AUTH_TOKEN_PATH")
    given = os.environ.get("RAY_AUTH_TOKEN") or (path and Path(path).read_text("utf-8")) or ""
    return given.strip()


def say(text: str) -> None:
    """One line in the pod's log, at once."""
    os.write(1, f"{text}\n".encode("utf-8", "replace"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
