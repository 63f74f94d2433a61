"""Which place a word stands for: `--on`, the context's cluster, a local head."""

import os
from types import SimpleNamespace

import pytest

from raykit.errors import JobsApiError, KubernetesError, MissingError, UsageError
from raykit.flows.targets import choosing
from raykit.flows.targets.address import Address
from raykit.flows.targets.kinds import OnKubernetes, OwnHead, WarmLocal
from raykit.flows.targets.where import Where
from raykit.local import folders, warm

RAY = "/apis/ray.io/v1"
HEAD = {"template": {"spec": {"containers": [{"name": "ray-head", "image": "ray:1"}]}}}


def cluster(name, namespace="raykit", *, ours=True):
    metadata = {"name": name, "namespace": namespace, "uid": f"{namespace}-{name}"}
    if ours:
        metadata["labels"] = {"raykit.io/cluster": name}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayCluster",
        "metadata": metadata,
        "spec": {"headGroupSpec": HEAD},
    }


@pytest.fixture
def kuberay(api, kubeconfig):
    kubeconfig(api.url, context="team/prod:1")
    api.say(RAY, {"resources": [{"name": "rayclusters"}]})
    api.keep("rayclusters")
    return api


@pytest.fixture
def no_context(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))


@pytest.fixture(autouse=True)
def heads(monkeypatch):
    """Local heads that are up, by name; none at first."""
    up = []
    monkeypatch.setattr(warm, "running", lambda: [SimpleNamespace(name=name) for name in up])
    return up


def choose(on=None, context=None, namespace=None, **environ):
    return choosing.choose(
        Where({**os.environ, "RAYKIT_ON": "", **environ}, on, context, namespace)
    )


def place(target):
    assert isinstance(target, OnKubernetes)
    return f"{target.cluster.namespace}/{target.cluster.name}"


@pytest.mark.parametrize("form", ["theirs", "dev/theirs", "team/prod:1:dev/theirs"])
def test_any_raycluster_is_named_by_three_forms_whoever_made_it(kuberay, form):
    kuberay.keep("rayclusters", cluster("theirs", "dev", ours=False), cluster("mine"))
    chosen = choose(form)
    assert place(chosen) == "dev/theirs"
    assert chosen.reason == "running on team/prod:1:dev/theirs (--on)"


def test_a_name_means_the_cluster_of_ones_own_namespace_first(kuberay):
    kuberay.keep("rayclusters", cluster("small"), cluster("small", "colleague"))
    assert place(choose("small")) == "raykit/small"
    lists = [path for _, path, _ in kuberay.asked if path == f"{RAY}/rayclusters"]
    assert lists == [], "nothing cluster-wide is read on the way of a submit"


def test_several_of_a_name_elsewhere_are_listed_and_none_is_taken(kuberay):
    kuberay.keep("rayclusters", cluster("small", "a"), cluster("small", "b"))
    with pytest.raises(UsageError) as refused:
        choose("small")
    assert refused.value.evidence == ("team/prod:1:a/small", "team/prod:1:b/small")


def test_a_namespace_that_is_given_is_the_only_one(kuberay, heads):
    kuberay.keep("rayclusters", cluster("small", "a"))
    heads.append("three")
    for words in ({"on": "small", "namespace": "b"}, {"on": "b/small"}):
        with pytest.raises(MissingError) as absent:
            choose(**words)
        assert absent.value.what == "--on b/small: there is no cluster of that name"
        assert absent.value.evidence == ()
        assert absent.value.next == "raykit up -f SPEC --name small; or --on local"


def test_an_unknown_name_lists_what_there_is(kuberay, heads):
    heads.append("three")
    kuberay.keep("rayclusters", cluster("small", "a", ours=False))
    with pytest.raises(MissingError) as absent:
        choose("smal")
    assert absent.value.evidence == (
        "there is team/prod:1:a/small",
        "there is local head three",
    )
    assert absent.value.what == "--on smal: there is no cluster and no local head of that name"
    assert absent.value.next.endswith("or --on local, or --on http://smal:8265")


def test_an_unknown_name_connects_once(kuberay):
    with pytest.raises(MissingError):
        choose(on="nothing")
    assert [path for _, path, _ in kuberay.asked].count("/version") == 1


def test_a_name_is_looked_for_without_a_context_among_the_local_heads(no_context, heads):
    heads.append("three")
    assert choose("three").reason == "running on the local head three (--on)"
    with pytest.raises(MissingError) as absent:
        choose("small")
    assert absent.value.evidence == ("there is local head three",)


