# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The whole path on one page
#
# **Does pre-training on pictures, words and purchases help a recommender on this catalogue?** This page walks the whole
# path once: a catalogue, vectors of its pictures and texts, pre-training with MMCPR, a recommender that starts from the
# result, and the same recommender started at random beside it. Each step has a page of its own that looks closer.
#
# To try your own catalogue, set `dataset` to its folder: a table of interactions, a table of items, and pictures.

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
recommender: str = "lightgcn"  # "bpr", "lightgcn" or "mixgcf"
start_scale: str = "xavier"  # "keep" the pre-trained vectors' length, or scale them to a random start's
start_centre: bool = True  # take the mean vector out of the start
layers: int = 2  # hops of LightGCN and MixGCF
candidates: int = 16  # negatives that MixGCF mixes from, M
l2: float = 0.0001  # weight of the L2 term
lr: float = 0.005  # learning rate of the recommender
batch_size: int = 512  # purchases a step; the papers take 2048 for catalogues a hundred times larger
epochs: int = 200  # passes of the recommender over the training purchases, at most
patience: int = 20  # stop after so many epochs without a better validation; 0 never stops early
dim: int = 64  # width of all vectors that score
k: list[int] = [10, 20]  # lengths of the recommended lists
few: int = 5  # "few purchases": items bought at most so often in the training part
mask_valid: bool = True  # at test, leave validation items out of the candidates
seed: int = 0  # of initial weights, shuffling and negatives

# %%
import mmlib as mm

page = mm.begin("00_quickstart", globals())

# %% [markdown]
# ## The catalogue
#
# Users, items and purchases, split user by user at random into a training, a validation and a test part. Everything
# below learns from the training part; the validation part chooses; the test part is read once, at the end.

# %%
reading = {"columns": columns, "reader": reader, "clean": clean, "shop": shop}
catalogue = mm.load(dataset, split=split, split_seed=split_seed, **reading)
catalogue

# %%
mm.show.gallery(catalogue, catalogue.purchases().argsort()[::-1][:8], title="The eight most bought items")

# %% [markdown]
# ## Pictures and words become vectors
#
# An encoder of the CLIP family maps an item's picture and its text to two vectors of one space. The encoder `"small"` is
# a miniature that learns from the catalogue's own pairs of picture and text in half a minute; with weights at hand, any
# open_clip model takes its place.

# %%
clip, tuning = mm.encoder(catalogue, encoder, epochs=encoder_epochs, lr=encoder_lr)
features = mm.extract(catalogue, clip)
features

# %% [markdown]
# ## Pre-training: MMCPR
#
# MMCPR gives a user two modalities, reviews and a graph of users with common purchases, and an item three: text, picture
# and a graph of items with common buyers. Attention adds them up, and two losses teach it,
#
# $$L = \lambda L_1 + (1 - \lambda) L_2,$$
#
# where $L_1$ pulls an item's text and picture together and $L_2$ pulls users towards what they bought.

# %%
mm.seed(seed)
options = {"modalities": modalities, "cima_weight": cima_weight, "contrast": contrast, "neighbours": neighbours}
mmcpr = mm.MMCPR(catalogue, features, dim=dim, **options)
training = {"epochs": pretrain_epochs, "lr": pretrain_lr, "batch_size": batch_size, "seed": seed}
pretraining = mm.fit(mmcpr, keep="last", patience=None, **training)
mm.show.curves(pretraining)

# %% [markdown]
# ## The recommender, from two starts
#
# The same recommender is trained twice. Everything is equal but the vectors that it starts from: Xavier's random numbers,
# or what MMCPR has learnt. Look at where the two curves begin, and whether the lead lasts: a start may look better only
# because the other was not given the time, so both train until validation no longer improves.

# %%
options = {"layers": layers, "candidates": candidates, "l2": l2, "dim": dim}
options |= {"start_scale": start_scale, "start_centre": start_centre}
training = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "patience": patience, "seed": seed}

# %%
mm.seed(seed)
random = mm.fit(mm.recommender(recommender, catalogue, features, **options), **training)
mm.seed(seed)
started = mm.recommender(recommender, catalogue, features, start=pretraining.embeddings, **options)
started = mm.fit(started, **training)
mm.show.curves({"from random": random, "from MMCPR": started})

# %% [markdown]
# ## What the test part says
#
# Every user's list is ranked over the whole catalogue. The second block counts only purchases of items that were bought
# rarely in training, where content has most to add.

# %%
judged = {"part": "test", "k": k, "few": few, "mask_valid": mask_valid}
scores = {"from random": mm.evaluate(random, label="from random", **judged)}
scores["from MMCPR"] = mm.evaluate(started, label="from MMCPR", **judged)
page.record(*scores.values())
mm.show.table(scores)

# %%
found = mm.compare(scores["from MMCPR"], scores["from random"], f"recall@{max(k)}")
mm.show.comparison(found)

# %% [markdown]
# ## What one user gets

# %%
mm.show.explore.users(catalogue, started.ranked, started.model.seen, k=8)

# %% [markdown]
# ## The answer

# %%
mm.show.verdict(found)
