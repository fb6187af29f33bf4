"""Under which protocol each published figure was taken, in the papers' words where they have any.

"Not said" is what a paper leaves open. What only its public code shows is marked so.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path


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


def protocols() -> dict[str, Protocol]:
    """All protocols of the registry, ``protocols.json``, by their tags."""
    table = json.loads(Path(__file__).with_name("protocols.json").read_text(encoding="utf-8"))
    return {one["tag"]: Protocol(**one | {"lengths": tuple(one["lengths"])}) for one in table}
