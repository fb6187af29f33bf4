"""Under which protocol each published figure was taken, in the papers' words where they have any.

"Not said" is what a paper leaves open. What only its public code shows is marked so.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Protocol:
    """What has to agree before two figures may be ranked against each other.

    Args:
        tag: its name in ``published.csv`` and in parameters.
        source: where the figures stand.
        split: how interactions were parted.
        candidates: which items are ranked.
        masked: which known positives are taken out of the candidates at test.
        lengths: the k of Recall@k and the others.
        chosen: on which part hyper-parameters and the stopping point were chosen.
        features: what the items' vectors were made by.
        note: what else keeps a reader from comparing.
    """

    tag: str
    source: str
    split: str
    candidates: str
    masked: str
    lengths: tuple[int, ...]
    chosen: str
    features: str
    note: str = ""

    def words(self) -> dict[str, str]:
        """Each aspect in words, the tag left out."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "tag"}
        return found | {"lengths": ", ".join(map(str, self.lengths))}


def differences(a: Protocol, b: Protocol) -> list[str]:
    """The aspects in which two protocols are not said to agree: a sentence each, empty for the same protocol."""
    if a == b:
        return []
    return [
        f"{name}: {a.words()[name]} ({a.tag}); {b.words()[name]} ({b.tag})"
        for name in ("split", "candidates", "masked", "chosen")
        if a.words()[name] != b.words()[name]
    ]


_MMREC = {
    "source": "MMRec, evaluation/README.md (Zhou et al., arXiv 2302.04473)",
    "candidates": "all items",
    "masked": "training items; validation items are not masked (public code)",
    "chosen": "hyper-parameters on the test part, stopping on validation Recall@20 (public code)",
    "features": "published 4,096-d CNN image vectors, 384-d sentence vectors",
}
_PROBE = {
    "source": "AlignRec (CIKM 2024), table 3",
    "candidates": "a candidate set that is not described",
    "masked": "not said",
    "chosen": "nothing is trained",
    "features": "Amazon: published vectors; CLIP: fine-tuned; AlignRec: its own encoder; text and image concatenated",
}
_ALL = (
    Protocol(
        tag="mmcpr",
        source="MMCPR (ICMR 2022), tables 2 and 3",
        split="80 % of each user's interactions at random for training, the rest for test; no validation part is named",
        candidates="all items that the user has not interacted with",
        masked="training items",
        lengths=(20, 40, 60),
        chosen="grid search; on which part is not said, the best results are reported",
        features="CLIP, 512-d text and image vectors, not fine-tuned",
        note="Every start is trained on by LightGCN with MixGCF (64 candidates, 1000 epochs). Sharee has no reviews. "
        "'change' is the printed decline against the whole MMCPR.",
    ),
    Protocol(
        tag="alignrec",
        source="AlignRec (CIKM 2024), tables 2 and 4 to 10",
        split="8:1:1 of each user's interactions in 5-core data, as MMRec",
        candidates="all items",
        masked="not said; the public code masks training items only",
        lengths=(10, 20),
        chosen="stopping on validation Recall@20; hyper-parameters by a grid, in the public code on the test part",
        features="its own BEiT-3 encoder, trained on the catalogues before the 5-core filter; 768-d",
        note="* means p < 0.01 in a t-test against the best baseline. Table 8 holds means and standard deviations of "
        "5 seeds, the other tables one run. In table 4, BM3's features are frozen.",
    ),
    Protocol(
        tag="alignrec zero-shot",
        split="a user's last interaction is the target, the earlier ones the history; nothing is trained",
        lengths=(10, 20, 50),
        note="The user is the mean of the history's vectors; half of the items' images or texts are masked where said.",
        **_PROBE,
    ),
    Protocol(
        tag="alignrec item-CF",
        split="an item's target is the item with the highest item-CF score; nothing is trained",
        lengths=(10, 20, 50),
        **_PROBE,
    ),
    Protocol(
        tag="micro",
        source="MICRO, tables 2 to 4",
        split="80/10/10 of each user's interactions; in which order is not said",
        candidates="not said",
        masked="not said",
        lengths=(20,),
        chosen="hyper-parameters by a grid on validation, stopping on validation Recall@20",
        features="published 4,096-d CNN image vectors, 1,024-d sentence vectors",
        note="The public code takes NDCG's ideal from the hits that were found, which gives more than the usual NDCG. "
        "'improvement' is printed: over the best baseline (table 2), over the model with features (table 3).",
    ),
    Protocol(
        tag="lmm",
        source="Large Multi-modal Encoders for Recommendation (WSDM 2024), tables 1 and 3 to 5",
        split="8:1:1 at random",
        candidates="all items",
        masked="not said",
        lengths=(10, 20),
        chosen="hyper-parameters on validation; stopping when the validation loss has not fallen for 50 epochs",
        features="CNN and Sentence-Transformer, or CLIP ViT-B/16, or VLMo-Base Plus, as the variant says",
        note="Its 5-core data differ a little (Baby: 7,037 items, not 7,050). * means p < 0.05 in a paired t-test: in "
        "table 3 against the model with CNN and Sentence-Transformer, above or below it; in table 4 against the best "
        "of the encoder's three variants, with Holm's correction; in table 5 against both modalities.",
    ),
    Protocol(tag="mmrec", split="8:1:1 of each user's interactions at random", lengths=(10, 20, 50), **_MMREC),
    Protocol(
        tag="mmrec random",
        split="8:1:1 of each user's interactions at random",
        lengths=(10, 20),
        note="Another draw of the split than mmrec's, for comparison with the two splits by time.",
        **_MMREC,
    ),
    Protocol(
        tag="mmrec user time",
        split="8:1:1 of each user's interactions in the order of time",
        lengths=(10, 20),
        **_MMREC,
    ),
    Protocol(
        tag="mmrec global time",
        split="two cuts in time for all users, 8:1:1; users without training interactions are left out",
        lengths=(10, 20),
        **_MMREC,
    ),
)


def protocols() -> dict[str, Protocol]:
    """All protocols of the registry by their tags."""
    return {one.tag: one for one in _ALL}
