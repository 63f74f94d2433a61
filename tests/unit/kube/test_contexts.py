"""What a context is: whether images can be loaded, whether raykit asks, how to log in."""

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from raykit.kube import contexts

CLI = Path(contexts.__file__).parents[1]


def test_a_kind_context_takes_images_and_is_still_asked_about():
    context = contexts.describe("kind-mine")
    assert context.kind_cluster == "mine"
    assert context.takes_loaded_images
    assert context.asks_first
    assert context.restart == "raykit kind up --name mine"
    assert not replace(context, made_by_raykit=True).asks_first


def test_any_other_context_needs_a_registry():
    context = contexts.describe("team/a:b")
    assert (context.kind_cluster, context.takes_loaded_images) == (None, False)
    assert context.restart == "kubectl --context team/a:b version"


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("docker-desktop", True),
        ("minikube", True),
        ("k3d-team", True),
        ("colima", True),
        ("my-docker-desktop", False),
        ("k3down", False),
        ("arn:aws:eks:eu-central-1:123456789012:cluster/minikube", False),
    ],
)
def test_clusters_on_this_machine_may_have_dockers_images(name, shares):
    assert contexts.describe(name).may_share_images is shares


@pytest.mark.parametrize(
    ("name", "program", "login"),
    [
        ("any", {"command": "gke-gcloud-auth-plugin"}, "gcloud auth login"),
        ("any", {"command": "/opt/bin/gke-gcloud-auth-plugin"}, "gcloud auth login"),
        ("gke_my-project_europe-west1_prod", None, "gcloud auth login"),
        ("any", {"command": "aws", "args": ["eks", "get-token"]}, "aws sso login"),
        (
            "any",
            {"command": "aws", "args": ["--profile", "work", "eks", "get-token"]},
            "aws sso login --profile work",
        ),
        (
            "any",
            {"command": "aws", "env": [{"name": "AWS_PROFILE", "value": "work"}]},
            "aws sso login --profile work",
        ),
        ("arn:aws:eks:eu-west-1:1:cluster/prod", None, "aws sso login"),
        ("me@prod.eu-west-1.eksctl.io", None, "aws sso login"),
        ("any", {"command": "kubelogin", "args": ["get-token"]}, "az login"),
    ],
)
def test_the_login_of_a_cloud_is_known_by_its_program_or_by_the_contexts_name(name, program, login):
    assert contexts.describe(name, program).login_hint == login


@pytest.mark.parametrize("program", [None, {}, {"command": "my-own-helper"}, {"command": 3}])
def test_an_unknown_login_is_described_with_a_command_that_shows_the_user(program):
    hint = contexts.describe("o'hara", program).login_hint
    assert hint == "log in again, then: kubectl --context 'o'\"'\"'hara' auth whoami"


def test_no_other_module_tests_the_name_of_a_context():
    testing = [
        f"{path.relative_to(CLI)}:{node.lineno}"
        for path in CLI.rglob("*.py")
        if path.name != "contexts.py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("startswith", "removeprefix")
        and any(isinstance(each, ast.Constant) and each.value == "kind-" for each in node.args)
    ]
    assert testing == []
