"""A web server outside of the Kubernetes cluster, which its pods reach."""

import json
import shutil
import subprocess
from contextlib import contextmanager

import pytest

from tests.gsod_origin import Origin, certify


def gateway(lab):
    """This machine's own IPv4 address on kind's network."""
    words = ["docker", "network", "inspect", "kind"]
    shown = subprocess.run(words, env=lab.env, capture_output=True, text=True, check=True).stdout
    found = [each.get("Gateway", "") for each in json.loads(shown)[0]["IPAM"]["Config"]]
    (address,) = [address for address in found if "." in address]
    return address


@contextmanager
def archives(lab, folder, *years):
    """A server over TLS at the gateway of kind's network with these years of the sample; its
    authority is `ca.pem` in the folder."""
    if not shutil.which("openssl"):
        pytest.skip("needs openssl")
    address = gateway(lab)
    origin = Origin(certify(folder, f"IP:{address}"), address).sample(*years)
    try:
        yield origin
    finally:
        origin.close()


def trust(lab, folder, namespace):
    """The ConfigMap `authority`, with which pods of a namespace trust this server."""
    words = ["configmap", "authority", f"--from-file=ca.pem={folder / 'ca.pem'}"]
    lab.kubectl("create", *words, "-n", namespace)
