"""What several unit tests share: a run record, and a small Jobs API on loopback."""

import pytest

from raykit.measure.records import RunRecord


@pytest.fixture
def make_record():
    """A record of one run; keyword arguments replace its fields."""

    def make(**fields):
        plain = {
            "id": "20261123-234249-fib-dce3",
            "submission_id": "20261123-234249-fib-dce3",
            "job": {"name": "fib", "arguments": ["--size", "9"], "entrypoint": ["python"]},
            "target": {"chosen": "running here", "kind": "local"},
            "versions": {"raykit": "0.1.0", "ray": "2.60.0"},
            "machine": {"cpu_model": "a CPU", "cpu_count": 2},
            "started": 1795477369.0,
        }
        return RunRecord(**(plain | fields))

    return make
