"""What a kubeconfig context is and what it allows. Only this module reads a context's name."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from typing import Any

KIND_PREFIX = "kind-"
"""`kind create cluster --name NAME` names the context `kind-NAME`."""

SHARING = re.compile(r"(docker-desktop|rancher-desktop|orbstack|minikube|(colima|k3d)(-.+)?)")
"""Contexts of Kubernetes clusters on this machine, whose nodes may have docker's own images."""

GCLOUD, AWS, AZURE = "gcloud auth login", "aws sso login", "az login"
LOGINS_BY_PROGRAM = {
    "gke-gcloud-auth-plugin": GCLOUD,
    "gcloud": GCLOUD,
    "aws": AWS,
    "aws-iam-authenticator": AWS,
    "kubelogin": AZURE,
    "az": AZURE,
    "doctl": "doctl auth init",
    "oci": "oci session authenticate",
    "tsh": "tsh login",
}
"""The login command for each program that a kubeconfig may run for a credential."""
LOGINS_BY_NAME = [
    (re.compile(r"gke_[^_]+_[^_]+_.+"), GCLOUD),
    (re.compile(r"arn:aws[a-z-]*:eks:.+|.+\.eksctl\.io"), AWS),
]
"""The login command for the names that clouds give to contexts."""


@dataclass(frozen=True)
class Context:
    """A kubeconfig context; as text it is its name.

    name: as in the kubeconfig; it may contain slashes and colons.
    login: the command that logs in again; empty if raykit knows none.
    made_by_raykit: `raykit kind up` made its cluster. The name does not prove that:
    `flows/clusters/consent.py` asks the docker engine.
    """

    name: str
    login: str = ""
    made_by_raykit: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def quoted(self) -> str:
        """The name, quoted for a shell."""
        return shlex.quote(self.name)

    @property
    def kind_cluster(self) -> str | None:
        """The name of its kind cluster; None for any other context."""
        return kind_cluster(self.name)

    @property
    def takes_loaded_images(self) -> bool:
        """Whether images can be loaded into its nodes; otherwise it needs a registry."""
        return self.kind_cluster is not None

    @property
    def may_share_images(self) -> bool:
        """Whether nodes may have images of this machine's docker engine without any registry."""
        return SHARING.fullmatch(self.name) is not None

    @property
    def asks_first(self) -> bool:
        """Whether raykit asks the user before it changes anything in this context."""
        return not self.made_by_raykit

    @property
    def restart(self) -> str:
        """The command that starts its cluster again, or that shows what is wrong with it."""
        if self.kind_cluster is None:
            return f"kubectl --context {self.quoted} version"
        return f"raykit kind up --name {shlex.quote(self.kind_cluster)}"

    @property
    def login_hint(self) -> str:
        """What to run if the API server no longer accepts its credentials."""
        return self.login or f"log in again, then: kubectl --context {self.quoted} auth whoami"


def of_kind(cluster: str) -> str:
    """The name of the context that kind writes for a cluster."""
    return f"{KIND_PREFIX}{cluster}"


def kind_cluster(context: str) -> str | None:
    """The name of the kind cluster of a context; None for any other context."""
    return context.removeprefix(KIND_PREFIX) if context.startswith(KIND_PREFIX) else None


def describe(name: str, program: object = None) -> Context:
    """The context of a name. program: the `exec` entry of its user, if it has one."""
    login = login_by_program(program) if isinstance(program, dict) else ""
    return Context(name, login=login or _login_by_name(name))


def login_by_program(program: Mapping[str, Any]) -> str:
    """The command that logs in again for a program that gives the credential.

    program: the user's `exec` entry. Empty if raykit does not know the program.
    """
    login = LOGINS_BY_PROGRAM.get(PurePath(str(program.get("command", ""))).stem, "")
    return login + _profile(program) if login == AWS else login


def _profile(program: Mapping[str, Any]) -> str:
    """The ` --profile …` of an AWS login, from the program's arguments or environment."""
    args, env = program.get("args"), program.get("env")
    words = [str(word) for word in args] if isinstance(args, list) else []
    for flag, value in pairwise(words):
        if flag == "--profile":
            return f" --profile {shlex.quote(value)}"
    for item in env if isinstance(env, list) else []:
        if isinstance(item, dict) and item.get("name") == "AWS_PROFILE":
            return f" --profile {shlex.quote(str(item.get('value')))}"
    return ""


def _login_by_name(name: str) -> str:
    return next((login for form, login in LOGINS_BY_NAME if form.fullmatch(name)), "")


def kubectl(context: str, namespace: str | None = None) -> str:
    """The beginning of a kubectl command, with `--context` and, if given, `-n NAMESPACE`."""
    words = ["kubectl", "--context", context, *(["-n", namespace] if namespace else [])]
    return shlex.join(words)
