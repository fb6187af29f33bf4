"""The registry: complete, consistent with what the papers say about it, and never mixed in silence."""

import pandas as pd
import pytest

from mmlib.core.errors import InputError
from mmlib.evaluation.protocols import Protocol, differences, protocols
from mmlib.evaluation.published import MEASURED, beside, coverage, published

KEY = ["paper", "table", "dataset", "protocol", "method", "variant"]
COUNTS = {
    ("MMCPR", "2"): 144, ("MMCPR", "3"): 72,
    ("AlignRec", "2"): 120, ("AlignRec", "3"): 72, ("AlignRec", "4"): 84, ("AlignRec", "5"): 24,
    ("AlignRec", "6"): 48, ("AlignRec", "8"): 48, ("AlignRec", "9"): 16, ("AlignRec", "10"): 24,
    ("LMM", "1"): 18, ("LMM", "3"): 180, ("LMM", "4"): 360, ("LMM", "5"): 18,
    ("MICRO", "2"): 72, ("MICRO", "3"): 162, ("MICRO", "4"): 27,
    ("MMRec", "results"): 258, ("MMRec", "by split"): 120, ("MKF", "appendix"): 2010,
}  # fmt: skip


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return published()


@pytest.fixture(scope="module")
def ranked(table: pd.DataFrame) -> pd.DataFrame:
    """Figures from 0 to 1, the metric parted into ``name`` and ``k``."""
    rows = table[table["unit"] == ""].copy()
    rows[["name", "k"]] = rows["metric"].str.split("@", expand=True)
    return rows.assign(k=rows["k"].astype(int))


def one(table: pd.DataFrame, /, **names: str) -> float:
    for column, value in names.items():
        table = table[table[column] == value]
    assert len(table) == 1, names
    return float(table["value"].iloc[0])


def test_every_table_is_there_in_full(table):
    assert {key: len(rows) for key, rows in table.groupby(["paper", "table"])} == COUNTS
    assert len(table) == 3877


def test_no_figure_is_there_twice(table):
    assert not table.duplicated([*KEY, "metric"]).any()


def test_values_lie_where_their_unit_says(table, ranked):
    nothing = ranked["value"] == 0
    assert ranked["value"].between(0, 1).all()
    assert set(ranked.loc[nothing, "paper"]) == {"MKF"}
    assert (ranked.loc[nothing, "note"] != "").all()  # printed as 0, which says why
    assert set(table["unit"]) == {"", "%", "million", "s"}
    assert table.loc[~table["unit"].isin(["%", ""]), "value"].gt(0).all()
    assert table.loc[table["std"].notna(), "std"].between(0.0002, 0.002).all()
    assert set(table["mark"]) == {"", "*"}


def test_every_protocol_is_described_and_used(table):
    assert set(table["protocol"]) == set(protocols())
    for one_ in protocols().values():
        assert all(text for name, text in one_.words().items() if name != "note"), one_.tag
    for tag, rows in table[table["unit"] == ""].groupby("protocol"):
        assert {int(name.split("@")[1]) for name in rows["metric"]} == set(protocols()[tag].lengths)


def test_longer_lists_never_find_less(ranked):
    rows = ranked[ranked["name"] != "precision"].sort_values("k")
    assert (rows.groupby([*KEY, "name"])["value"].diff().dropna() >= 0).all()


def test_ndcg_stays_below_recall_and_precision_below_one_hit(ranked):
    wide = ranked.pivot_table(index=[*KEY, "k"], columns="name", values="value")
    both = wide[["ndcg", "recall"]].dropna()
    both = both[both["recall"] > 0.0005]  # four digits tell nothing of what is smaller
    assert len(both) > 1000
    assert (both["ndcg"] < both["recall"]).all()
    k = wide.index.get_level_values("k")
    hits = (wide["precision"] * k / wide["recall"])[wide["recall"] > 0.01].dropna()  # over the share of positives
    assert len(hits) > 700
    assert hits.between(0.8, 1.3).all()


