# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Compare: which method is better, and how sure is that?
#
# **Which of a sweep's methods are better than others, and which only look so?** The page trains nothing. It reads the
# finished runs of a sweep, groups them into methods, and compares them user by user. With an empty `sweep` it shows what
# the papers published for `published_dataset`.

# %% tags=["parameters"]
sweep: str = ""  # folder of a finished sweep, such as "outputs/sweeps/starts-bcce35cd"; empty: published figures alone
by: list[str] = []  # parameters whose values make a method; empty: all that vary but the seeds
only: dict = {}  # keep the runs that have these values, such as {"epochs": 60}
vary: str = ""  # the parameter whose values are compared; empty: as the sweep says
baseline: str = ""  # the value of it that the others are compared with; empty: as the sweep says
metric: str = "recall@20"  # what the methods are compared by
level: float = 0.05  # a difference is significant when its corrected p is below this
published_dataset: str = ""  # the catalogue's name in the registry, such as "Baby"; empty: list all
published_protocol: str = ""  # tag of the published figures to show; empty: none, only which exist
mix_protocols: bool = False  # allow figures of different protocols in one list, each saying its own

# %%
import mmlib as mm
from mmlib.evaluation import Comparisons, compare_all, ranked
from mmlib.evaluation.protocols import protocols
from mmlib.evaluation.published import beside, coverage
from mmlib.workbook.sweep_results import against, sweep_baseline, sweep_methods, sweep_protocol

page = mm.begin("07_compare", globals())

# %%
methods = sweep_methods(sweep, by=by, only=only)
own = sweep_protocol(sweep) if methods else None
hint = "<p><b>No sweep is given</b>: run <code>mmlib sweep FILE</code>, then give the folder that it prints.</p>"
nothing = mm.show.Html('<p class="mm-note">No sweep is given.</p>')
mm.show.protocol(own, methods=len(methods)) if methods else mm.show.Html(hint)

# %% [markdown]
# ## May published figures stand beside these?
#
# Two figures can be ranked against each other only when they were taken under one protocol: the same split, candidates
# and masks, and hyper-parameters chosen on the same part. The registry says which figures exist for a catalogue, and
# under which protocol. Asking for one that differs from the sweep's stops here, before anything is drawn, and names the
# differences; `mix_protocols` puts them together all the same, with the protocol on every row (at the end of the page).

# %%
mm.show.listing(coverage(published_dataset or None))

# %%
means = ranked(methods, metric) if methods else None
options = {"measured": own, "mix": mix_protocols}
asked = (published_dataset, metric, published_protocol)
together = beside(means, *asked, **options) if published_protocol else None

# %% [markdown]
# ## The standings
#
# A mean has two sources of noise: other users would have given another one, and so would other seeds. The interval
# counts both. Whether one method is *better* than another is a different question, since both were scored on the same
# users: what is easy for one is easy for the other, and the noise that they share cancels in the difference. So look at
# the paired difference from the best, not at whether two intervals overlap.
#
# Each pair is one test, and many tests find something by chance. **All pairs of methods are one family**: Holm's correction
# over all of them gives each pair one p, which is the same wherever this page shows it, here, in the matrix and against
# the baseline. A difference is *significant* when that p is below `level`. **Bold is earned**: the best is bold only if it
# is significantly better than every other method. All that are not significantly worse are marked with ≈.

# %%
found = compare_all(methods, metric, level=level) if methods else Comparisons(())
mm.show.standings(methods, found, metric=metric) if methods else nothing

# %% [markdown]
# ## Who is better than whom?
#
# Each cell is the row's mean minus the column's, over the same users and seeds. Grey means that the difference is not
# significant, however large it looks in the table. Methods are numbered as above.

# %%
order = list(means["method"]) if methods else []
mm.show.pair_matrix(found, order) if methods else nothing

# %% [markdown]
# ## Against the baseline
#
# The question that the sweep was made for: what does another value of one parameter change, all else equal? These are
# some of the pairs above, with the same p. The index page of the sweep asks this question alone, about all items and
# those with few purchases; its family is smaller, and a difference may be significant there which is not so here.

# %%
vary, baseline = sweep_baseline(sweep, vary, baseline)
versus = against(found, methods, vary, baseline) if methods else found
mm.show.comparison(versus) if methods else nothing

# %% [markdown]
# ## What could have been seen?
#
# "Not significant" is not "equal". A test part with few users, or seeds that disagree, cannot resolve small differences.
# The bar is the smallest true difference that the comparison would find in four of five repetitions. Where it is wider
# than the effects that papers claim, more users or seeds are needed before anything is said.

# %%
mm.show.resolution(versus) if methods else nothing

# %% [markdown]
# ## For whom?
#
# The same metric on parts of the users and items. A start made of pictures and words should help most where purchases
# say least: items with few purchases. Slices with few users have wide intervals.

# %%
mm.show.scores({name: methods[name] for name in order}, metrics=[metric]) if methods else nothing

# %% [markdown]
# ## At what cost?
#
# Time and size as the runs recorded them, on the machine that they ran on. The time is the recommender's own; what its
# start took to be pre-trained, once for all runs, is not in it.

# %%
mm.show.costs(methods, metric=metric, cost="seconds") if methods else nothing

# %%
mm.show.costs(methods, metric=metric, cost="parameters") if methods else nothing

# %% [markdown]
# ## Beside the published figures
#
# Rows of one block were taken under one protocol. Read across blocks only what the protocols have in common.

# %%
known = protocols() | ({own.tag: own} if own else {})
none = mm.show.Html("<p>None was asked for: set published_protocol to one of the tags listed above.</p>")
mm.show.published_table(together, known) if published_protocol else none

# %% [markdown]
# ## The answer

# %%
best = means.to_dict("records")[0] if methods else {}
page.record(best=best, leaders=found.leaders, against_baseline=versus.plain())
mm.show.conclusion(found, versus, vary, baseline)
