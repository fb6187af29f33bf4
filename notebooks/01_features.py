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
encoder: str | dict = "small"  # "small" (trained here), "ViT-B-32/openai", "timm:NAME", "st:NAME", {image, text}...
encoder_epochs: int = 20  # passes over the catalogue's own image-text pairs; 0 keeps a pre-trained encoder
encoder_lr: float = 0.001  # learning rate of the encoder
nearest: int = 10  # neighbours a node in the content graphs
item: int | None = None  # the item to look at closely; none: that with most interactions

# %%
import mmlib as mm

page = mm.begin("01_features", globals())

# %% [markdown]
# ## The catalogue

# %%
catalogue = page.catalogue()
catalogue

# %% [markdown]
# What reading found and dropped stands below the table. The audit looks further: copies, placeholders, missing content,
# users and items that only the test part knows, and how small a difference this test part can still resolve. It is a page
# of its own in every report.

# %%
page.audit(catalogue)

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
#
# Other encoders are taken as they are: one for pictures (`"timm:..."`) or words (`"st:..."`), one of each side by side, or
# vectors that somebody else extracted (`"features:..."`).

# %%
model, tuning = page.encoder(catalogue)
mm.show.curves(tuning)

# %% [markdown]
# ## The vectors
#
# Texts longer than the encoder's context are read window by window and averaged, never cut. A picture that is missing or
# broken gets no vector; it is listed here, and models that need one say what they put in its place.

# %%
features = page.features(catalogue)
features

# %%
mm.show.encoder(features)

# %%
mm.show.problems(features)

# %% [markdown]
# Vectors can leak: a user's text that holds a test review, features of another split, vectors fitted to test purchases.

# %%
leaks = page.audit(catalogue, features=features, context=model.context)
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
# have in common. It means something only where one encoder was trained to bring both to one space.

# %%
mm.show.space(features)

# %%
agreement = mm.show.agreement(features)
page.record(agreement=agreement, missing={row["modality"]: row["missing"] for row in features.summary()})
mm.show.facts({"cosine of picture and text": agreement})

# %% [markdown]
# ## Neighbours
#
# Choose an item: what do its picture and its words call similar? In a report this shows one item; in JupyterLab, any.

# %%
mm.show.explore.items(catalogue, features, item=item)

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
