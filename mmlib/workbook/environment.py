"""What a run ran on: versions, machine, commit."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any


def environment(folder: Path | None = None) -> dict[str, Any]:
    """Versions of everything installed, the machine, threads, the GPU, and the git commit of ``folder``.

    PyTorch is asked for threads and GPU, so it is imported here where it is installed.
    """
    facts: dict[str, Any] = {"python": platform.python_version(), "platform": platform.platform()}
    facts |= {"cpus": os.cpu_count(), "threads": os.cpu_count(), "gpu": None}
    try:
        import torch

        facts["threads"] = torch.get_num_threads()
        if torch.cuda.is_available():
            facts["gpu"] = torch.cuda.get_device_name()
            facts["cuda"] = torch.version.cuda
    except ImportError:
        pass
    packages = {one.metadata["Name"]: one.version for one in distributions()}
    return facts | _commit(folder) | {"packages": dict(sorted(packages.items(), key=lambda item: item[0].lower()))}


def mmlib_version() -> str:
    """The installed version of mmlib, or ``"unknown"`` where it is used without being installed."""
    try:
        return version("mmlib")
    except PackageNotFoundError:
        return "unknown"


def one_line(facts: dict[str, Any]) -> str:
    """The facts that a page prints on top."""
    packages = facts["packages"]
    names = [f"mmlib {packages.get('mmlib', 'unknown')}", f"Python {facts['python']}"]
    names += [f"PyTorch {packages['torch']}"] if "torch" in packages else []
    return ", ".join([*names, f"{facts['threads']} threads", facts["gpu"] or "CPU"])


def _commit(folder: Path | None) -> dict[str, Any]:
    git = shutil.which("git")
    if not git or not folder:
        return {"commit": None, "changed": None}
    answers = []
    for command in (["rev-parse", "HEAD"], ["status", "--porcelain", "--untracked-files=no"]):
        done = subprocess.run([git, "-C", str(folder), *command], capture_output=True, text=True, check=False)
        answers.append(done.stdout.strip() if done.returncode == 0 else None)
    commit, status = answers
    return {"commit": commit or None, "changed": None if status is None else bool(status)}
