"""A hub that does not answer is said within seconds; what is in the cache is never asked for."""

import socket
import subprocess
import sys
import time

import pytest
from huggingface_hub import constants

from mmlib.core.errors import InputError
from mmlib.encoders import hub, load

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def put(cache, repository, name, text="weights", commit=COMMIT):
    """A file in the hub's cache, as the hub's own client lays it out."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    file = folder / "snapshots" / commit / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    return file


def test_the_cache_comes_first_and_says_its_revision(hub_cache):
    file = put(hub_cache, "somebody/model", "second.bin")
    found = hub.hub_file("an encoder", "somebody/model", ["first.safetensors", "second.bin"])
    assert found == file
    assert hub.revision_of(found) == COMMIT
    assert hub.revision_of(file.parents[3] / "elsewhere.bin") == ""


def test_what_is_missing_is_named_with_where_it_was_looked_for(hub_cache):
    with pytest.raises(InputError) as error:
        hub.hub_file("ViT-X/tag", "somebody/model", ["one.safetensors", "two.bin"])
    for said in ("ViT-X/tag", "one.safetensors or two.bin of somebody/model", str(hub_cache), "HF_HOME", "local-dir:"):
        assert said in str(error.value)


def test_a_hub_that_takes_the_call_and_is_silent_is_left_in_seconds(monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        start = time.monotonic()
        with pytest.raises(InputError, match="does not answer"):
            load("ViT-B-32/openai")
        assert hub.PATIENCE <= time.monotonic() - start < 10


def test_offline_is_taken_at_its_word(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE is set"):
        load("timm:resnet18")


@pytest.mark.parametrize("encoder", ["ViT-B-32/openai", "hf-hub:somebody/model", "timm:resnet18", "st:somebody/model"])
def test_a_fresh_process_is_through_in_ten_seconds(encoder, tmp_path):
    """Over and above what it takes to import the packages."""
    code = (
        "import sys, time, open_clip, timm, sentence_transformers\n"
        "from mmlib.encoders import load\nstart = time.monotonic()\n"
        "try: load(sys.argv[1])\nexcept ValueError as error: print(error)\n"
        "print(time.monotonic() - start)"
    )
    pytest.importorskip("sentence_transformers")
    env = {
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_HOME": str(tmp_path),
        "PATH": "/usr/bin",
        "PYTHONPATH": ":".join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", code, encoder], capture_output=True, text=True, env=env, check=True)
    *message, seconds = done.stdout.strip().splitlines()
    assert "does not answer" in " ".join(message)
    assert float(seconds) < 10
