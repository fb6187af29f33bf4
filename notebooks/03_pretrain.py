# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Pre-training: MMCPR
#
# **What does MMCPR learn from reviews, words, pictures and co-purchases before any recommender is trained?** This page
# trains it, shows its losses and where its attention goes, and ranks with its vectors as they are.

# %% tags=["parameters"]
dataset: str = "toy"  # "toy" (the generated shop), a folder, or a public name such as "amazon-2014/Baby"
modalities: str = "RTVG"  # of MMCPR: any of R reviews, T text, V image, G graph
cima_weight: float = 0.2  # lambda of eq. 16: 0 is "without CIMA", 1 is "without BCE"
contrast: str = "softmax"  # eq. 11 as the paper describes it; "sigmoid": with a learnt bias; "printed": it pushes apart
neighbours: int = 10  # strongest co-interaction neighbours kept a node; 0 keeps all, as the paper does
pretrain_epochs: int = 30  # passes of MMCPR over the training interactions
pretrain_lr: float = 0.01  # learning rate of MMCPR; the paper tries 0.0001 to 0.01
dim: int = 64  # width of all vectors that score
k: list[int] = [10, 20]  # lengths of the recommended lists
seed: int = 0  # of initial weights, shuffling and negatives

# %%
import mmlib as mm

page = mm.begin("03_pretrain", globals())

# %%
catalogue = page.catalogue()
features = page.features(catalogue)

# %% [markdown]
# ## The model
#
# Each modality $m$ is projected to a common space, and attention adds the projections up (eqs. 6-8 for users, 12-14 for
# items):
#
# $$e = \sum_m \alpha^m e'^m, \qquad e'^m = W_m^\top e^m + b^m, \qquad
# \alpha^m = \frac{\exp(\mathrm{ReLU}(a^\top e'^m))}{\sum_j \exp(\mathrm{ReLU}(a^\top e'^j))}.$$
#
# The graph modality is LightGCN's mean over layers above trainable vectors. Where the paper leaves a choice open, it is
# an option of the model with the paper's reading as default; here are all of them, with the values of this run.

# %%
mmcpr = page.mmcpr(catalogue, features)
mm.show.facts({"value": mmcpr.describe()})

# %% [markdown]
# ## Training
#
# The loss has two terms (eq. 16): contrastive alignment of an item's text and picture, weighted by $\lambda$, and the
# binary cross-entropy of $\langle e_u, e_i \rangle$ on purchases and sampled zeros, weighted by $1 - \lambda$.

# %%
done = mm.fit(mmcpr, **page.pretraining)
mm.show.curves(done)

# %% [markdown]
# ## Do text and picture find each other?
#
# This is what the alignment (CIMA, eq. 11) is for. Each text looks for the picture of its own item among those of all items,
# by cosine: first in the encoder's space, then in MMCPR's common space. Own pairs should be closer than others, and a text
# should find its picture more often than with the raw encoder. With `contrast = "printed"` it does not.

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
# ## Where the attention goes
#
# One share per user or item and modality, adding up to one. A modality whose share hardly varies is weighed, not chosen.

# %%
mm.show.attention(done.model.attention())

# %% [markdown]
# ## How long are the vectors?
#
# A recommender started from these vectors feels their length: Adam moves each number by about the learning rate a step,
# so vectors thirty times longer than a random start hardly turn. That is why length and centring of a start are options.

# %%
mm.show.vectors({"items": done.embeddings.items}, catalogue)

# %% [markdown]
# ## Ranking with them as they are
#
# Before any recommender: how good are the lists of the pre-trained vectors on the validation part? Random vectors beside
# them are chance.

# %%
mm.seed(seed)
chance = mm.BPR(catalogue, dim=dim)
scores = {"random": page.scores(chance, "random", part="valid"), "MMCPR": page.scores(done, "MMCPR", part="valid")}
page.record(*scores.values(), embeddings=done.embeddings.key)
mm.show.table(scores)

# %% [markdown]
# ## The answer
#
# A clear gap to chance says that the vectors hold something that a recommender can start from. Whether it keeps that lead
# once it trains on purchases itself is what the next page measures.

# %%
mm.show.text_and_image_answer(found)

# %%
mm.show.verdict(mm.compare(scores["MMCPR"], scores["random"], f"recall@{max(k)}", "all"))
