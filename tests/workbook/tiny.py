"""A workbook of two tiny pages, for tests of what executes pages."""

from pathlib import Path

from mmlib.workbook.pages import pair

HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A tiny page
#
# It finds a number.

"""
START = """\
# %%
import os
import sys
import time
from pathlib import Path

sys.modules["torch"] = None  # tiny pages do without, and start sooner
from mmlib.core.errors import InputError
from mmlib.workbook.page import begin

page = begin("{name}", globals())

"""
FIRST = """\
# %% tags=["parameters"]
size: int = 3  # how large
rate: float = 0.1  # how fast
mode: str = "ok"  # what happens: "ok", "bad", "input", "die", "exit" or "wait"
seed: int = 0  # of nothing

"""
ACT = """\
# %%
if mode == "bad":
    numbers = [1]
    numbers[size]
if mode == "input":
    raise InputError("There is no shop.\\nBring one.")
if mode == "die":
    os.kill(os.getpid(), 9)
if mode == "exit":
    sys.exit(0)
while mode == "wait" and not Path("gate").exists():
    time.sleep(0.05)

# %%
print("printed by the page")
threads, price = os.environ.get("OMP_NUM_THREADS", ""), os.environ.get("PRICE", "")
page.record(total=round(size * rate + seed, 6), python=sys.executable, threads=threads, price=price)
"""
SECOND = """\
# %% tags=["parameters"]
size: int = 3  # how large
names: list[str] = ["a"]  # what to call them

"""
NAMES = """\
# %%
page.record(names=names)
"""


def make(folder: Path) -> Path:
    """Write the workbook to ``folder``: ``notebooks/``, ``params/toy.yaml``, ``pyproject.toml``."""
    notebooks = folder / "notebooks"
    notebooks.mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    (notebooks / "00_first.py").write_text(HEADER + FIRST + START.format(name="00_first") + ACT)
    (notebooks / "01_second.py").write_text(HEADER + SECOND + START.format(name="01_second") + NAMES)
    pair(notebooks)
    (folder / "params" / "sweeps").mkdir(parents=True)
    (folder / "params" / "toy.yaml").write_text("about: a tiny study\nsize: 5\nnames: [x, y]\n")
    return folder
