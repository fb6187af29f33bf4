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
encoder: str | dict = "small"  # "small" (trained here), "ViT-B-32/openai", "timm:NAME", "st:NAME", {image, text}...
encoder_epochs: int = 20  # passes over the catalogue's own image-text pairs; 0 keeps a pre-trained encoder
cima_weight: float = 0.2  # lambda of eq. 16: 0 is "without CIMA", 1 is "without BCE"
pretrain_epochs: int = 30  # passes of MMCPR over the training interactions
recommender: str = "lightgcn"  # one of mmlib.recommenders, such as "freedom"; or your own, "my_models:Mine"
lr: float = 0.005  # learning rate of the recommender
epochs: int = 200  # passes of the recommender over the training interactions, at most
patience: int = 20  # stop after so many epochs without a better validation; 0 never does
k: list[int] = [10, 20]  # lengths of the recommended lists
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
catalogue = page.catalogue()
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
features = page.features(catalogue)
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
pretrained = mm.fit(page.mmcpr(catalogue, features), **page.pretraining)
mm.show.curves(pretrained)

# %% [markdown]
# ## The recommender, from two starts
#
# The same recommender is trained twice. Everything is equal but the vectors that it starts from: Xavier's random numbers,
# or what MMCPR has learnt. Look at where the two curves begin, and whether the lead lasts: a start may look better only
# because the other was not given the time, so both train until validation no longer improves.

# %%
random = mm.fit(page.recommender(catalogue, features), **page.training)
started = mm.fit(page.recommender(catalogue, features, start=pretrained.embeddings), **page.training)
mm.show.curves({"from random": random, "from MMCPR": started})

# %% [markdown]
# ## What the test part says
#
# Every user's list is ranked over the whole catalogue. The second block counts only purchases of items that were bought
# rarely in training, where content has most to add.

# %%
scores = {"from random": page.scores(random, "from random"), "from MMCPR": page.scores(started, "from MMCPR")}
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
