# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Graphs: who bought what, who resembles whom
#
# **What do the purchases connect, and does content connect the same items?** Graph models pass vectors along edges. This
# page builds the three kinds of edges that the workbook uses, from training purchases only, and looks at them.

# %% tags=["parameters"]
dataset: str = "toy"  # "toy" (the generated shop), a folder, or a public name such as "amazon-2014/Baby"
encoder: str | dict = "small"  # "small" (trained here), "ViT-B-32/openai", "timm:NAME", "st:NAME", {image, text}...
neighbours: int = 10  # strongest co-interaction neighbours kept a node; 0 keeps all, as the paper does
nearest: int = 10  # neighbours a node in the content graphs
item: int | None = None  # the item to look at closely; none: that with most interactions

# %%
import mmlib as mm

page = mm.begin("02_graphs", globals())

# %%
catalogue = page.catalogue()
features = page.features(catalogue)

# %% [markdown]
# ## The long tail
#
# A few items are bought by many, most by few; the same holds for users. Where the curve falls steeply, a recommender
# has little to learn from, and content matters most.

# %%
mm.show.long_tail(catalogue)

# %% [markdown]
# ## Co-interaction graphs
#
# Two users are neighbours if they bought a common item, two items if they have a common buyer (MMCPR, section 3.3). Every
# such pair is an edge; `neighbours` keeps only the strongest. MMCPR sums neighbours with the one-sided weight of its eq. 1,
#
# $$e_u^{(l+1)} = \sum_{u' \in N_u} \frac{1}{\sqrt{|N_u|}} e_{u'}^{(l)},$$
#
# so a node with many neighbours gets a long vector; LightGCN's symmetric weight does not do that.

# %%
people = mm.co_interaction(catalogue, "users", neighbours=neighbours)
items = mm.co_interaction(catalogue, "items", neighbours=neighbours)
audit = page.audit(catalogue, graphs={"users": people, "items": items})
mm.show.degrees({"users": people, "items": items})

# %%
facts = {"users": people.summary(), "items": items.summary()}
page.record(graphs=facts)
mm.show.facts(facts)

# %% [markdown]
# ## Content graphs
#
# Here an item's neighbours are the items with the closest vectors by picture or by text (MICRO and FREEDOM build on these).

# %%
content = {name: mm.nearest_neighbours(features.filled(name), nearest) for name in features.item}
mm.show.facts({name: graph.summary() for name, graph in content.items()})

# %% [markdown]
# ## Do they agree?
#
# For each pair of graphs: the share of edges of the one that the other has too, beside the share that chance would give.
# High numbers say that content repeats what purchases know; low ones that it has something of its own to add, or noise.

# %%
strongest = mm.co_interaction(catalogue, "items", neighbours=nearest, weight="count", normalisation="none")
overlap = mm.show.graph_overlap({"purchases": strongest} | content)
page.record(overlap=overlap.to_dict("records"))
overlap

# %% [markdown]
# ## One item's neighbours
#
# Choose an item: its strongest neighbours by common buyers.

# %%
mm.show.explore.graph(catalogue, strongest, item=item)

# %% [markdown]
# ## The answer
#
# Where purchases and content agree far more than chance, they tell one story twice; where they do not, a model that reads
# both has more to work with.

# %%
mm.show.overlap_answer(overlap)
