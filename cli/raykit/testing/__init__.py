"""A fake Ray head for the tests of your own jobs and programs: no Ray, no cluster, no waiting.

`pytest_plugins = ["raykit.testing.plugin"]` in a test module or in the top conftest.py gives the
fixture `fake_head`, a `FakeHead`. See docs/your-own-job.md. Works without pytest, too:

    with FakeHead(token="a secret", runs_jobs=True) as head:
        run = submit("my_job.py", on=head.url, headers={"Authorization": "Bearer a secret"})
"""

from raykit.testing.head import FakeHead
from raykit.testing.jobs import FakeJob

__all__ = ["FakeHead", "FakeJob"]
