"""No test asks the real hub: its address is a closed port of this machine, its cache an empty folder."""

import pytest


@pytest.fixture(autouse=True)
def hub_cache(tmp_path_factory, monkeypatch):
    constants = pytest.importorskip("huggingface_hub").constants
    cache = tmp_path_factory.mktemp("hub")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    return cache
