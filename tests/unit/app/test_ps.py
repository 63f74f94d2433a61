"""The table of `raykit ps`."""

from raykit import submit

pytest_plugins = ["raykit.testing.plugin"]


def test_a_long_path_does_not_hide_the_job(fake_head, raykit):
    fake_head.next_job(log=b"", exit_code=0)
    submit(["python", "/home/you/src/a-clone-of-raykit/jobs", "fib", "--size", "5000"])
    _, out, _ = raykit("ps")
    (row,) = out.splitlines()[1:]
    assert row.endswith("python …/jobs fib --size 5000")
    assert len(row) <= 100


def test_a_short_command_is_shown_as_it_is(fake_head, raykit):
    fake_head.next_job(log=b"", exit_code=0)
    submit(["python", "src/my_job.py", "--fast"])
    assert raykit("ps")[1].splitlines()[1].endswith("python src/my_job.py --fast")
