"""The table of `raykit ps`."""

import dataclasses

import pytest

from raykit.app.commands import jobs
from raykit.submission.jobs_api import JobDetails


@pytest.mark.parametrize(
    ("entrypoint", "shown"),
    [
        ("python /home/you/src/a-clone/jobs fib --size 5000", "python …/jobs fib --size 5000"),
        ("python -P /opt/raykit/share/raykit/jobs gsod", "python -P …/jobs gsod"),
        ("python src/my_job.py --fast", "python src/my_job.py --fast"),
        ("python my_job.py --data=s3://bucket/folder/2020", "python my_job.py --data=…/2020"),
        ("x" * 31, "x" * 29 + "…"),
        ("/" * 31, "/" * 29 + "…"),
    ],
)
def test_a_long_path_does_not_hide_the_job(entrypoint, shown):
    unknown = {field.name: None for field in dataclasses.fields(JobDetails)}
    details = JobDetails(**{**unknown, "status": "PENDING", "entrypoint": entrypoint})
    assert jobs._as_table([details]).splitlines()[1].endswith(f"  {shown}")
