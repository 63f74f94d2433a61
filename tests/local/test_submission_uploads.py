"""What is uploaded, on a real Ray: the user's folders, ours, and what would break its workers."""

import shutil
import textwrap

import pytest

from raykit import kit

pytestmark = pytest.mark.local


@pytest.fixture
def write(cli):
    """`write(path, text)`: a file in the current folder."""

    def to(path, text=""):
        place = cli.cwd / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(textwrap.dedent(text))

    return to


USES_OWN_JOBS = """
    import ray
    from jobs.helpers import who

    @ray.remote
    def task():
        import jobs, jobs.helpers
        return jobs.helpers.who(), sorted(jobs.__path__)

    ray.init()
    answer, path = ray.get(task.remote())
    print("driver", who(), "task", answer, "folders", len(path))
"""


@pytest.mark.parametrize("on", ["local", "url"])
def test_a_users_own_jobs_folder_never_meets_ours(cli, head, write, on):
    if on == "url":
        cli.env |= {"RAYKIT_ON": head.url, "RAY_AUTH_TOKEN": head.token}
    write("jobs/helpers.py", "def who(): return 'mine'")
    write("main.py", USES_OWN_JOBS)
    words = ["--on", "local"] if on == "local" else []
    done = cli("submit", "main.py", *words)
    assert done.code == 0, done.out + done.err
    assert "driver mine task mine folders 1" in done.out


@pytest.mark.parametrize("shadow", ["__init__.py", "helpers.py"])
def test_a_job_of_ours_with_a_folder_of_the_users_runs_ours(on_head, write, shadow):
    write(f"jobs/{shadow}", "raise SystemExit('shadowed')")
    write("jobs/fib.py", "raise SystemExit('shadowed')")
    done = on_head("submit", "fib", "--working-dir", ".", "--", "--size", "2000", "--repeat", "1")
    assert done.code == 0, done.out + done.err
    assert "Local and remote results agree" in done.out


def test_the_same_id_attaches_though_its_run_lies_in_the_folder_that_is_sent(on_head, write):
    write("main.py", "print('once')")
    on_head.env["RAYKIT_RUNS"] = str(on_head.cwd / "kept" / "here")
    first = on_head("submit", "main.py", "--id", "one-upload")
    second = on_head("submit", "main.py", "--id", "one-upload")
    assert (first.code, second.code) == (0, 0), second.err
    assert "one-upload was submitted before: attaching" in second.err
    assert "once" in second.out


def test_a_script_that_gitignore_leaves_out_runs(on_head, write):
    write(".gitignore", "*_local.py\n")
    write("a_local.py", "print('ran')")
    done = on_head("submit", "a_local.py")
    assert (done.code, "ran" in done.out) == (0, True), done.err


def test_a_working_directory_of_the_runtime_environment_is_honoured(on_head, write):
    write("sub/main.py", "import beside; print(beside.__name__)")
    write("sub/beside.py")
    write("env.yaml", "working_dir: sub\nenv_vars: {PATH: '/mine:${PATH}'}\n")
    write("pip.py")
    done = on_head("submit", "--runtime-env", "env.yaml", "sub/main.py")
    assert (done.code, "beside" in done.out) == (0, True), done.err


def test_the_weather_job_takes_data_that_goes_with_it(on_head):
    """As on a cluster, where the user's folders are not: a relative --data in the upload."""
    sample = kit.root() / "jobs" / "data" / "gsod"
    (on_head.cwd / "weather").mkdir()
    for year in ("2020", "2024"):
        shutil.copy(sample / f"{year}.tar.gz", on_head.cwd / "weather")
    years = ("--years", "2020", "2024", "--high-temp", "80")
    words = ("submit", "gsod", "--working-dir", ".", "--", "--data", "weather", *years)
    done = on_head(*words)
    assert done.code == 0, done.out + done.err
    assert done.record["results"][0]["data"]["years"][0]["hits"] == 108


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["python", "pi.py"], "raykit submit ./pi.py"),
        (["python", "-c", "import nowhere_to_be_had"], "--pip nowhere_to_be_had"),
    ],
)
def test_a_command_that_lacks_something_says_what_brings_it(on_head, words, hint):
    done = on_head("submit", "--entrypoint", "--", *words)
    assert done.code == 20
    assert hint in done.err.splitlines()[-1]


LOADED = """
    import json, sys

    import ray

    def loaded():
        import ray.dashboard.modules.job.job_supervisor
        modules = [(name, sys.modules.get(name)) for name in {n.split(".")[0] for n in sys.modules}]
        specs = [(name, getattr(module, "__spec__", None)) for name, module in modules]
        return [n for n, spec in specs if spec and spec.origin not in (None, "built-in", "frozen")]

    ray.init()
    print("LOADED", json.dumps(sorted(ray.get(ray.remote(loaded).remote()))))
"""


def test_every_module_that_a_worker_loads_is_known_to_be_hideable(on_head, write):
    """The list is for the Ray that this kit is tested with: another Ray may load others."""
    import json
    import sys

    from raykit.submission.uploads import LOADED_BY_WORKERS

    write("main.py", LOADED)
    done = on_head("submit", "main.py")
    (line,) = [line for line in done.out.splitlines() if line.startswith("LOADED")]
    loaded = set(json.loads(line.removeprefix("LOADED")))
    private = {name for name in loaded if name.startswith("_")}
    unknown = loaded - LOADED_BY_WORKERS - private - {"main", "colorful_orig", "__main__"}
    assert unknown == set()
    assert len(loaded & set(sys.stdlib_module_names)) > 80
