"""The cost of a run: which CPUs are counted, and for how long."""

import pytest

from raykit.measure import cost


def pod(**resources):
    return {"image": "x", "requests": {}, "limits": {}, **resources}


@pytest.mark.parametrize(
    ("pods", "cpus"),
    [
        ([pod(requests={"cpu": "300m"}), pod(requests={"cpu": 2})], 2.3),
        ([pod(requests={"cpu": "1"}, limits={"cpu": "4"})], 1.0),
        ([pod(limits={"cpu": "4"})], 4.0),
        ([pod(requests={"cpu": "1"}), pod()], None),
        ([pod(requests={"cpu": "much"})], None),
    ],
)
def test_pods_cost_what_they_request(make_record, pods, cpus):
    record = make_record(cluster={"pods": pods}, ended=1795477369.0 + 1800)
    assert cost.requested_cpus(record) == (cpus if cpus is None else pytest.approx(cpus))
    expected = None if cpus is None else pytest.approx(cpus * 0.5 * 0.04)
    assert cost.of_run(record, 0.04) == expected


def test_a_local_head_costs_the_whole_machine(make_record):
    assert cost.requested_cpus(make_record()) == 2.0


def test_a_head_at_an_address_costs_its_task_cpus(make_record):
    record = make_record(target={"kind": "url"}, tasks={"task_cpus": 8.0})
    assert cost.requested_cpus(record) == 8.0
    assert cost.requested_cpus(make_record(target={"kind": "url"})) is None


def test_a_run_without_an_end_has_no_cost(make_record):
    assert cost.of_run(make_record(), 0.04) is None
