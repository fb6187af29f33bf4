"""Sweep files: every key with what it cannot be."""

from .world import Case

# id, content, what the message must say
FILES: list[tuple[str, str, str]] = [
    ("empty file", "", "grid"),
    ("unknown key", "gird: {seed: [0]}\n", "grid"),
    ("number as a key", "5: 1\ngrid: {seed: [0]}\n", "5"),
    ("null as a key", "~: 1\ngrid: {seed: [0]}\n", "key"),
    ("grid is a list", "grid: [seed, lr]\n", "grid"),
    ("grid is text", "grid: seed\n", "grid"),
    ("grid is a number", "grid: 5\n", "grid"),
    ("grid of an unknown parameter", "grid: {sede: [0, 1]}\n", "seed"),
    ("grid of a value in place of a list", "grid: {seed: 0}\n", "seed"),
    ("grid of no values", "grid: {seed: []}\n", "seed"),
    ("grid of null", "grid: {seed: null}\n", "seed"),
    ("grid of a wrong type", "grid: {seed: [0, x]}\n", "seed"),
    ("grid of a value out of range", "grid: {lr: [0.1, -0.1]}\n", "lr"),
    ("grid of an unknown recommender", "grid: {recommender: [bpr, bprr]}\n", "bprr"),
    ("grid of a bad split", "grid: {split: ['8:1:1', '8:1']}\n", "split|8:1"),
    (
        "grid of a million runs",
        "grid: {seed: ["
        + ", ".join(map(str, range(1000)))
        + "], split_seed: ["
        + ", ".join(map(str, range(1000)))
        + "]}\n",
        "1,000,000",
    ),
    ("fixed is a list", "fixed: [epochs]\ngrid: {seed: [0]}\n", "fixed"),
    ("fixed is text", "fixed: epochs\ngrid: {seed: [0]}\n", "fixed"),
    ("fixed of an unknown parameter", "fixed: {epohcs: 1}\ngrid: {seed: [0]}\n", "epochs"),
    ("fixed of a wrong type", "fixed: {epochs: x}\ngrid: {seed: [0]}\n", "epochs"),
    ("fixed and grid of one name", "fixed: {seed: 5}\ngrid: {seed: [0, 1]}\n", "seed"),
    ("also is a mapping", "grid: {seed: [0]}\nalso: {seed: [1]}\n", "also"),
    ("also is text", "grid: {seed: [0]}\nalso: seed\n", "also"),
    ("also is a number", "grid: {seed: [0]}\nalso: 5\n", "also"),
    ("also holds text", "grid: {seed: [0]}\nalso: [seed]\n", "also"),
    ("also with an unknown key", "grid: {seed: [0]}\nalso: [{gird: {seed: [1]}}]\n", "gird"),
    ("also with a number as a key", "grid: {seed: [0]}\nalso: [{5: 1, x: 2}]\n", "also"),
    ("also with an empty grid", "grid: {seed: [0]}\nalso: [{grid: {seed: []}}]\n", "seed"),
    ("skip is a mapping", "grid: {seed: [0, 1]}\nskip: {seed: 0}\n", "skip"),
    ("skip is text", "grid: {seed: [0, 1]}\nskip: seed\n", "skip"),
    ("skip is a number", "grid: {seed: [0, 1]}\nskip: 5\n", "skip"),
    ("skip holds text", "grid: {seed: [0, 1]}\nskip: [seed]\n", "skip"),
    ("skip without effect", "grid: {seed: [0, 1]}\nskip: [{seed: 7}]\n", "skip"),
    ("skip of an unknown parameter", "grid: {seed: [0, 1]}\nskip: [{sede: 0}]\n", "skip"),
    ("skip of everything", "grid: {seed: [0, 1]}\nskip: [{seed: 0}, {seed: 1}]\n", "skip"),
    ("skip of nothing", "grid: {seed: [0, 1]}\nskip: [{}]\n", "skip"),
    ("pages is text", "grid: {seed: [0]}\npages: '04'\n", "pages"),
    ("pages is empty", "grid: {seed: [0]}\npages: []\n", "pages"),
    ("unknown page", "grid: {seed: [0]}\npages: ['99']\n", "99"),
    ("about is a list", "grid: {seed: [0]}\nabout: [1]\n", "about"),
    ("base is missing", "base: none.yaml\ngrid: {seed: [0]}\n", "none.yaml"),
    ("base is a folder", "base: .\ngrid: {seed: [0]}\n", "base|folder|directory|file"),
    ("base is a list", "base: [a.yaml]\ngrid: {seed: [0]}\n", "base"),
    ("base is a number", "base: 5\ngrid: {seed: [0]}\n", "base|5"),
    ("base is the file itself", "base: s.yaml\ngrid: {seed: [0]}\n", "base|grid"),
    ("base is another sweep", "base: other.yaml\ngrid: {seed: [0]}\n", "grid"),
    ("base is broken", "base: broken.yaml\ngrid: {seed: [0]}\n", "broken.yaml"),
    ("compare is a list", "grid: {seed: [0]}\ncompare: [start]\n", "compare"),
    ("compare is text", "grid: {seed: [0]}\ncompare: start\n", "compare"),
    ("compare is a number", "grid: {seed: [0]}\ncompare: 5\n", "compare"),
    ("compare with an unknown key", "grid: {seed: [0], start: [random, content]}\ncompare: {varry: start}\n", "vary"),
    ("compare with a number as a key", "grid: {seed: [0]}\ncompare: {5: 1, vary: start}\n", "compare"),
    ("compare of what does not vary", "grid: {start: [random, content]}\ncompare: {vary: lr, baseline: 0.1}\n", "lr"),
    (
        "compare of an unknown parameter",
        "grid: {start: [random, content]}\ncompare: {vary: strat, baseline: random}\n",
        "start",
    ),
    (
        "compare with a baseline that no run has",
        "grid: {start: [random, content]}\ncompare: {vary: start, baseline: mmcpr}\n",
        "mmcpr",
    ),
    (
        "compare by a metric that no run has",
        "grid: {start: [random, content]}\npages: ['04']\ncompare: {vary: start, baseline: random, metric: recall@7}\n",
        "recall@7",
    ),
    (
        "compare by a misspelt metric",
        "grid: {start: [random, content]}\npages: ['04']\ncompare: {vary: start, baseline: random, metric: recal@20}\n",
        "recal@20",
    ),
    ("compare by a list", "grid: {start: [random, content]}\ncompare: {vary: start, metric: [a]}\n", "metric"),
    (
        "compare within text",
        "grid: {start: [random, content], lr: [0.1, 0.2]}\npages: ['04']\n"
        "compare: {vary: start, baseline: random, within: lr}\n",
        "within",
    ),
    (
        "compare within what is unknown",
        "grid: {start: [random, content], lr: [0.1, 0.2]}\npages: ['04']\n"
        "compare: {vary: start, baseline: random, within: [lrr, lr]}\n",
        "lrr",
    ),
    (
        "compare while another parameter varies",
        "grid: {start: [random, content], lr: [0.1, 0.2]}\npages: ['04']\n"
        "compare: {vary: start, baseline: random, within: []}\n",
        "lr",
    ),
    ("choose is text", "grid: {lr: [0.1, 0.2]}\nchoose: lr\n", "choose"),
    ("choose is a list", "grid: {lr: [0.1, 0.2]}\nchoose: [lr]\n", "choose"),
    ("choose over text", "grid: {lr: [0.1, 0.2]}\nchoose: {over: lr}\n", "over"),
    ("choose over nothing", "grid: {lr: [0.1, 0.2]}\nchoose: {over: []}\n", "over"),
    ("choose over a list in a list", "grid: {lr: [0.1, 0.2]}\nchoose: {over: [[lr]]}\n", "over|lr"),
    ("choose with an unknown key", "grid: {lr: [0.1, 0.2]}\nchoose: {over: [lr], metrc: x}\n", "metrc"),
    ("choose with a number as a key", "grid: {lr: [0.1, 0.2]}\nchoose: {over: [lr], 5: x, z: 1}\n", "choose"),
    ("choose over what does not vary", "grid: {lr: [0.1, 0.2]}\npages: ['04']\nchoose: {over: [l2]}\n", "l2"),
    ("choose over the seed", "grid: {lr: [0.1, 0.2], seed: [0, 1]}\npages: ['04']\nchoose: {over: [seed]}\n", "seed"),
    (
        "choose over what is compared",
        "grid: {start: [random, content], lr: [0.1, 0.2]}\npages: ['04']\n"
        "choose: {over: [start]}\ncompare: {vary: start, baseline: random}\n",
        "start",
    ),
    ("choose over the split", "grid: {split: ['8:1:1', '7:1:2']}\npages: ['04']\nchoose: {over: [split]}\n", "split"),
    (
        "choose by a page that reads the test part",
        "grid: {lr: [0.1, 0.2]}\npages: ['00']\nchoose: {over: [lr]}\n",
        "part",
    ),
    (
        "choose with the part given",
        "fixed: {part: valid}\ngrid: {lr: [0.1, 0.2]}\npages: ['04']\nchoose: {over: [lr]}\n",
        "part",
    ),
    (
        "choose by a metric that no run has",
        "grid: {lr: [0.1, 0.2]}\npages: ['04']\nchoose: {over: [lr], metric: recall@7}\n",
        "recall@7",
    ),
    (
        "choose with other seeds for each value",
        "grid: {lr: [0.1, 0.2], seed: [0, 1]}\npages: ['04']\nskip: [{lr: 0.1, seed: 1}]\nchoose: {over: [lr]}\n",
        "seed",
    ),
]

BESIDE = {"other.yaml": "grid: {seed: [0, 1]}\n", "broken.yaml": "k: [1\n"}
CASES = [
    Case(id, ("sweep", "s.yaml", "--list"), (says, r"s\.yaml"), BESIDE | {"s.yaml": content})
    for id, content, says in FILES
]