def test_without_a_name_the_labelled_cluster_of_the_namespace_is_the_one(kuberay):
    kuberay.keep("rayclusters", cluster("small"), cluster("other", ours=False))
    chosen = choose()
    assert place(chosen) == "raykit/small"
    assert "the one raykit cluster of namespace raykit" in chosen.reason


def test_without_a_name_a_cluster_of_another_namespace_is_listed_and_never_taken(kuberay):
    kuberay.keep("rayclusters", cluster("small", "colleague"))
    with pytest.raises(UsageError) as refused:
        choose()
    assert refused.value.evidence == ("team/prod:1:colleague/small",)
    assert "--on local" in refused.value.next


def test_without_a_name_several_clusters_of_the_namespace_are_listed(kuberay):
    kuberay.keep("rayclusters", cluster("one"), cluster("two"))
    with pytest.raises(UsageError, match="2 clusters could be the one"):
        choose()


def test_the_cluster_of_a_rayjob_is_not_the_one_though_kuberay_copies_the_label(kuberay):
    of_job = cluster("small-x7f")
    of_job["metadata"]["labels"] = {"raykit.io/cluster": "small"}
    kuberay.keep("rayclusters", cluster("small"), of_job)
    assert place(choose()) == "raykit/small"


def test_unlabelled_clusters_do_not_keep_a_job_from_a_local_head(kuberay):
    kuberay.keep("rayclusters", cluster("other", ours=False))
    assert isinstance(choose(), OwnHead)


@pytest.mark.parametrize(
    ("words", "namespace"),
    [({"context": "team/prod:1"}, "raykit"), ({"namespace": "empty"}, "empty")],
)
def test_a_place_that_is_named_and_empty_is_an_error_and_never_local(
    kuberay, heads, words, namespace
):
    heads.append("local")
    kuberay.keep("rayclusters", cluster("small", "a"), cluster("other", "a", ours=False))
    with pytest.raises(MissingError) as absent:
        choose(**words)
    assert absent.value.what == f"no raykit cluster in namespace {namespace} of context team/prod:1"
    assert absent.value.evidence == ("there is team/prod:1:a/small",)


def test_a_namespace_without_a_context_is_an_error_and_never_local(no_context, heads):
    heads.append("local")
    with pytest.raises(MissingError) as absent:
        choose(namespace="ray")
    assert absent.value.what == "no raykit cluster in namespace ray: no Kubernetes context"


def test_a_namespace_that_cannot_be_one_is_refused(no_context):
    with pytest.raises(UsageError, match="Not_One"):
        choose(namespace="Not_One")


def test_without_a_name_and_a_cluster_the_one_warm_head_is_used(no_context, heads):
    heads.append("three")
    chosen = choose()
    assert isinstance(chosen, WarmLocal)
    assert chosen.reason == "running on the warm local head three (it is up)"


def test_without_a_name_several_warm_heads_are_listed_and_none_is_taken(no_context, heads):
    heads += ["three", "two"]
    with pytest.raises(UsageError, match="several local heads run: three, two"):
        choose()


def test_local_is_the_warm_head_of_that_name_or_a_head_of_its_own(kuberay, heads):
    kuberay.keep("rayclusters", cluster("local"))
    heads.append("three")
    chosen = choose("local")
    assert isinstance(chosen, OwnHead)
    assert chosen.reason == "running on a local Ray head of its own (--on local)"
    heads.append("local")
    chosen = choose(RAYKIT_ON="local")
    assert isinstance(chosen, WarmLocal)
    assert chosen.reason == "running on the warm local head (RAYKIT_ON local)"


@pytest.mark.parametrize("url", ["http://h:1", "https://h:1", "https://h:1//"])
def test_an_address_is_used_as_it_is_and_ends_in_one_slash(no_context, url):
    chosen = choose(url, RAY_AUTH_TOKEN="letter")
    assert isinstance(chosen, Address)
    assert chosen.url == url.rstrip("/") + "/"
    assert chosen.reason == f"running on {chosen.url} (--on)"
    assert chosen.environ["RAY_AUTH_TOKEN"] == "letter"


def test_in_an_empty_context_the_reason_says_so(kuberay):
    assert choose().reason == (
        "running on a local Ray head of its own (no raykit cluster in the context)"
    )


def test_without_a_context_the_reason_says_so(no_context):
    assert choose().reason == "running on a local Ray head of its own (no cluster in a context)"


def test_a_context_that_cannot_be_reached_is_an_error_and_never_local(kubeconfig):
    kubeconfig("http://127.0.0.1:1", context="dead")
    for word in (None, "small", "ray/small"):
        with pytest.raises(KubernetesError):
            choose(word)


