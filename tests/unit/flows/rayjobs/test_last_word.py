"""KubeRay's word on a job that ended with its head."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raykit.flows.rayjobs import last_word
from raykit.kuberay.rayjobs.rayjob import RayJob
from raykit.measure import outcome

WORDS = st.sampled_from(["", "PENDING", "RUNNING", "SUCCEEDED", "FAILED", "STOPPED"]) | st.text()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WORDS, st.sampled_from(["", "DeadlineExceeded"]) | st.text(), st.text())
def test_whatever_kuberay_says_the_record_has_an_end_and_only_success_has_code_0(
    make_record, job_status, reason, message
):
    record = make_record()
    status = {"jobStatus": job_status, "reason": reason, "message": message}
    last_word.take(record, RayJob(None, "j", "n", {"metadata": {}, "status": status}))
    assert record.status in {"SUCCEEDED", "FAILED", "STOPPED"}
    error = outcome.judge(record)
    assert (error.exit_code if error else 0) in {"SUCCEEDED": {0}, "FAILED": {20}, "STOPPED": {21}}[
        record.status
    ]
    assert (record.status == "SUCCEEDED") is (job_status == "SUCCEEDED")
