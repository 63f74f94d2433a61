"""From what a user names to a driver's words, its run id and token; and child processes."""

import re
import shlex
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raykit import kit, processes
from raykit.errors import JobsApiError, MissingError, UsageError
from raykit.flows.steps.arrival import new_id
from raykit.flows.targets.address import find_token
from raykit.progress import Progress
from raykit.submission import entrypoints


def test_a_job_of_the_kit_is_its_module_whatever_lies_in_the_drivers_folder():
    found = entrypoints.find("fib", ["--size", "9"])
    assert found.words == ("python", "-P", "-m", "jobs", "fib", "--size", "9")
    assert (found.name, found.arguments, found.needs_our_jobs) == ("fib", ("--size", "9"), True)


def test_a_job_runs_from_the_kit_of_the_head_unless_it_has_a_working_directory(tmp_path):
    found = entrypoints.find("fib", ["--size", "9"]).from_kit("/opt/raykit")
    assert found.words == ("python", "/opt/raykit/jobs", "fib", "--size", "9")
    assert not found.needs_our_jobs
    assert entrypoints.find("fib", [], tmp_path).from_kit("/opt/raykit").needs_our_jobs
    script = entrypoints.of_words(["true"])
    assert script.from_kit("/opt/raykit") == script


def test_the_image_has_the_kit_where_jobs_are_started_from():
    dockerfile = (kit.root() / "Dockerfile").read_text("utf-8")
    assert f"COPY --chown=1000:100 jobs {kit.IN_IMAGE}/jobs\n" in dockerfile
    assert "PYTHONPATH" not in dockerfile


def test_an_index_with_a_password_stays_out_of_the_images_history():
    dockerfile = (kit.root() / "Dockerfile").read_text("utf-8")
    first, last = re.split(r"^FROM .*\n", dockerfile, flags=re.M)[1:]
    assert "PIP_INDEX_URL" in first
    assert "PIP_INDEX_URL" not in last


@pytest.mark.parametrize("word", ["a\udcff", "\0"])
def test_a_command_that_could_not_be_sent_is_refused(word):
    with pytest.raises(UsageError, match="not UTF-8"):
        entrypoints.of_words(["echo", word])


def test_a_name_that_is_too_long_for_a_file_is_no_file():
    with pytest.raises(UsageError, match="there is no file"):
        entrypoints.find("x" * 5000 + ".py", [])


def test_a_folder_and_a_spec_are_no_script(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        entrypoints.of_file(tmp_path, ())
    (tmp_path / "my.yaml").write_text("name: c\n")
    with pytest.raises(UsageError, match="is YAML, no script") as refused:
        entrypoints.of_file(tmp_path / "my.yaml", ())
    assert f"raykit up -f {tmp_path}/my.yaml" in refused.value.next


def test_the_script_among_the_words_of_a_command_is_known(tmp_path):
    (tmp_path / "pi.py").touch()
    (tmp_path / "in").mkdir()
    words = ["python", "pi.py", "--fast"]
    assert entrypoints.of_words(words, tmp_path).script == "pi.py"
    assert entrypoints.of_words(words, None).script is None
    assert entrypoints.of_words(["python", "../pi.py"], tmp_path / "in").script is None
    assert entrypoints.of_words(["python", str(tmp_path / "pi.py")], tmp_path).script is None


def test_the_kit_lists_what_can_be_run_and_nothing_else():
    assert kit.jobs() == ["fib", "gsod", "objects", "sklearn"]
    assert (kit.root() / "jobs" / "timing.py").is_file()


def test_a_script_that_is_a_link_to_nothing_is_not_called_nearest_to_itself(tmp_path):
    (tmp_path / "job.py").symlink_to("gone.py")
    (tmp_path / "job2.py").touch()
    with pytest.raises(UsageError, match="there is no file") as refused:
        entrypoints.of_file(tmp_path / "job.py", ())
    assert refused.value.evidence == ("job.py is a link to nothing", "nearest: job2.py")


def test_an_unknown_job_names_the_nearest_and_all():
    with pytest.raises(UsageError) as caught:
        entrypoints.find("gosd", [])
    assert caught.value.evidence == ("nearest: gsod",)
    assert "fib, gsod" in caught.value.next


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_words_stay_words_through_the_shell_line(arguments):
    found = entrypoints.of_our_job("fib", arguments)
    assert shlex.split(found.command) == list(found.words)


@given(st.text())
def test_a_run_id_is_readable_ascii_and_begins_with_the_time(name):
    assert re.fullmatch(r"\d{8}-\d{6}-[A-Za-z0-9-]{1,40}-[0-9a-z]{4}", new_id(name))


def test_run_ids_keep_the_jobs_name():
    assert re.search(r"-my-job-py-[0-9a-z]{4}$", new_id("my_job.py"))
    assert new_id("größe").split("-")[2:5] == ["gr", "", "e"]
    assert new_id("日本").split("-")[2] == "job"


def test_a_token_is_looked_for_where_ray_looks_for_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_token({}) is None
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("home\n")
    assert find_token({}) == "home"
    (tmp_path / "file").write_text("file\n")
    by_path = {"RAY_AUTH_TOKEN_PATH": str(tmp_path / "file")}
    assert find_token(by_path) == "file"
    assert find_token(by_path | {"RAY_AUTH_TOKEN": "environment"}) == "environment"
    assert find_token({"RAY_AUTH_TOKEN_PATH": str(tmp_path / "missing")}) is None


def test_a_program_that_fails_is_shown_as_one_could_paste_it():
    words = [sys.executable, "-c", "import sys; print('no'); sys.exit('why not')"]
    with pytest.raises(JobsApiError) as caught:
        processes.run(words, error=JobsApiError, next="try this")
    assert caught.value.what.endswith("failed with exit status 1")
    assert caught.value.evidence == (f"$ {shlex.join(words)}", "why not")
    assert caught.value.next == "try this"


def test_a_program_that_is_absent_or_late_is_told_apart():
    with pytest.raises(MissingError, match="no-such-tool is not on PATH"):
        processes.run(["no-such-tool"], next="install it")
    with pytest.raises(MissingError, match="no-such-tool is not on PATH"):
        processes.find("no-such-tool", install_hint="install it")
    with pytest.raises(JobsApiError, match="did not end within"):
        processes.run(
            [sys.executable, "-c", "import time; time.sleep(9)"], timeout=0.2, error=JobsApiError
        )


def test_a_program_gets_input_and_gives_output():
    done = processes.run([sys.executable, "-c", "print(input()[::-1])"], stdin="abc\n")
    assert (done.returncode, done.stdout) == (0, "cba\n")


def test_a_step_is_timed_only_where_it_ends_well():
    progress = Progress()
    with progress.step("good", "a step"):
        pass
    with pytest.raises(KeyError), progress.step("bad", "another"):
        raise KeyError
    (phase,) = progress.phases
    assert (phase.name, phase.source, phase.clock) == ("good", "raykit", "monotonic")
    assert phase.seconds >= 0
