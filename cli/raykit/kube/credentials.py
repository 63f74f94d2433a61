"""Credentials that a kubeconfig has a program fetch (`users[].user.exec`)."""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from raykit import processes
from raykit.errors import MissingError

TIMEOUT_SECONDS = 10.0
Entry = dict[str, Any]


def resolved(user: Entry, cluster: Entry) -> Entry:
    """The user with what its program gave in place of the program.

    Errors: MissingError (4) where the program is absent, fails, takes over 10 s or says nothing
    of use; its output is never shown, since it may hold the credential.
    """
    program = user.get("exec")
    if not program:
        return user
    status = _status(_ask(program, cluster), program["command"])
    kept = {key: value for key, value in user.items() if key != "exec"}
    if status.get("token"):
        kept["token"] = status["token"]
    if status.get("clientCertificateData"):
        kept["client-certificate-data"] = _encoded(status["clientCertificateData"])
        kept["client-key-data"] = _encoded(status.get("clientKeyData", ""))
    return kept


def _ask(program: Entry, cluster: Entry) -> str:
    told = {"server": cluster.get("server", "")}
    if program.get("provideClusterInfo") and cluster.get("certificate-authority-data"):
        told["certificate-authority-data"] = cluster["certificate-authority-data"]
    info = {
        "kind": "ExecCredential",
        "apiVersion": program.get("apiVersion"),
        "spec": {"interactive": False, "cluster": told},
    }
    extra = {item["name"]: item["value"] for item in program.get("env") or []}
    done = processes.run(
        [program["command"], *(program.get("args") or [])],
        env={**os.environ, **extra, "KUBERNETES_EXEC_INFO": json.dumps(info)},
        timeout=TIMEOUT_SECONDS,
        error=MissingError,
        check=False,
        next=program.get("installHint") or f"install {program['command']}",
    )
    if done.returncode != 0:
        raise MissingError(
            f"{program['command']}, which the kubeconfig names, gave no credential",
            evidence=done.stderr.strip().splitlines()[-5:],
            next="log in again with your cloud's own command",
        )
    return done.stdout


def _status(text: str, command: str) -> Entry:
    try:
        status = json.loads(text)["status"]
    except (ValueError, KeyError, TypeError):
        status = None
    if not isinstance(status, dict) or not (
        status.get("token") or status.get("clientCertificateData")
    ):
        raise MissingError(
            f"{command}, which the kubeconfig names, printed no credential",
            next="log in again with your cloud's own command",
        )
    return status


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
