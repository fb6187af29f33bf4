# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Alignment: do content and ID vectors speak one language?
#
# **Does an item's content lie close to its ID vector, and does pre-training bring them closer?** An item has two kinds of
# vectors: what its picture and text say, and what its place among the purchases says. AlignRec (fig. 4) draws both for the
# same items, joined by a line: long lines mean that a recommender has to translate.

# %% tags=["parameters"]
dataset: str = "toy"  # "toy" (the generated shop), a folder, or a public name such as "amazon-2014/Baby"
modalities: str = "RTVG"  # of MMCPR: any of R reviews, T text, V image, G graph
cima_weight: float = 0.2  # lambda of eq. 16: 0 is "without CIMA", 1 is "without BCE"
contrast: str = "softmax"  # eq. 11 as the paper describes it; "sigmoid": with a learnt bias; "printed": it pushes apart
pretrain_epochs: int = 30  # passes of MMCPR over the training interactions
pretrain_lr: float = 0.01  # learning rate of MMCPR; the paper tries 0.0001 to 0.01
dim: int = 64  # width of all vectors that score
seed: int = 0  # of initial weights, shuffling and negatives

# %%
import mmlib as mm

page = mm.begin("05_alignment", globals())

# %%
catalogue = page.catalogue()
features = page.features(catalogue)

# %% [markdown]
# ## Before and after
#
# In MMCPR's common space an item's content is the mean of its projected text and picture, $(e'^1 + e'^2)/2$, and its ID
# vector is the projected graph vector $e'^3$. "Before" is the untrained model. The number to watch is the mean cosine of an
# item's two vectors; the cosine of two different items is the yardstick, since a common direction lifts both.

# %%
mmcpr = page.mmcpr(catalogue, features)
before = mmcpr.content_and_ids()

# %%
done = mm.fit(mmcpr, **page.pretraining)
after = done.model.content_and_ids()

# %%
mm.show.alignment_pair(catalogue, before, after, seed=seed)

# %% [markdown]
# Hover over a point to see the item. Points of one colour are of one category; filled markers are content, open
# ones ID vectors. Distances between far groups mean nothing in such a map, neighbours do.

# %%
cosines = {"before": mm.show.pair_cosine(*before), "after": mm.show.pair_cosine(*after)}
page.record(cosine=cosines)
mm.show.facts(cosines)

# %% [markdown]
# ## Text and picture
#
# Content is two voices itself: does an item's text lie close to its own picture? The alignment of MMCPR (CIMA) is to bring
# them together, so that a text finds its picture among those of all items. The raw encoder, tuned on the same items, is
# the yardstick; chance is the floor.

# %%
mm.show.space(features)

# %%
found = mm.text_to_image(features, {"after pre-training": done.model})
retrieval = {name: one.summary() for name, one in found.items()}
page.record(text_to_image=retrieval)
mm.show.text_and_image(found)

# %%
mm.show.facts(retrieval)

# %% [markdown]
# ## How long to train?
#
# The same cosine after shorter pre-trainings. Move the slider.

# %%
stages = {}
for share in (0.1, 0.3, 1.0):
    epochs = max(1, round(share * pretrain_epochs))
    part = mm.fit(page.mmcpr(catalogue, features), **(page.pretraining | {"epochs": epochs}))
    stages[epochs] = mm.show.alignment(catalogue, *part.model.content_and_ids(), seed=seed)

# %%
mm.show.explore.values(stages, label="epochs of pre-training")

# %% [markdown]
# ## The answer

# %%
gap = {name: values["pairs"] - values["random"] for name, values in cosines.items()}
page.record(gap=gap)
print(f"Own pairs are closer than others by {gap['before']:+.3f} before and {gap['after']:+.3f} after pre-training.")

# %%
mm.show.text_and_image_answer(found)
