"""`raykit bench` as one types it: how options become arms."""

import pytest

SPEC = """
name: shape
head: {memory: 2Gi}
workers: [{name: small, replicas: 1, taskCpus: 1, memory: 2Gi}]
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--on", "a"], "a comparison needs two arms"),
        (["--on", "a", "--on", "a"], "an arm is named twice"),
        (["--on", "a", "--on", "b", "--workers", "1,2"], "--workers needs a spec"),
        (["-f", "SPEC", "--workers", "1,x"], "whole numbers of workers"),
        (["-f", "SPEC", "--workers", "1,1"], "whole numbers of workers"),
        (["-f", "SPEC", "--workers", "0,1"], "whole numbers of workers"),
        (["--on", "a", "--on", "b", "--p", "a"], "an arm and its task CPUs"),
        (["--on", "a", "--on", "b", "--p", "a=nan"], "an arm and its task CPUs"),
    ],
)
def test_options_that_make_no_experiment_are_refused(raykit, tmp_path, words, said):
    spec = tmp_path / "shape.yaml"
    spec.write_text(SPEC)
    words = [spec if word == "SPEC" else word for word in words]
    code, _, err = raykit("bench", "fib", *words)
    assert (code, said in err) == (2, True), err


def test_a_number_of_workers_is_an_arm_of_its_own(raykit, tmp_path):
    spec = tmp_path / "shape.yaml"
    spec.write_text(SPEC)
    words = ["-f", spec, "--workers", "1,2", "--dry-run", "--seed", "4", "--id", "x"]
    code, out, err = raykit("bench", "fib", *words, "--", "--size", "9")
    assert code == 0, err
    assert out == (
        "experiment x: fib --size 9\n"
        "6 rounds of 2 arms, 1 warm-ups each; seed 4; strong scaling\n"
        "\n"
        "ARM      ON       P  TASKS  DONE\n"
        "shape-1  shape-1  1      2     0\n"
        "shape-2  shape-2  2      2     0\n"
        "14 runs to make\n"
    )
