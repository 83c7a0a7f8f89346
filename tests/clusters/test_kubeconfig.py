"""What is taken from a kubeconfig, and what is refused with which words."""

import base64

import pytest

from portal.clusters import kubeconfig
from portal.clusters.network import resolve
from portal.kit.errors import Refusal

BASE = {
    "current-context": "a",
    "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u"}}],
    "clusters": [{"name": "c", "cluster": {"server": "https://cluster.example:6443/path/"}}],
    "users": [{"name": "u", "user": {"token": "abc"}}],
}


def text(cluster=None, user=None, **more):
    import yaml

    document = {**BASE, **more}
    if cluster is not None:
        document["clusters"] = [{"name": "c", "cluster": {**BASE["clusters"][0]["cluster"], **cluster}}]
    if user is not None:
        document["users"] = [{"name": "u", "user": user}]
    return yaml.safe_dump(document)


def test_address_and_token_are_taken():
    target = kubeconfig.parse(text())
    assert (target.server, target.token) == ("https://cluster.example:6443/path", "abc")
    assert target.credential_kind == "token"
    assert "abc" not in repr(target)


def test_another_context_can_be_chosen():
    more = {
        "contexts": [*BASE["contexts"], {"name": "b", "context": {"cluster": "c", "user": "v"}}],
        "users": [*BASE["users"], {"name": "v", "user": {"token": "other"}}],
    }
    assert kubeconfig.parse(text(**more), "b").token == "other"


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (text(user={"exec": {"command": "/bin/sh"}}), "runs a program"),
        (text(user={"auth-provider": {"name": "gcp"}}), "auth-provider"),
        (text(user={"tokenFile": "/etc/shadow"}), "names a file"),
        (text(user={"client-certificate": "/a", "client-key": "/b"}), "names a file"),
        (text(cluster={"certificate-authority": "/etc/passwd"}), "names a file"),
        (text(cluster={"proxy-url": "http://evil"}), "proxy-url"),
        (text(cluster={"insecure-skip-tls-verify": True}), "pose as this cluster"),
        (text(user={"username": "x", "password": "y"}), "no longer takes passwords"),
        (text(user={"token": "x", "as": "system:masters"}), "Impersonation"),
        (text(user={}), "neither a token nor a client certificate"),
        (text(user={"token": "a\r\nX-Injected: 1"}), "characters that no token has"),
        (text(cluster={"server": "file:///etc/passwd"}), "should begin with https://"),
        (text(cluster={"server": "https://user:pass@x"}), "only a host"),
        (text(cluster={"server": "https://x:99999"}), "not a URL"),
        (text(cluster={"certificate-authority-data": "?"}), "is not base64"),
        (text(cluster={"certificate-authority-data": base64.b64encode(b"x").decode()}), "not a PEM certificate"),
        (text(**{"current-context": "zzz"}), "no context “zzz”"),
        (text(contexts=[]), "no context “a”"),
        (text(clusters=[]), "no cluster named “c”"),
        (text(users="x"), "should be a list"),
        ("[1, 2]", "not a kubeconfig"),
        ("a: &x [1]\nb: *x", "aliases"),
        ("a: [", "not YAML at line"),
        ("\x00", "not YAML"),
        ("[" * 5000, "nested too deeply"),
        ("[" * 120_000 + "]" * 120_000, "nested too deeply"),
        ("when: !!timestamp never", "YAML tags"),
        ("a: !!python/object/apply:os.system [id]", "YAML tags"),
        ("d: 2024-99-99", "not YAML"),
    ],
)
def test_refused_with_a_sentence(broken, words):
    with pytest.raises(Refusal) as caught:
        kubeconfig.parse(broken)
    assert words in caught.value.text
    assert caught.value.field == "kubeconfig"


def test_plain_http_is_for_loopback_alone(settings):
    settings.ALLOWED_NETWORKS = ["127.0.0.0/8", "10.0.0.0/8"]
    assert resolve("http://127.0.0.1:8001").url == "http://127.0.0.1:8001"
    with pytest.raises(Refusal, match="https"):
        resolve("http://10.0.0.1")
