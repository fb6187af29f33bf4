# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Features: pictures and words as vectors
#
# **What do the pictures and the words of this catalogue know, and do they agree?** A catalogue's content can help a
# recommender only if its vectors place alike items close together. This page turns pictures, texts and reviews into
# vectors, says which are missing, and looks at neighbours.

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
item: int = -1  # the item to look at closely; -1 takes the most bought one
nearest: int = 10  # neighbours a node in the content graphs

# %%
import mmlib as mm

page = mm.begin("01_features", globals())

# %% [markdown]
# ## The catalogue

# %%
reading = {"columns": columns, "reader": reader, "clean": clean, "shop": shop}
catalogue = mm.load(dataset, split=split, split_seed=split_seed, **reading)
catalogue

# %% [markdown]
# What reading found and dropped stands below the table. The audit looks further: copies, placeholders, missing content,
# users and items that only the test part knows, and how small a difference this test part can still resolve. It is a page
# of its own in every report.

# %%
mm.audit_of(catalogue)

# %%
mm.show.gallery(catalogue, range(0, catalogue.n_items, max(1, catalogue.n_items // 12))[:12], title="A dozen items")

# %% [markdown]
# ## The encoder
#
# CLIP has two towers, one for pictures and one for words, trained so that a picture and its text land close together.
# For a batch of $N$ pairs with cosines $s_{pq}$ and temperature $\tau$ the loss is
#
# $$L = -\frac{1}{2N} \sum_p \Big[ \log \frac{e^{s_{pp}/\tau}}{\sum_q e^{s_{pq}/\tau}}
#       + \log \frac{e^{s_{pp}/\tau}}{\sum_q e^{s_{qp}/\tau}} \Big].$$
#
# A tenth of the items is kept aside. The validation curve says how often an item of this tenth finds its own picture
# among the ten best for its text.

# %%
clip, tuning = mm.encoder(catalogue, encoder, epochs=encoder_epochs, lr=encoder_lr)
mm.show.curves(tuning) if tuning else clip.about

# %% [markdown]
# ## The vectors
#
# Texts longer than the encoder's context are read window by window and averaged, never cut. A picture that is missing or
# broken gets no vector; it is listed here, and models that need one say what they put in its place.

# %%
features = mm.extract(catalogue, clip)
features

# %%
mm.show.problems(features)

# %% [markdown]
# Vectors can leak: a user's text that holds a test review, features of another split, vectors fitted to test purchases.

# %%
leaks = mm.audit_of(catalogue, features=features, context=clip.context)
mm.show.facts({"audit": {"worst": leaks.worst, "found": leaks.summary()}})

# %% [markdown]
# How long are the vectors, and how alike are two items? If all cosines crowd near one, the encoder tells little apart.
# Items of the same category should be closer than others.

# %%
mm.show.vectors(features, catalogue)

# %% [markdown]
# ## Does a picture know its text?
#
# The mean cosine of an item's own picture and text, beside that of two different items. The gap is what picture and words
# have in common.

# %%
both = features.present["image"] & features.present["text"]
agreement = mm.show.pair_cosine(features.item["image"][both], features.item["text"][both])
page.record(agreement=agreement, missing={row["modality"]: row["missing"] for row in features.summary()})
mm.show.facts({"cosine of picture and text": agreement})

# %% [markdown]
# ## Neighbours
#
# Choose an item: what do its picture and its words call similar? In a report this shows one item; in JupyterLab, any.

# %%
mm.show.explore.items(catalogue, features, item=None if item < 0 else item)

# %% [markdown]
# How often are the nearest neighbours of the same category? Chance is what a random pair of items would give.

# %%
purity = mm.show.neighbour_purity(catalogue, features, k=nearest)
page.record(purity={row["modality"]: row["same category"] for row in purity.to_dict("records")})
purity

# %% [markdown]
# ## The answer
#
# The larger the gap to chance, the more a modality knows of what an item is. Whether that is also what buyers care about is
# the question of the pages that follow.

# %%
mm.show.purity_answer(purity)
