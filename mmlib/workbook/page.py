"""A page that is running: what it does first, ``mm.begin``, the steps that its parameters describe, and its record.

The steps are those that a notebook would call by hand, ``mm.load``, ``mm.extract``, ``mm.fit`` ...; like them they
import PyTorch only when they are used.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mmlib as mm

from ..core.encoder_names import only, shares_space
from ..core.errors import InputError
from ..core.files import digest, read_json, write_json
from .declaration import NOT_PARAMETERS, check
from .environment import environment, one_line
from .kernel import LeftOut
from .parameters import PAGES, STUDY, in_cell, known_parameters
from .paths import notebooks, outputs, project, short
from .planned_run import check_together, completed
from .record import record

if TYPE_CHECKING:
    from ..audit.report import Audit
    from ..encoders import Encoder, Published

PAIRS = 20  # items with both image and text, the least that an encoder is tuned on
ABLATIONS = {"mmcpr without cima": 0.0, "mmcpr without bce": 1.0}  # lambda of eq. 16; MMCPR's table 3
SHARED = ("dim", "layers", "candidates", "l2", "start_scale", "start_centre")  # options that many recommenders have
# what the workbook takes where papers leave it open
OPEN: dict[str, Any] = {"lightgcn": {"layers": 2}, "mixgcf": {"layers": 2}, "ngcf": {"layers": 2, "l2": 1e-4}}
TRAINING = ("epochs", "lr", "batch_size", "patience")
_PLAIN = (str, int, float, bool, list, dict, tuple, type(None))


@dataclass(frozen=True)
class Page:
    """A page that is running.

    Args:
        name: such as ``"04_recommend"``.
        folder: the run's folder.
        parameters: what this page reads, and the values.
    """

    name: str
    folder: Path
    parameters: dict[str, Any] = field(default_factory=dict)

    def value(self, name: str) -> Any:
        """The value of a parameter that this page reads."""
        if name in self.parameters or self.name in PAGES:
            return self.parameters[name]
        return STUDY[name].default  # a page of somebody's own may read all

    def catalogue(self) -> "mm.Dataset":
        """The catalogue, read, cleaned and split; its audit goes into the run's report."""
        names = ("dataset", "split", "split_seed", "columns", "reader", "clean", "shop")
        data = mm.load(**{name: self.value(name) for name in names})
        self.audit(data)
        return data

    def encoder(self, data: "mm.Dataset") -> "tuple[Encoder | Published, mm.Fit | None]":
        """The encoder, and how its tuning on the catalogue's image-text pairs went (``None`` without tuning).

        Raises:
            LeftOut: where the catalogue has too little content for it.
        """
        if lacks := self._lacks(data):
            raise LeftOut(f"{self.name} is left out: {lacks}")
        name, epochs, lr = (self.value(key) for key in ("encoder", "encoder_epochs", "encoder_lr"))
        made, tuning = mm.encoder(data, name, epochs=epochs, lr=lr)
        if epochs and not shares_space(name) and epochs != STUDY["encoder_epochs"].default:
            self.note(f"encoder_epochs = {epochs} is without effect on {made.name}, which is taken as it is.")
        if isinstance(made, mm.encoders.Published) and self.value("clean"):  # items were dropped on purpose
            made = replace(made, rows="some")
        return made, tuning

    def features(self, data: "mm.Dataset", *, if_needed: bool = False) -> "mm.Features | None":
        """Vectors of all images, texts and training reviews, knocked out where the parameters say so for training.

        Args:
            if_needed: ``None`` where neither the start nor the recommender reads content.

        Raises:
            LeftOut: where the catalogue has too little content.
        """
        from .named_models import reads_content

        read = reads_content(self.value("recommender"), self.value("model_options")) if if_needed else True
        if not read and self.starts_from(data) == "random":
            if self.parameters.get("knock_out", "none") != "none":
                self.note(f"Without effect: knock_out, as {self.value('recommender')} reads no content here.")
            return None
        return self._knocked_out(mm.extract(data, self.encoder(data)[0]), "training")

    def mmcpr(self, data: "mm.Dataset", features: "mm.Features", **options: Any) -> "mm.MMCPR":
        """MMCPR as the parameters describe it, from the seed's initial weights; train it with ``page.pretraining``."""
        from .fit import cached_searches

        if lacks := self._unaligned():
            raise LeftOut(f"{self.name} is left out: {lacks}")
        names = ("dim", "modalities", "cima_weight", "contrast", "neighbours")
        given = {name: self.value(name) for name in names} | options
        lists: dict[str, Any] = cached_searches(mm.MMCPR, data, features, **given)
        seed(self.value("seed"))
        return mm.MMCPR(data, features, **lists, **given)

    @property
    def pretraining(self) -> dict[str, Any]:
        """How MMCPR is trained: options of ``mm.fit``."""
        made = {"epochs": self.value("pretrain_epochs"), "lr": self.value("pretrain_lr")}
        made |= {name: self.value(name) for name in ("batch_size", "seed")}
        return made | {"keep": "last", "patience": None, "metric": f"recall@{max(self.value('k'))}"}

    def starts_from(self, data: "mm.Dataset") -> str:
        """The parameter ``start``, ``"auto"`` resolved: ``"mmcpr"`` where model and catalogue let it, else random."""
        from .named_models import takes_start

        asked = self.value("start")
        if asked != "auto":
            return str(asked)
        lacks = self._lacks(data) or self._unaligned()
        return "mmcpr" if takes_start(self.value("recommender")) and not lacks else "random"

    def start(self, data: "mm.Dataset", features: "mm.Features | None") -> "mm.Embeddings | None":
        """What the recommender's ID vectors start from: ``None`` (random), the content's mean, or MMCPR's vectors."""
        named = self.starts_from(data)
        if named == "random":
            if (lacks := self._lacks(data) or self._unaligned()) and self.value("start") == "auto":
                self.note(f"The start is random: {lacks}")
            return None
        if features is None:
            raise InputError(f'start = "{named}" needs features: give those of page.features(...).')
        if named == "content":
            seed(self.value("seed"))
            return mm.content_mean(data, features, dim=self.value("dim"))
        options = {"cima_weight": ABLATIONS[named]} if named in ABLATIONS else {}
        return mm.fit(self.mmcpr(data, features, **options), **self.pretraining).embeddings

    def recommender(
        self, data: "mm.Dataset", features: "mm.Features | None" = None, *, start: "mm.Embeddings | None" = None
    ) -> Any:
        """The recommender that the parameters describe, from the seed's initial weights.

        Parameters that were given and that this model does not have are said, here and in the report.
        """
        from .named_models import options_of

        name, own = self.value("recommender"), self.value("model_options")
        given = {key: self.value(key) for key in SHARED if self.value(key) is not None}
        known = options_of(name, own)
        seed(self.value("seed"))
        taken: dict[str, Any] = OPEN.get(name, {}) | {key: value for key, value in given.items() if key in known}
        model = mm.recommender(name, data, features, start=start, **(taken | own))
        ignored = [key for key in SHARED if key not in known]
        ignored += [] if any(True for _ in model.parameters()) else TRAINING
        said = [f"{key} = {self.value(key)}" for key in ignored if self.value(key) != STUDY[key].default]
        if said:
            self.note(f"Without effect on {name}, which has no such option: {', '.join(said)}.")
        return model

    @property
    def training(self) -> dict[str, Any]:
        """How the recommender is trained: options of ``mm.fit``."""
        made = {name: self.value(name) for name in (*TRAINING, "seed")}
        return made | {"metric": f"recall@{max(self.value('k'))}", "candidates": self.parameters.get("ranked", "all")}

    def scores(self, fit: Any, label: str = "", **options: Any) -> "mm.Scores":
        """The lists of a trained model, judged as the parameters say; ``options`` of ``mm.evaluate`` go before them.

        Args:
            label: by default the recommender and its start, such as ``"lightgcn from mmcpr"``.
        """
        names = {"part": "part", "k": "k", "few": "few", "ranked": "candidates", "mask_valid": "mask_valid"}
        judged = {option: self.parameters[name] for name, option in names.items() if name in self.parameters}
        label = label or f"{self.value('recommender')} from {self.starts_from(fit.model.data)}"
        return mm.evaluate(fit, label=label, **(judged | options))

    def after_knock_out(self, done: "mm.Fit", data: "mm.Dataset", features: "mm.Features | None") -> "mm.Fit":
        """The trained model as it is, or, under ``knock_out_at = "test"``, reading knocked-out content.

        Args:
            features: that it was trained on.

        Raises:
            InputError: as ``evaluation.knock_out.with_weights_of``.
        """
        from ..evaluation.knock_out import with_weights_of

        if features is None or (gone := self._knocked_out(features, "test")) is features:
            return done
        return replace(done, model=with_weights_of(self.recommender(data, gone), done.model))

    def _knocked_out(self, features: "mm.Features", at: str) -> "mm.Features":
        from ..evaluation.knock_out import NOTHING, knock_out, parse

        asked = parse(self.parameters.get("knock_out", NOTHING))
        if asked is None or self.parameters["knock_out_at"] != at:
            return features
        return knock_out(features, *asked, seed=self.value("seed"))

    def but(self, **values: Any) -> "Page":
        """The same page with other values of some parameters, such as ``page.but(encoder_epochs=1).features(data)``.

        Raises:
            InputError: for an unknown name, and values that cannot be.
        """
        given = self.parameters | check(values, STUDY)
        check_together(given)
        return replace(self, parameters=given)

    def audit(
        self,
        data: "mm.Dataset",
        *,
        features: "mm.Features | None" = None,
        graphs: Mapping[str, Any] | Sequence[Any] = (),
        context: int | None = None,
    ) -> "Audit":
        """Look for what voids or bends results, see ``audit.audit``; the report shows what all pages of a run found.

        Args:
            features, graphs: what models will read, if it is there yet.
            context: tokens of a text that the encoder reads; 0 for one that reads none.
        """
        from .audits import audited

        return audited(data, self.folder, features, graphs, context or None)

    def record(self, *scores: "mm.Scores", **found: Any) -> None:
        """Keep what the page found, see ``record.record``; ``scores`` under their labels."""
        record(self.folder, self.name, {one.label: one for one in scores} | found)

    def note(self, text: str) -> None:
        """Say something about this run, in the page's output and, once, in its report."""
        path = self.folder / "pages" / f"{self.name}.metrics.json"
        before = read_json(path).get("notes", []) if path.exists() else []
        print(text, flush=True)
        self.record(notes=[*before, *([] if text in before else [text])])

    def _unaligned(self) -> str:
        """Why MMCPR cannot read what the encoder gives, and what to do about it; empty where it can."""
        kind, asked = only(self.value("encoder")), self.value("modalities")
        lost = {"image": "T", "text": "V"}.get(kind, "")
        if not kind or lost not in asked:
            return ""
        return (
            f"the encoder {self.value('encoder')} gives {kind} vectors alone, and MMCPR with modalities = {asked!r} "
            'reads text and image. Give one for each, encoder: {"image": "timm:...", "text": "st:..."}; or leave '
            f"{lost} out of modalities, with cima_weight 0."
        )

    def _lacks(self, data: "mm.Dataset") -> str:
        """What the catalogue lacks for the encoder, and what to do about it; empty where it has enough."""
        titles, texts, images = (data.items[name].astype(str).str.strip() != "" for name in ("title", "text", "image"))
        written, pairs = int((titles | texts).sum()), int(((titles | texts) & images).sum())
        if not written and not images.any():
            return f"{data.name} has neither images nor texts. Bring a table of items with titles, texts or images."
        if self.value("encoder_epochs") and pairs < PAIRS and shares_space(self.value("encoder")):
            return (
                f"{pairs} items of {data.name} have both an image and a text, and an encoder learns from at least "
                f"{PAIRS} pairs. Bring more, or give a pre-trained encoder, such as -p encoder ViT-B-32/openai "
                "-p encoder_epochs 0."
            )
        return ""


