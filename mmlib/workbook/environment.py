"""What a run ran on: versions, machine, commit."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from .. import __version__


def environment(folder: Path | None = None) -> dict[str, Any]:
    """Versions of everything installed, the machine, threads, the GPU, and the git commit of ``folder``.

    PyTorch is asked for threads and GPU, so it is imported here where it is installed.
    """
    facts: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    facts |= {"cpus": os.cpu_count(), "threads": os.cpu_count(), "gpu": None, "commit": None, "changed": None}
    try:
        import torch

        facts["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            facts |= {"gpu": torch.cuda.get_device_name(), "cuda": torch.version.cuda}
    except ImportError:
        pass
    if folder and (git := shutil.which("git")):
        ask = [[git, "-C", str(folder), *words] for words in (["rev-parse", "HEAD"], ["status", "--porcelain", "-uno"])]
        commit, status = (subprocess.run(one, capture_output=True, text=True, check=False) for one in ask)
        facts["commit"] = (commit.returncode == 0 and commit.stdout.strip()) or None
        facts["changed"] = bool(status.stdout.strip()) if status.returncode == 0 else None
    packages = {one.metadata["Name"]: one.version for one in distributions()}
    return facts | {"packages": dict(sorted(packages.items(), key=lambda item: item[0].lower()))}


def one_line(facts: dict[str, Any]) -> str:
    """The facts that a page prints on top."""
    packages = facts["packages"]
    names = [f"mmlib {__version__}", f"Python {facts['python']}"]
    names += [f"PyTorch {packages['torch']}"] if "torch" in packages else []
    return ", ".join([*names, f"{facts['threads']} threads", facts["gpu"] or "CPU"])
