# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Probes: judge features first, and see whether they are used
#
# **Which features are good before a recommender is trained on them, and does a recommender use its content at all?**
# Training a recommender to find out whether an encoder suits a catalogue is slow, and the answer depends on the recommender.
# AlignRec (section 4.4.2) asks the vectors themselves. And a good Recall of a model that reads images and text does not
# show that it needs them: give it the content of other items, and see what is lost. The answer comes first, then its parts.

# %% tags=["parameters"]
dataset: str = "toy"  # "toy" (the generated shop), a folder, or a public name such as "amazon-2014/Baby"
encoder: str | dict = "small"  # "small" (trained here), "ViT-B-32/openai", "timm:NAME", "st:NAME", {image, text}...
encoder_epochs: int = 20  # passes over the catalogue's own image-text pairs; 0 keeps a pre-trained encoder
rivals: list[dict] = [{"encoder": "small", "encoder_epochs": 1}]  # other encoders to rank beside it
content_recommender: str = "freedom"  # the recommender whose content is knocked out
knock_outs: list[str] = []  # how, such as ["zero text"]; empty: permute all, and each alone
knock_out_seeds: int = 1  # how many seeds it is trained with, whole and knocked out
finished_sweep: str = ""  # folder of a finished sweep over knock_out, read in place of trainings; empty: trained here
epochs: int = 200  # passes of the recommender over the training interactions, at most
k: list[int] = [10, 20]  # lengths of the recommended lists
seed: int = 0  # of initial weights, shuffling and negatives

# %%
import mmlib as mm
from mmlib.evaluation.feature_sets import cold_part, compare_sets, geometry_table, probe_table
from mmlib.evaluation.item_vectors import centred
from mmlib.evaluation.knock_out import knock_out, knock_out_pairs, of_one_recommender
from mmlib.evaluation.protocols import protocols
from mmlib.evaluation.published import published
from mmlib.workbook.knock_outs import knocked_out, probed
from mmlib.workbook.sweep_results import sweep_methods

page = mm.begin("06_probes", globals())

# %% [markdown]
# The feature sets: the study's encoder, its rivals, and, as the floor, the study's vectors given to the wrong items.

# %%
catalogue = page.catalogue()
asked = [page, *(page.but(**rival) for rival in rivals)]
sets = {f"{one.value('encoder')}, epochs {one.value('encoder_epochs')}": one.features(catalogue) for one in asked}
features = next(iter(sets.values()))
sets["content of other items"] = knock_out(features, "permute", seed=seed)

# %%
cold, knn = cold_part(catalogue, seed=seed), {"content kNN, cold items": {}, "content kNN, cold items, centred": {}}
for name, one in sets.items():
    for probe, vectors in zip(knn, (one, centred(one))):
        model = mm.recommender("itemknn", cold, vectors, on="content")
        knn[probe][name] = mm.evaluate(model, cold, k=k, candidates="cold")
probes = probe_table(catalogue, sets, k=max(k), knn=knn, cold=cold)
apart = compare_sets(catalogue, sets, k=max(k))

# %%
reader, metric = page.but(recommender=content_recommender, model_options={}), f"recall@{max(k)}"
methods = sweep_methods(finished_sweep) or knocked_out(reader, catalogue, features, knock_outs, seeds=knock_out_seeds)
found = knock_out_pairs(methods, "lightgcn", metric)
own = of_one_recommender(found, methods)
foretold = probed(reader, catalogue, methods, k=max(k))

# %% [markdown]
# ## The answer, first

# %%
mm.show.probes_answer(probes, apart, own, foretold)

# %% [markdown]
# ## The probes
#
# **Zero-shot**: a user is the mean of the vectors of all items but the last one, $h^u = \frac{1}{|H_u|} \sum_{j \in H_u} h^j$.
# Is the last item among the $k$ whose vectors are most like it? **Item-CF**: of each item, the target is the other item
# that most people took together with it, $|U_j \cap U_i| / \sqrt{|U_j| |U_i|}$. Is it among the $k$ most like it in
# content? **Masked**: the same zero-shot when half of the items lose their image, or their text. Nothing is trained, and
# the test part is not read.
#
# **Cold items** are those that nobody took yet: a fifth of the items loses its interactions, and content alone has to say
# for whom they are. Vectors of many encoders share a large common part, which makes every item like every other; *centred*
# means that it is taken out. What to look for: sets right of the dotted line, and the same order in most panels.

# %%
mm.show.probe_ranking(probes, k=max(k))

# %% [markdown]
# Are two sets really apart? The zero-shot hits of the same users are compared, all pairs as one family.

# %%
mm.show.comparison(apart)

# %% [markdown]
# ## How the vectors lie
#
# The **modality gap** is the distance of the centres of images and texts, **alignment** that of an item's own two vectors, and
# **uniformity** says how evenly a modality fills its space. **Linear CKA** asks whether text and image call the same items
# alike, and needs no common space. They describe; whether a recommender profits, only the probes above and the knock-out
# below say.

# %%
mm.show.vector_geometry(geometry_table(sets))

# %% [markdown]
# ## The knock-out
#
# Each row is a recommender that reads content of the right items, or of others. *At test*: it was trained on the right
# content and then reads the wrong one, so it shows what the trained model relies on. *Retrained*: it learns with the wrong
# content from the start, so it shows what content brings that interactions do not. A permutation keeps every vector, so
# nothing but the link from content to item is lost; noise and zeros also change what vectors look like, and a random item
# graph can harm. That is why the last column has the distance to LightGCN, which reads interactions alone.

# %%
mm.show.knock_out_table(found, methods, metric=metric)

# %%
mm.show.comparison(own)

# %% [markdown]
# With one seed this is about other users of these trained models. `mmlib sweep params/sweeps/knock-out.yaml` asks every
# recommender over seeds; give the folder that it prints as `finished_sweep`, and this page shows its table.
#
# ## Do the probes foretell what training brings?
#
# Each marker is one feature set: its probe before training, and the Recall of a recommender trained on it. The sweep
# `params/sweeps/probes.yaml` has fifteen sets; with the few of this page alone the interval is wide.

# %%
mm.show.probe_prediction(foretold, metric=metric)

# %% [markdown]
# ## What has been published
#
# Ye et al. (ECIR 2026) knocked out the content of 14 models on three catalogues. Their protocol is their own; these
# figures cannot be ranked against those above. Their noise makes all vectors nearly parallel, and there is no row without
# content: MMRec's LightGCN has Recall@10 .0479 on Baby.

# %%
mm.show.published_knock_out(published("Baby", "recall@10", "mkf"), protocols()["mkf"].note)

# %% [markdown]
# ## The answer

# %%
page.record(probes=probes.astype(object).where(probes.notna(), None).to_dict("records"), knock_out=found.plain())
mm.show.probes_answer(probes, apart, own, foretold)
