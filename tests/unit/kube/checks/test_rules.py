"""The roles that grant the rules which a user lacks."""

import yaml

from raykit.kube.checks import rules
from raykit.kube.checks.rules import Rule
from raykit.manifests.render import to_yaml

PODS = Rule("", "pods", ("list",), "status")
NODES = Rule("", "nodes", ("list",), "why", everywhere=True)


def test_a_role_grants_exactly_the_rules_and_is_bound_to_the_user():
    role, binding = rules.roles([PODS], "ray", "jane")
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "ray")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert binding["roleRef"]["kind"] == "Role"
    assert binding["subjects"] == [
        {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}
    ]


def test_what_is_outside_of_the_namespace_takes_a_cluster_role():
    role, binding = rules.roles([NODES], "ray", "system:serviceaccount:ci:deployer")
    assert (role["kind"], binding["kind"]) == ("ClusterRole", "ClusterRoleBinding")
    assert "namespace" not in role["metadata"]
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "deployer", "namespace": "ci"}
    ]


def test_another_user_or_other_rules_replace_no_earlier_grant():
    granted = [rules.roles(*words) for words in ([[PODS], "ray", "jane"], [[PODS], "ray", "bob"])]
    names = {item["metadata"]["name"] for objects in granted for item in objects}
    assert len(names) == 2
    assert rules.roles([PODS], "ray", "jane") == granted[0]


def test_both_are_one_yaml_to_apply():
    text = to_yaml(rules.roles([PODS, NODES], "ray", "jane"))
    kinds = [item["kind"] for item in yaml.safe_load_all(text)]
    assert kinds == ["Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]


def test_a_spec_adds_the_kinds_that_it_renders():
    names = {rule.resource for rule in rules.of_kinds(["RayCluster", "NetworkPolicy", "RayJob"])}
    assert {"networkpolicies", "rayjobs", "rayclusters"} <= names
    assert "podmonitors" not in names
