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
batch_size: int = 512  # purchases a step; the papers take 2048 for catalogues a hundred times larger
dim: int = 64  # width of all vectors that score
k: list[int] = [10, 20]  # lengths of the recommended lists
few: int = 5  # "few purchases": items bought at most so often in the training part
seed: int = 0  # of initial weights, shuffling and negatives

# %%
import mmlib as mm

page = mm.begin("03_pretrain", globals())

# %%
reading = {"columns": columns, "reader": reader, "clean": clean, "shop": shop}
catalogue = mm.load(dataset, split=split, split_seed=split_seed, **reading)
clip, tuning = mm.encoder(catalogue, encoder, epochs=encoder_epochs, lr=encoder_lr)
features = mm.extract(catalogue, clip)

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
mm.seed(seed)
options = {"modalities": modalities, "cima_weight": cima_weight, "contrast": contrast, "neighbours": neighbours}
mmcpr = mm.MMCPR(catalogue, features, dim=dim, **options)
mm.show.facts({"value": mmcpr.describe()})

# %% [markdown]
# ## Training
#
# The loss has two terms (eq. 16): contrastive alignment of an item's text and picture, weighted by $\lambda$, and the
# binary cross-entropy of $\langle e_u, e_i \rangle$ on purchases and sampled zeros, weighted by $1 - \lambda$.

# %%
training = {"epochs": pretrain_epochs, "lr": pretrain_lr, "batch_size": batch_size, "seed": seed}
done = mm.fit(mmcpr, keep="last", patience=None, metric=f"recall@{max(k)}", **training)
mm.show.curves(done)

# %% [markdown]
# ## Do text and picture find each other?
#
# This is what the alignment (CIMA, eq. 11) is for. Each text looks for the picture of its own item among those of all items,
# by cosine: first in the encoder's space, then in MMCPR's common space. Own pairs should be closer than others, and a text
# should find its picture more often than with the raw encoder. With `contrast = "printed"` it does not.

# %%
found = mm.text_to_image(features, after_pre_training=done.model)
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
judged = {"part": "valid", "k": k, "few": few}
scores = {"random": mm.evaluate(mm.BPR(catalogue, dim=dim), label="random", **judged)}
scores["MMCPR"] = mm.evaluate(done, label="MMCPR", **judged)
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