def begin(page: str, variables: Mapping[str, Any]) -> Page:
    """Check the parameters, open the run's folder and print what the page runs on; the first thing a page does.

    papermill injects any name that it is given, so each plain value with a lower-case name in ``variables`` must
    be a parameter of some page. Run by hand a second time in the same kernel, when the page's own variables are
    there too, only the values of known names are checked.

    Args:
        page: the page's name, such as ``"04_recommend"``.
        variables: the page's ``globals()``.

    Raises:
        InputError: for unknown names (with the closest known one), wrong types, values out of range, and values that
            do not go together.
    """
    folder = notebooks()
    in_cell(folder / f"{page}.py")  # says where there is no such page
    known = known_parameters(folder)
    given = {name: value for name, value in variables.items() if _is_given(name, value)}
    if any(isinstance(value, Page) for value in variables.values()):
        given = {name: value for name, value in given.items() if name in known}
    parameters, _ = completed(folder, [page], check(given, known))
    named = os.environ.get("MMLIB_RUN")
    if parameters.get("threads") and not named:  # a run starts its kernel with them
        import torch

        torch.set_num_threads(parameters["threads"])
    where = Path(named) if named else outputs() / "runs" / f"{page}-{digest(parameters)[:8]}"
    if not named:  # an earlier run by hand; a study's pages add up
        (where / "audit.json").unlink(missing_ok=True)
    facts = environment(project() or folder)
    write_json(where / "env.json", facts)
    print(f"{one_line(facts)} -> {short(where)}", flush=True)
    return Page(page, where, parameters)


def seed(value: int) -> None:
    """Seed what models draw their initial weights from."""
    import torch

    torch.manual_seed(value)


def _is_given(name: str, value: Any) -> bool:
    """Whether papermill may have injected it; ``-f FILE`` brings the file's ``about`` and ``pages`` too."""
    plain = name == name.lower() and not name.startswith("_") and isinstance(value, _PLAIN)
    return plain and name not in NOT_PARAMETERS