def test_the_knock_out_is_complete_and_its_findings_are_those_that_are_told(table):
    """14 models x 3 catalogues x 6 metrics x 8 conditions, less LATTICE's LLaVA captions on Clothing."""
    rows = table[table["paper"] == "MKF"]
    sizes = rows.groupby("variant").size()
    assert sizes.drop("LLaVA captions for image").eq(252).all()
    assert sizes["LLaVA captions for image"] == 246
    assert rows["method"].nunique() == 14
    at = {"metric": "recall@10", "dataset": "amazon-2014/Baby"}
    freedom = {name: one(rows, method="FREEDOM", variant=name, **at) for name in sizes.index}
    assert freedom[""] - freedom["noise for text"] == pytest.approx(0.0171)
    assert freedom["noise for image and text"] == 0.0436  # below LightGCN without any content, .0479
    assert one(table, paper="MMRec", table="results", method="LightGCN", **at) == 0.0479


def test_printed_percentages_follow_from_the_printed_values(table):
    """72 declines and improvements, each within what rounding to four digits allows."""
    checked = 0
    table = table[table["paper"].isin(["MMCPR", "MICRO"])]
    for row in table[table["unit"] == "%"].to_dict("records"):
        metric, place = row["metric"].split()[0], {"paper": row["paper"], "dataset": row["dataset"]}
        own = one(table, **place, table=row["table"], method=row["method"], variant=row["variant"], metric=metric)
        if row["paper"] == "MMCPR":
            other = one(table, **place, table="2", method="MMCPR", metric=metric)
        elif row["table"] == "3":
            base = row["variant"].removeprefix("on ")
            other = one(table, **place, table="3", method=base, variant="+feats", metric=metric)
        else:
            rivals = table[(table["paper"] == "MICRO") & (table["table"] == "2") & (table["method"] != "MICRO")]
            other = rivals[(rivals["dataset"] == row["dataset"]) & (rivals["metric"] == metric)]["value"].max()
        half, digits = 0.00005, 0.005 if row["paper"] == "MMCPR" else 0.05
        low, high = (own - half) / (other + half) - 1, (own + half) / (other - half) - 1
        assert 100 * low - digits - 1e-9 <= row["value"] <= 100 * high + digits + 1e-9, row
        checked += 1
    assert checked == 72


@pytest.mark.parametrize(
    ("paper", "dataset", "ours", "other", "percent"),
    [  # what the texts say of Recall@20: MMCPR, section 4.2; AlignRec, 5.2; MICRO, 3.2.1
        ("MMCPR", "Toys_and_Games", "MMCPR", "GCN-P", 4.10),
        ("AlignRec", "Baby", "AlignRec", "FREEDOM", 6.19),
        ("AlignRec", "Sports", "AlignRec", "MGCN", 4.88),
        ("AlignRec", "Electronics", "AlignRec", "BM3", 8.02),
    ],
)
def test_improvements_in_the_texts(table, paper, dataset, ours, other, percent):
    rows = table[(table["paper"] == paper) & (table["table"] == "2") & table["dataset"].str.endswith(dataset)]
    values = [one(rows, method=name, metric="recall@20") for name in (ours, other)]
    assert 100 * (values[0] / values[1] - 1) == pytest.approx(percent, abs=0.006)
    assert values[0] == rows[rows["metric"] == "recall@20"]["value"].max()


@pytest.mark.parametrize(
    ("paper", "first", "second", "shared"),
    [
        ("LMM", "3", "4", 120),
        ("LMM", "1", "3", 6),
        ("LMM", "5", "4", 6),
        ("MICRO", "2", "3", 27),
        ("MICRO", "2", "4", 9),
        ("AlignRec", "2", "5", 12),
        ("AlignRec", "2", "6", 8),
    ],
)
def test_what_two_tables_print_is_the_same(table, paper, first, second, shared):
    keys = ["dataset", "method", "variant", "metric"]
    a, b = (table[(table["paper"] == paper) & (table["table"] == name)].set_index(keys) for name in (first, second))
    common = a.index.intersection(b.index)
    assert len(common) == shared
    assert (a.loc[common, "value"] == b.loc[common, "value"]).all()


def test_the_repeated_ablation_lies_around_the_first(table):
    rows = table[table["paper"] == "AlignRec"].set_index(["table", "dataset", "variant", "metric"])
    again = rows.loc["8"]
    assert ((again["value"] - rows.loc["6"].loc[again.index, "value"]).abs() <= 1.0001 * again["std"]).all()


def test_what_alignrec_took_from_the_toolbox_is_the_same(table):
    """It re-ran GRCN and FREEDOM, and three models on Electronics; the rest are the toolbox's figures."""
    keys = ["dataset", "method", "metric"]
    a = table[(table["paper"] == "AlignRec") & (table["table"] == "2")].set_index(keys)["value"]
    b = table[table["protocol"] == "mmrec"].set_index(keys)["value"]
    common = a.index.intersection(b.index)
    own = {place[1] for place in common if a[place] != b[place]}
    assert len(common) == 96
    assert own == {"GRCN", "FREEDOM", "MMGCN", "DualGNN"}


@pytest.mark.parametrize(
    ("protocol", "dataset", "method", "variant", "metric", "value"),
    [
        ("mmcpr", "Video_Games", "MMCPR", "", "recall@20", 0.1939),
        ("mmcpr", "Video_Games", "Random", "", "ndcg@60", 0.1006),
        ("mmcpr", "Toys_and_Games", "PMGT", "", "recall@40", 0.1423),
        ("mmcpr", "Sharee", "GCN-P", "", "recall@60", 0.2586),
        ("mmcpr", "Sharee", "MMCPR", "w/o BCE", "ndcg@20", 0.0576),
        ("alignrec", "Baby", "MGCN", "", "recall@20", 0.0964),
        ("alignrec", "Electronics", "AlignRec", "", "ndcg@20", 0.0321),
        ("alignrec", "Baby", "BM3", "AlignRec features", "recall@20", 0.0864),
        ("alignrec", "Baby", "FREEDOM", "w/o vision", "ndcg@20", 0.0422),
        ("alignrec", "Sports", "AlignRec", "20 encoder layers", "recall@10", 0.0732),
        ("alignrec", "Sports", "FREEDOM", "", "parameters", 85.96),
        ("alignrec zero-shot", "Baby", "Amazon features", "50% of images masked", "recall@20", 0.0065),
        ("alignrec item-CF", "Sports", "AlignRec features", "", "recall@50", 0.1497),
        ("micro", "Clothing", "GRCN", "", "recall@20", 0.0631),
        ("micro", "Baby", "MICRO", "w/o contrast, on NGCF", "precision@20", 0.0037),
        ("micro", "Sports", "MICRO", "textual only", "ndcg@20", 0.0430),
        ("lmm", "Clothing", "MMGCL", "CLIP end to end", "recall@20", 0.0855),
        ("lmm", "Sports", "SLMRec", "VLMo end to end", "ndcg@10", 0.0379),
        ("lmm", "Baby", "LATTICE", "CLIP end to end, visual only", "ndcg@20", 0.0371),
        ("mmrec", "Baby", "FREEDOM", "", "recall@20", 0.0992),
        ("mmrec random", "Sports", "FREEDOM", "", "recall@20", 0.1080),
        ("mmrec user time", "Sports", "LightGCN", "", "recall@20", 0.0663),
        ("mmrec global time", "Sports", "GRCN", "", "ndcg@10", 0.0101),
    ],
)
def test_figures_read_in_the_papers(protocol, dataset, method, variant, metric, value):
    rows = published(dataset, metric, protocol, method)
    assert set(rows.loc[(rows["variant"] == variant) & rows["std"].isna(), "value"]) == {value}


def test_names_are_found_without_capitals_and_wrong_ones_get_the_closest():
    assert len(published("baby", "Recall@20", "MMREC", "freedom")) == 1
    assert published("amazon-2014/Baby").equals(published("Baby"))
    assert published("Sharee", protocol="mmrec").empty
    with pytest.raises(InputError, match=r"dataset 'Babby'.* Did you mean \"baby\""):
        published("Babby")
    with pytest.raises(InputError, match='Did you mean "recall@20"'):
        published(metric="recal@20")
    with pytest.raises(InputError, match='Did you mean "lattice"'):
        published(method="LATICE")
    with pytest.raises(InputError, match="protocol 'x'"):
        published(protocol="x")


def test_a_caller_cannot_change_the_registry():
    mine = published("Baby")
    mine["value"] = 0.0
    assert published("Baby", "recall@20", "mmrec", "FREEDOM")["value"].tolist() == [0.0992]


def test_coverage_counts_every_figure(table):
    assert coverage()["figures"].sum() == len(table)
    baby = coverage("Baby").set_index("protocol")
    assert baby.loc["mmrec", ["figures", "methods", "metrics"]].tolist() == [
        66, 11, "ndcg@10, 20, 50; recall@10, 20, 50"
    ]  # fmt: skip


MINE = pd.DataFrame({"method": ["worse", "better"], "mean": [0.05, 0.07], "low": [0.04, 0.06], "high": [0.06, 0.08]})


@pytest.mark.parametrize(
    ("protocol", "measured"), [("mmrec", MEASURED), (["mmrec", "micro"], "mmrec"), ("lmm", "mmrec")]
)
def test_different_protocols_are_refused(protocol, measured):
    with pytest.raises(InputError, match=r"different protocols.*mix=True"):
        beside(MINE, "Baby", "recall@20", protocol, measured=measured)


def test_a_refusal_names_what_differs():
    own = Protocol("mine", "here", "8:1:1 by time", "all items", "training items", (20,), "validation", "none")
    with pytest.raises(InputError) as error:
        beside(MINE, "Baby", "recall@20", "mmrec", measured=own)
    assert "split: 8:1:1 by time (mine); 8:1:1 of each user's interactions at random (mmrec)." in str(error.value)
    assert "candidates" not in str(error.value)
    assert differences(own, own) == []


def test_one_protocol_needs_no_leave():
    rows = beside(MINE, "Baby", "recall@20", "mmrec", measured="mmrec")
    assert set(rows["protocol"]) == {"mmrec"}
    assert rows["method"].tolist()[:4] == ["better", "worse", "FREEDOM", "ADDVAE"]
    assert rows.loc[0, ["source", "value", "low", "high"]].tolist() == [MEASURED, 0.07, 0.06, 0.08]
    assert beside(None, "Baby", "recall@20", "mmrec").equals(
        rows[2:].reset_index(drop=True).astype({"low": float, "high": float})
    )


def test_a_mix_says_the_protocol_of_every_row():
    rows = beside(MINE, "Baby", "recall@20", ["mmrec", "alignrec"], mix=True)
    assert list(dict.fromkeys(rows["protocol"])) == [MEASURED, "mmrec", "alignrec"]
    printed = rows[(rows["protocol"] == "alignrec") & (rows["method"] == "FREEDOM")]
    assert printed["variant"].tolist() == ["AlignRec features", "w/o vision", "CLIP features", "", "Amazon features"]
    assert printed["source"].tolist()[3] == "AlignRec, table 2"  # and not again from table 5


def test_wrong_input_to_beside_is_named():
    with pytest.raises(InputError, match=r"Nothing is published for recall@20 on Sharee under 'mmrec'.*mmcpr"):
        beside(MINE, "Sharee", "recall@20", "mmrec", measured="mmrec")
    with pytest.raises(InputError, match="no column 'mean'"):
        beside(MINE.drop(columns="mean"), "Baby", "recall@20", "mmrec", measured="mmrec")
    with pytest.raises(InputError, match="protocol = 'mmrek' is not known"):
        beside(MINE, "Baby", "recall@20", "mmrek")
