"""Every parameter of a study, declared once: type, default, the pages that read it, range, and what it is.

A parameter means the same on every page, so one file serves a whole study. A page's cell tagged ``parameters`` repeats
the lines that its question turns on; papermill's ``-f`` and ``-p`` may give any other. A page that somebody adds may
declare more in its own cell.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..core.errors import InputError
from ..core.files import read_text
from .declaration import Parameter, declared_in
from .paths import page_names

PAGES = (
    "00_quickstart",
    "01_features",
    "02_graphs",
    "03_pretrain",
    "04_recommend",
    "05_alignment",
    "06_probes",
    "07_compare",
)
STARTS = ("auto", "random", "content", "mmcpr", "mmcpr without cima", "mmcpr without bce")
PART, SWEEP = "part", "sweep"  # by which a page is told which part judges, and which finished sweep it reads
_DATA, _LEARN, _RANK, _MMCPR = "00 01 02 03 04 05 06", "00 03 04 05 06", "00 04 06", "00 03 04 05"
_SEED = {"ge": 0, "le": 2**32 - 1}


def _p(name: str, kind: str, default: Any, pages: str, said: str, **rules: Any) -> Parameter:
    return Parameter(name, kind, default, said, tuple(page for page in PAGES if page[:2] in pages.split()), rules)


# fmt: off
_TABLE = (
    _p("threads", "int", 0, _DATA, "threads that a page computes with, on which the last digits depend; 0: all cores",
       ge=0, le=256),
    # the catalogue
    _p("dataset", "str", "toy", _DATA,
       '"toy" (the generated shop), a folder, or a public name such as "amazon-2014/Baby"', min_length=1),
    _p("shop", "dict", {}, _DATA, 'options of the generated shop, such as {"users": 300, "picture_noise": 0.6}'),
    _p("columns", "dict", {}, _DATA, "which column means what; empty: recognised by their usual names"),
    _p("reader", "dict", {}, _DATA,
       'options of the folder\'s reader, such as {"text": "micro", "core": 5} or {"on_bad": "skip"}'),
    _p("clean", "list[str]", [], _DATA, 'steps before the split, such as ["unescape", "once", "rated=4", "core=5"]'),
    _p("split", "str", "8:1:1", _DATA,
       'at random per user; or "given", "leave-one-out", "time per user 8:1:1", "cold items"...'),
    _p("split_seed", "int", 0, _DATA, "seed of the split", **_SEED),
    # features
    _p("encoder", "str | dict", "small", _DATA,
       '"small" (trained here), "ViT-B-32/openai", "timm:NAME", "st:NAME", {image, text}...',
       min_length=1),
    _p("encoder_epochs", "int", 20, _DATA,
       "passes over the catalogue's own image-text pairs; 0 keeps a pre-trained encoder", ge=0),
    _p("encoder_lr", "float", 0.001, _DATA, "learning rate of the encoder", gt=0),
    # graphs, and what to look at
    _p("neighbours", "int", 10, "00 02 03 04 05",
       "strongest co-interaction neighbours kept a node; 0 keeps all, as the paper does", ge=0),
    _p("nearest", "int", 10, "01 02", "neighbours a node in the content graphs", ge=1),
    _p("item", "int | None", None, "01 02", "the item to look at closely; none: that with most interactions", ge=0),
    # pre-training
    _p("modalities", "str", "RTVG", _MMCPR, "of MMCPR: any of R reviews, T text, V image, G graph", min_length=1),
    _p("cima_weight", "float", 0.2, _MMCPR, 'lambda of eq. 16: 0 is "without CIMA", 1 is "without BCE"', ge=0, le=1),
    _p("contrast", "str", "softmax", _MMCPR,
       'eq. 11 as the paper describes it; "sigmoid": with a learnt bias; "printed": it pushes apart',
       choices=("softmax", "sigmoid", "printed")),
    _p("pretrain_epochs", "int", 30, _MMCPR, "passes of MMCPR over the training interactions", ge=1),
    _p("pretrain_lr", "float", 0.01, _MMCPR, "learning rate of MMCPR; the paper tries 0.0001 to 0.01", gt=0),
    # the recommender
    _p("recommender", "str", "lightgcn", _RANK,
       'one of mmlib.recommenders, such as "freedom"; or your own, "my_models:Mine"'),
    _p("model_options", "dict", {}, _RANK,
       'options of this recommender alone, such as {"neighbours": 20}; its docstring lists them'),
    _p("start", "str", "auto", "04",
       'of ID vectors: "random", "content", "mmcpr"...; "auto": "mmcpr" where it can be',
       choices=STARTS),
    _p("start_scale", "str", "xavier", _RANK,
       '"keep" the pre-trained vectors\' length, or scale them to a random start\'s', choices=("keep", "xavier")),
    _p("start_centre", "bool", True, _RANK, "take the mean vector out of the start"),
    _p("layers", "int | None", None, _RANK,
       "hops of the graph; none: 2 for LightGCN, MixGCF, NGCF, else the paper's", ge=0),
    _p("candidates", "int | None", None, _RANK, "negatives that MixGCF mixes from, M; none: 16", ge=1),
    _p("l2", "float | None", None, _RANK,
       "weight of the L2 term; none: 0.0001 for BPR, LightGCN, MixGCF, NGCF, else the paper's", ge=0),
    _p("lr", "float", 0.005, _RANK, "learning rate of the recommender", gt=0),
    _p("batch_size", "int", 512, _LEARN,
       "interactions a step; the papers take 2048 for catalogues a hundred times larger", ge=1),
    _p("epochs", "int", 200, _RANK, "passes of the recommender over the training interactions, at most", ge=1),
    _p("patience", "int", 20, _RANK, "stop after so many epochs without a better validation; 0 never does", ge=0),
    _p("dim", "int", 64, _LEARN, "width of all vectors that score", ge=1, le=65536),
    # judging
    _p("k", "list[int]", [10, 20], _LEARN, "lengths of the recommended lists", min_length=1, each=1),
    _p("few", "int", 5, "00 03 04 06", '"few purchases": items bought at most so often in the training part', ge=0),
    _p("part", "str", "test", "04",
       'the part that judges; "valid" while options are chosen, and test stays unread', choices=("test", "valid")),
    _p("ranked", "str", "all", "04",
       'the items that are ranked: "all", or only the "cold" ones, without training interactions',
       choices=("all", "cold")),
    _p("knock_out", "str", "none", "04",
       'content that is replaced: "permute", "noise", "constant", "zero", "drop", or "permute text"',
       min_length=1),
    _p("knock_out_at", "str", "training", "04",
       'when: at "training", or at "test", the model trained on the whole content', choices=("training", "test")),
    _p("mask_valid", "bool", True, _RANK, "at test, leave validation items out of the candidates"),
    _p("seed", "int", 0, _LEARN, "of initial weights, shuffling and negatives", **_SEED),
    # probes, and content knocked out
    _p("rivals", "list[dict]", [{"encoder": "small", "encoder_epochs": 1}], "06",
       "other encoders to rank beside it"),
    _p("content_recommender", "str", "freedom", "06", "the recommender whose content is knocked out", min_length=1),
    _p("knock_outs", "list[str]", [], "06", 'how, such as ["zero text"]; empty: permute all, and each alone'),
    _p("knock_out_seeds", "int", 1, "06", "how many seeds it is trained with, whole and knocked out", ge=1),
    _p("finished_sweep", "str", "", "06",
       "folder of a finished sweep over knock_out, read in place of trainings; empty: trained here"),
    # comparing the runs of a sweep
    _p("sweep", "str", "", "07",
       'folder of a finished sweep, such as "outputs/sweeps/starts-bcce35cd"; empty: published figures alone'),
    _p("by", "list[str]", [], "07", "parameters whose values make a method; empty: all that vary but the seeds"),
    _p("only", "dict", {}, "07", 'keep the runs that have these values, such as {"epochs": 60}'),
    _p("vary", "str", "", "07", "the parameter whose values are compared; empty: as the sweep says"),
    _p("baseline", "str", "", "07", "the value of it that the others are compared with; empty: as the sweep says"),
    _p("metric", "str", "recall@20", "07", "what the methods are compared by"),
    _p("level", "float", 0.05, "07", "a difference is significant when its corrected p is below this", gt=0, lt=1),
    _p("published_dataset", "str", "", "07", 'the catalogue\'s name in the registry, such as "Baby"; empty: list all'),
    _p("published_protocol", "str", "", "07", "tag of the published figures to show; empty: none, only which exist"),
    _p("mix_protocols", "bool", False, "07", "allow figures of different protocols in one list, each saying its own"),
)
# fmt: on
STUDY: dict[str, Parameter] = {one.name: one for one in _TABLE}


def is_seed(name: str) -> bool:
    """Whether a parameter only repeats a run, as ``seed`` and ``split_seed`` do."""
    return name == "seed" or name.endswith("_seed")


def in_cell(page: str | Path) -> dict[str, Parameter]:
    """What a page (a ``.py`` file in percent format) declares in its cell tagged ``parameters``, in its order.

    Raises:
        InputError: when there is no such page, its cell holds anything else, or it has two such cells.
    """
    page = Path(page)
    if not Path(page).is_file():
        raise InputError(f"There is no page {page}.")
    return dict(_in_cell(page, read_text(page)))


@lru_cache
def _in_cell(page: Path, text: str) -> dict[str, Parameter]:
    lines = text.splitlines()
    starts = [number for number, line in enumerate(lines) if re.match(r'# %%.*\btags=\[[^\]]*"parameters"', line)]
    if len(starts) > 1:
        raise InputError(f"{page} has {len(starts)} cells tagged parameters; keep one.")
    for first in (start + 1 for start in starts):
        last = next((number for number in range(first, len(lines)) if lines[number].startswith("# %%")), len(lines))
        return declared_in("\n".join(lines[first:last]) + "\n", page, first + 1)
    return {}


def known_parameters(folder: str | Path, pages: Iterable[str] | None = None) -> dict[str, Parameter]:
    """The study's parameters and those that pages of a folder declare for themselves.

    Args:
        pages: only what these read, by name: of the study's parameters those that name the page, and all that its own
            cell declares; by default everything.

    Raises:
        InputError: when a page gives a name another type or default than the study or an earlier page.
    """
    names = page_names(Path(folder)) if pages is None else list(pages)
    known = {name: one for name, one in STUDY.items() if pages is None or set(one.pages) & set(names)}
    for page in names:
        for name, one in in_cell(Path(folder) / f"{page}.py").items():
            first = STUDY.get(name) or known.get(name) or one
            if (first.type, repr(first.default)) != (one.type, repr(one.default)):
                where = "for all pages" if name in STUDY else f"in {first.pages[0]}"
                raise InputError(
                    f"{name} is {first.type} = {first.default!r} {where} but {one.type} = {one.default!r} in {page}; a "
                    "parameter means the same on every page. Write that line again, and give another value with -p or "
                    "in a parameter file."
                )
            known.setdefault(name, first)
    return known


def of_page(name: str, page: str) -> bool:
    """Whether a page reads a parameter of the study; one of somebody's own may read all."""
    return name in STUDY and (page not in PAGES or page in STUDY[name].pages)