def test_a_local_head_is_used_by_its_name_also_beside_a_dead_context(kubeconfig, heads):
    kubeconfig("http://127.0.0.1:1", context="dead")
    heads.append("three")
    chosen = choose("three")
    assert isinstance(chosen, WarmLocal)
    assert "nothing listens" in chosen.reason


def test_a_name_of_a_head_and_of_a_cluster_is_refused(kuberay, heads):
    heads.append("small")
    kuberay.keep("rayclusters", cluster("small"))
    with pytest.raises(UsageError) as refused:
        choose("small")
    assert refused.value.evidence == ("local head small", "team/prod:1:raykit/small")
    assert place(choose("raykit/small")) == "raykit/small"


@pytest.mark.parametrize("word", ["local", "http://127.0.0.1:8265"])
@pytest.mark.parametrize("given", [{"context": "prod"}, {"namespace": "ray"}])
def test_options_that_would_do_nothing_are_refused(no_context, word, given):
    with pytest.raises(UsageError, match=f"--{next(iter(given))} would do nothing"):
        choose(word, **given)


def test_the_environment_names_a_place_where_on_does_not(kuberay):
    kuberay.keep("rayclusters", cluster("small", "dev"))
    chosen = choose(RAYKIT_ON="dev/small")
    assert chosen.reason == "running on team/prod:1:dev/small (RAYKIT_ON)"
    assert isinstance(choose("http://h:1", RAYKIT_ON="dev/small"), Address)


def test_a_context_without_kuberay_is_no_place_unless_it_is_named(api, kubeconfig):
    kubeconfig(api.url, context="plain")
    assert isinstance(choose(), OwnHead)
    with pytest.raises(MissingError, match="KubeRay is not installed"):
        choose(context="plain")


def of_record(make_record, *place, **target):
    record = make_record(target=target)
    return choosing.of_record(record, Where(os.environ, None, *place))


def test_a_record_leads_to_its_own_cluster_also_one_called_local(kuberay, make_record):
    kuberay.keep("rayclusters", cluster("local", "dev", ours=False), cluster("local"))
    target = {"kind": "kubernetes", "context": "team/prod:1", "namespace": "dev"}
    assert place(of_record(make_record, cluster="local", **target)) == "dev/local"
    chosen = of_record(make_record, "team/prod:1", "raykit", cluster="local", **target)
    assert chosen.reason == "running on team/prod:1:raykit/local (the run's record)"


def test_a_record_leads_to_its_address(no_context, make_record):
    chosen = of_record(make_record, kind="url", url="http://h:1/")
    assert isinstance(chosen, Address)
    assert chosen.reason == "running on http://h:1/ (--on)"


def test_a_record_leads_to_its_warm_head_or_says_that_it_has_ended(heads, no_context, make_record):
    with pytest.raises(JobsApiError, match=r"the local head three of the run 2026.* has ended"):
        of_record(make_record, kind="local", cluster="three")
    heads.append("three")
    assert isinstance(of_record(make_record, kind="local", cluster="three"), WarmLocal)


def test_a_head_of_its_own_has_ended_only_once_nobody_holds_its_folder(no_context, make_record):
    with folders.created() as (folder, _):
        record = {"kind": "local", "folder": str(folder)}
        with pytest.raises(JobsApiError, match="goes on in another terminal") as refused:
            of_record(make_record, **record)
        assert "raykit logs 20261123-234249-fib-dce3 shows its log so far" in refused.value.next
        assert "raykit up --on local" in refused.value.next
    folders.remove(folder)
    with pytest.raises(JobsApiError, match="had a local head of its own, which has ended"):
        of_record(make_record, **record)


@pytest.mark.parametrize(
    ("exit_code", "evidence"), [(None, "its raykit was killed"), (0, "the job ended before: ")]
)
def test_only_a_run_without_an_end_was_killed(no_context, make_record, exit_code, evidence):
    record = make_record(target={"kind": "local", "folder": "/nowhere"}, exit_code=exit_code)
    with pytest.raises(JobsApiError) as refused:
        choosing.of_record(record, Where({}))
    assert refused.value.evidence[0].startswith(evidence)


def test_an_empty_word_is_refused_and_an_empty_setting_is_none(no_context):
    with pytest.raises(UsageError, match="--on is empty"):
        choosing.choose(Where({"RAYKIT_ON": "prod"}, on=""))
    assert isinstance(choosing.choose(Where({"RAYKIT_ON": ""})), OwnHead)
