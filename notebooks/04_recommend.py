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
shop: dict = {}  # options of the generated shop, such as {"users": 300, "picture_noise": 0.6}
columns: dict = {}  # which column means what; empty: recognised by their usual names
reader: dict = {}  # options of the folder's reader, such as {"text": "micro", "core": 5} or {"on_bad": "skip"}
clean: list[str] = []  # steps before the split, such as ["unescape", "once", "rated=4", "core=5"]
split: str = "8:1:1"  # at random per user; or "given", "leave-one-out", "time per user 8:1:1", "cold items"...
split_seed: int = 0  # seed of the split
encoder: str = "small"  # "small" (trained here), an open_clip name such as "ViT-B-32/openai", "local-dir:FOLDER"
encoder_epochs: int = 20  # passes over the catalogue's own picture-text pairs; 0 keeps a pre-trained encoder
encoder_lr: float = 0.001  # learning rate of the encoder
modalities: str = "RTVG"  # of MMCPR: any of R reviews, T text, V picture, G graph
cima_weight: float = 0.2  # lambda of eq. 16: 0 is "without CIMA", 1 is "without BCE"
contrast: str = "softmax"  # eq. 11 as the paper describes it; "sigmoid": with a learnt bias; "printed": it pushes apart
neighbours: int = 10  # strongest co-interaction neighbours kept a node; 0 keeps all, as the paper does
pretrain_epochs: int = 30  # passes of MMCPR over the training purchases
pretrain_lr: float = 0.01  # learning rate of MMCPR; the paper tries 0.0001 to 0.01
recommender: str = "lightgcn"  # any of mmlib.recommenders in lower case: "bpr", "lightgcn", "freedom", "ease"...
model_options: dict = {}  # options of this recommender alone, such as {"neighbours": 20}; its docstring lists them
start: str = "mmcpr"  # what the ID vectors start from: "random", "content", "mmcpr", "mmcpr without cima"...
start_scale: str = "xavier"  # "keep" the pre-trained vectors' length, or scale them to a random start's
start_centre: bool = True  # take the mean vector out of the start
layers: int = 2  # hops of LightGCN, MixGCF and NGCF; other models keep their papers' value
candidates: int = 16  # negatives that MixGCF mixes from, M
l2: float = 0.0001  # weight of the L2 term of BPR-MF, LightGCN, MixGCF and NGCF
lr: float = 0.005  # learning rate of the recommender
batch_size: int = 512  # purchases a step; the papers take 2048 for catalogues a hundred times larger
epochs: int = 200  # passes of the recommender over the training purchases, at most
patience: int = 20  # stop after so many epochs without a better validation; 0 never stops early
dim: int = 64  # width of all vectors that score
k: list[int] = [10, 20]  # lengths of the recommended lists
few: int = 5  # "few purchases": items bought at most so often in the training part
part: str = "test"  # the part that judges; "valid" while options are being chosen, and test stays unread
ranked: str = "all"  # the items that are ranked: "all", or only the "cold" ones, which nobody bought in training
mask_valid: bool = True  # at test, leave validation items out of the candidates
seed: int = 0  # of initial weights, shuffling and negatives

# %%
import mmlib as mm

page = mm.begin("04_recommend", globals())

# %%
reading = {"columns": columns, "reader": reader, "clean": clean, "shop": shop}
catalogue = mm.load(dataset, split=split, split_seed=split_seed, **reading)
catalogue

# %% [markdown]
# ## The start
#
# `start` is `"random"` (Xavier), `"content"` (the mean of an item's text and picture vectors, without any training),
# `"mmcpr"`, or one of its ablations, `"mmcpr without cima"` and `"mmcpr without bce"`. Features are made only if the start
# or the recommender needs them.

# %%
features = None
if start != "random" or mm.reads_content(recommender, model_options):
    clip, tuning = mm.encoder(catalogue, encoder, epochs=encoder_epochs, lr=encoder_lr)
    features = mm.extract(catalogue, clip)

# %%
options = {"modalities": modalities, "cima_weight": cima_weight, "contrast": contrast, "neighbours": neighbours}
options |= {"dim": dim, "epochs": pretrain_epochs, "lr": pretrain_lr, "batch_size": batch_size, "seed": seed}
vectors = mm.start_vectors(catalogue, features, start, **options)

# %% [markdown]
# ## The recommender
#
# Most models score with an inner product and learn by BPR: a bought item should score higher than a sampled one that was
# not bought. LightGCN averages each vector with those of its neighbours, hop by hop, before it scores; MixGCF mixes a hard
# negative from many candidates; FREEDOM, LATTICE and their like also read pictures and words. The table lists every option
# in force; each model's docstring says which equation it belongs to and where public code differs.

# %%
mm.seed(seed)
options = {"layers": layers, "candidates": candidates, "l2": l2, "dim": dim}
options |= {"start_scale": start_scale, "start_centre": start_centre}
model = mm.recommender(recommender, catalogue, features, start=vectors, model_options=model_options, **options)
mm.show.facts({"value": model.describe()})

# %%
metric = f"recall@{max(k)}"
training = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "patience": patience, "seed": seed}
done = mm.fit(model, metric=metric, candidates=ranked, **training)
mm.show.curves(done)

# %% [markdown]
# ## Is it safe to look?
#
# The audit looks for test purchases in the model's graphs and features, and for flaws of the data that would bend the
# result. A leak here voids what follows.

# %%
mm.audit_of(catalogue, features=features, graphs=model.read_graphs())

# %% [markdown]
# ## The test part, once
#
# While options are being chosen, `part` is `"valid"`: a sweep over them then never sees the test part.

# %%
judged = {"part": part, "k": k, "few": few, "candidates": ranked, "mask_valid": mask_valid}
scores = mm.evaluate(done, **judged, label=f"{recommender} from {start}")
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
