"""A token that was rotated while a job is followed is read again, once."""

import pytest

from raykit.endpoint import Endpoint
from raykit.errors import JobsApiError
from raykit.flows.targets.address import Address
from raykit.progress import Progress
from raykit.redaction import known
from raykit.submission.jobs_api import JobsApi
from raykit.submission.transport import Transport


def test_a_token_file_that_changes_while_following_is_read_again(ray, tmp_path):
    ray.mode = "token"
    path = tmp_path / "token"
    path.write_text("old")
    address = Address(ray.url, "a test", {"RAY_AUTH_TOKEN_PATH": str(path)})
    with address.open(Progress()) as endpoint, Transport(endpoint) as transport:
        ray.token = "neither"
        path.write_text("new\n")
        with pytest.raises(JobsApiError, match="does not accept the token"):
            JobsApi(transport).version()
        asked = [sent["Authorization"] for _, path, sent in ray.requests if path == "/api/version"]
        assert asked == ["Bearer old", "Bearer new"]


def test_a_token_that_was_rotated_is_read_again_once_and_both_are_secrets(ray):
    seen = []

    def renew():
        seen.append("asked")
        headers = {"Authorization": "Bearer new-token"}
        return Endpoint(ray.url, headers=headers, secrets=("new-token",))

    headers = {"Authorization": "Bearer old-token"}
    api = ray.api(headers=headers, secrets=("old-token",), renew=renew)
    ray.token = "new-token"
    assert api.version()["ray_version"] == "2.60.0"
    assert seen == ["asked"]
    assert {"old-token", "new-token"} <= set(known())
    assert ray.requests[-1][2]["Authorization"] == "Bearer new-token"


def test_a_log_is_read_with_the_renewed_token_too(ray):
    renewed = Endpoint(ray.url, headers={"Authorization": "Bearer new-token"})
    headers = {"Authorization": "Bearer old-token"}
    api = ray.api(headers=headers, renew=lambda: renewed)
    job = ray.job(log=b"line\n")
    ray.token = "new-token"
    with api.log_file(job.node, job.id) as chunks:
        assert b"".join(chunks) == b"line\n"
