"""What can stand in the place of the last word."""

import json
import subprocess
import sys

import pytest

from raykit.app.completion import tree
from raykit.app.completion.candidates import OF_ARGUMENTS, OF_OPTIONS, candidates
from raykit.flows import names

ROOT = tree.load()


@pytest.fixture(autouse=True)
def nothing_here(tmp_path, monkeypatch):
    """No context, no local head, no run; returns the folder of runs."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("RAYKIT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def offered(*words):
    return [one.text for one in candidates(ROOT, words)]


@pytest.fixture
def clusters(api, kubeconfig, monkeypatch):
    """Three RayClusters in two namespaces of a context `arn:aws:eks:x/y`."""
    monkeypatch.setattr(names, "ANSWER_SECONDS", 60)  # a busy machine is no reason to fail
    kubeconfig(api.url, context="arn:aws:eks:x/y")
    for namespace, name in (("raykit", "one"), ("raykit", "two"), ("team", "theirs")):
        api.keep("namespaces", {"metadata": {"name": namespace}})
        api.keep("rayclusters", {"metadata": {"name": name, "namespace": namespace}, "spec": {}})
    return api


def test_commands_and_the_commands_of_a_group_are_offered():
    assert {"submit", "bench", "runs"} <= set(offered(""))
    assert offered("sub") == ["submit"]
    assert offered("runs", "ex") == ["export"]
    assert offered("nonsense", "") == offered("")


def test_options_are_offered_in_their_long_form_with_what_they_do():
    assert offered("submit", "--entrypoint-num") == [
        *("--entrypoint-num-cpus", "--entrypoint-num-gpus"),
    ]
    (timeout,) = candidates(ROOT, ["submit", "--timeo"])
    assert timeout.about == "Seconds to follow; then exit 22"
    assert offered("submit", "fib", "--no-f") == ["--no-follow"]


def test_the_value_of_an_option_is_offered_behind_it_and_behind_an_equals_sign():
    assert offered("bench", "fib", "--scaling", "") == ["strong", "weak", "as-given"]
    assert offered("bench", "fib", "--scaling=w") == ["--scaling=weak"]
    assert offered("up", "--on", "") == ["local"]


def test_shapes_are_offered_to_start_from_and_a_job():
    assert offered("init", "s") == ["scaled", "single-node"]
    assert offered("init", "j") == ["job"]


def test_jobs_are_offered_and_behind_the_dashes_the_options_of_that_job():
    assert offered("submit", "f") == ["fib"]
    assert "--size" in offered("submit", "fib", "--", "--s")
    assert "--high-temp" in offered("bench", "--on", "local", "gsod", "--", "")
    assert "--on" not in offered("submit", "fib", "--", "--")
    assert offered("submit", "my_job.py", "--", "") == []
    assert offered("submit", "../fib", "--", "") == []


def test_a_second_job_is_not_offered():
    assert offered("submit", "fib", "") == []


def test_paths_are_left_to_the_shell():
    assert offered("validate", "") == offered("up", "-f", "") == []


def test_runs_are_offered_newest_first_and_experiments_where_they_are_taken(nothing_here):
    for name in ("20260101-000000-fib-aaaa", "20260102-000000-fib-bbbb"):
        (nothing_here / name).mkdir(parents=True)
        (nothing_here / name / "record.json").write_text("{}")
    (nothing_here / "mine").mkdir()
    (nothing_here / "mine" / "experiment.json").write_text("{}")
    runs = ["20260102-000000-fib-bbbb", "20260101-000000-fib-aaaa"]
    assert offered("logs", "") == ["last", *runs]
    assert offered("runs", "show", "20260101") == runs[1:]
    assert offered("compare", runs[0], "") == ["mine", "last", *runs]


def test_a_run_is_offered_with_its_status_and_its_command(nothing_here, make_record):
    record = make_record(status="FAILED")
    (nothing_here / record.id).mkdir(parents=True)
    (nothing_here / record.id / "record.json").write_text(json.dumps(record.as_dict()))
    (found,) = candidates(ROOT, ["logs", record.id[:9]])
    assert found.about == "FAILED fib --size 9"


def test_of_ten_thousand_runs_the_newest_fifty_are_offered(nothing_here):
    for number in range(200):
        (nothing_here / f"run-{number:03}").mkdir(parents=True)
        (nothing_here / f"run-{number:03}" / "record.json").write_text("{}")
    assert offered("logs", "run-") == [f"run-{number:03}" for number in range(199, 149, -1)]


def test_contexts_are_offered_by_their_whole_names(clusters):
    assert offered("status", "--context", "arn:") == ["arn:aws:eks:x/y"]


def test_namespaces_are_those_of_the_context(clusters):
    assert offered("submit", "fib", "-n", "") == ["raykit", "team"]


def test_clusters_are_offered_by_the_shortest_form_of_their_names(clusters):
    assert offered("submit", "fib", "--on", "") == ["local", "one", "two", "team/theirs"]
    assert offered("down", "t") == ["two", "team/theirs"]
    assert offered("ps", "-n", "team", "--on", "") == ["local", "theirs"]


def test_a_context_before_the_cluster_is_asked_and_kept(clusters):
    begun = "arn:aws:eks:x/y:raykit/t"
    assert offered("ps", "--on", begun) == ["arn:aws:eks:x/y:raykit/two"]


def test_other_peoples_refusals_and_broken_files_offer_nothing(clusters, tmp_path):
    clusters.refuse("/apis/ray.io/v1/rayclusters", 403, "no")
    assert offered("ps", "--on", "") == ["local"]
    (tmp_path / "kubeconfig").write_text("contexts: [")
    assert offered("ps", "--on", "") == ["local"]
    assert offered("ps", "--context", "") == offered("ps", "-n", "") == []


def test_in_a_folder_that_was_deleted_nothing_is_offered(tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    monkeypatch.setenv("RAYKIT_RUNS", "")
    gone.rmdir()
    assert offered("logs", "") == []
    assert offered("subm") == ["submit"]


def test_a_context_that_does_not_answer_is_not_waited_for(kubeconfig, monkeypatch):
    import socket

    monkeypatch.setattr(names, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("raykit.kube.api_server.READ_SECONDS", 3600.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        kubeconfig(f"http://127.0.0.1:{silent.getsockname()[1]}")
        assert offered("ps", "--on", "") == ["local"]


def test_every_place_with_names_exists():
    places = set()

    def walk(command, path):
        places.update(option.name for option in command.options)
        places.update((" ".join(path), argument.name) for argument in command.arguments)
        for name, child in command.commands.items():
            walk(child, [*path, name])

    walk(ROOT, [])
    assert set(OF_ARGUMENTS) | set(OF_OPTIONS) <= places


def test_an_answer_loads_neither_typer_nor_pydantic_nor_an_http_client():
    code = "import sys; sys.argv[1:] = ['__complete', 'zsh', 'logs', '']; "
    code += "from raykit.app import door\ntry: door.main()\nexcept SystemExit: pass\n"
    code += "print({'typer', 'pydantic', 'httpx2', 'ray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr
