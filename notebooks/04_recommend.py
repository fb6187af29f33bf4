# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Recommend: one recommender, one start
#
# **How good are the lists of this recommender from this start?** The page trains one model on the training part, stops by
# the validation part, and reads the test part once. Sweeps run it for many starts, models and seeds.

# %% tags=["parameters"]
dataset: str = "toy"  # "toy" (the generated shop), a folder, or a public name such as "amazon-2014/Baby"
split: str = "8:1:1"  # at random per user; or "given", "leave-one-out", "time per user 8:1:1", "cold items"...
recommender: str = "lightgcn"  # one of mmlib.recommenders, such as "freedom"; or your own, "my_models:Mine"
model_options: dict = {}  # options of this recommender alone, such as {"neighbours": 20}; its docstring lists them
start: str = "auto"  # of ID vectors: "random", "content", "mmcpr"...; "auto": "mmcpr" where it can be
lr: float = 0.005  # learning rate of the recommender
epochs: int = 200  # passes of the recommender over the training interactions, at most
patience: int = 20  # stop after so many epochs without a better validation; 0 never does
k: list[int] = [10, 20]  # lengths of the recommended lists
part: str = "test"  # the part that judges; "valid" while options are chosen, and test stays unread
ranked: str = "all"  # the items that are ranked: "all", or only the "cold" ones, without training interactions
seed: int = 0  # of initial weights, shuffling and negatives

# %%
import mmlib as mm

page = mm.begin("04_recommend", globals())

# %%
catalogue = page.catalogue()
catalogue

# %% [markdown]
# ## The start
#
# `start` is `"random"` (Xavier), `"content"` (the mean of an item's text and picture vectors, without any training),
# `"mmcpr"`, or one of its ablations, `"mmcpr without cima"` and `"mmcpr without bce"`; `"auto"` is `"mmcpr"` where the
# recommender can start from it and the catalogue has images and texts. Features are made only if they are needed.

# %%
features = page.features(catalogue, if_needed=True)
vectors = page.start(catalogue, features)

# %% [markdown]
# ## The recommender
#
# Most models score with an inner product and learn by BPR: a bought item should score higher than a sampled one that was
# not bought. LightGCN averages each vector with those of its neighbours, hop by hop, before it scores; MixGCF mixes a hard
# negative from many candidates; FREEDOM, LATTICE and their like also read pictures and words. The table lists every option
# in force; each model's docstring says which equation it belongs to and where public code differs.

# %%
model = page.recommender(catalogue, features, start=vectors)
mm.show.facts({"value": model.describe()})

# %%
done = mm.fit(model, **page.training)
mm.show.curves(done)

# %% [markdown]
# To ask whether the model uses its content at all, give `knock_out` (such as `"permute text"`), before training or, with
# `knock_out_at` `"test"`, after it: the trained weights then read the content of other items. Page 06 says more.

# %%
done = page.after_knock_out(done, catalogue, features)

# %% [markdown]
# ## Is it safe to look?
#
# The audit looks for test purchases in the model's graphs and features, and for flaws of the data that would bend the
# result. A leak here voids what follows.

# %%
page.audit(catalogue, features=features, graphs=model.read_graphs())

# %% [markdown]
# ## The test part, once
#
# While options are being chosen, `part` is `"valid"`: a sweep over them then never sees the test part.

# %%
scores = page.scores(done)
size = sum(values.numel() for values in done.model.parameters())
page.record(scores, best_epoch=done.best_epoch, seconds=done.seconds, parameters=size)
mm.show.table({scores.label: scores})

# %%
mm.show.scores({scores.label: scores}, metrics=[f"recall@{max(k)}", f"ndcg@{max(k)}"])

# %% [markdown]
# ## One user's list
#
# Does the list continue the taste of what was bought, or only repeat what everyone buys?

# %%
mm.show.explore.users(catalogue, done.ranked, done.model.seen, k=8)

# %% [markdown]
# ## The answer

# %%
mm.show.facts({scores.label: {name: scores[name] for name in (f"recall@{max(k)}", f"ndcg@{max(k)}")}})
