"""Audits, made once, and gathered in the run's folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import audit as auditing
from ..audit.report import Audit
from ..core.dataset import Dataset
from ..core.features import Features
from ..core.files import digest, read_json, whole, write_json
from .cache import cached


def audited(
    data: Dataset,
    folder: Path,
    features: Features | None = None,
    graphs: Mapping[str, Any] | Sequence[Any] = (),
    context: int | None = None,
) -> Audit:
    """What ``audit.audit`` finds, from the cache where it was found before.

    It is joined with what the run's folder holds of the same split, and kept there for the report.
    """
    from ..show.audit import audit_html

    def found(inputs: dict[str, Any], **options: Any) -> Audit:
        def build(entry: Path) -> None:
            write_json(entry / "audit.json", auditing.audit(data, **options).to_json())

        return cached("audit", {"data": data.key, "name": data.name} | inputs, build, _read, code=[auditing.audit])

    said = found({}, only=[name for name in auditing.CHECKS if name not in auditing.OF_GIVEN])
    if features is not None or len(graphs) or context:
        named = graphs.items() if isinstance(graphs, Mapping) else enumerate(graphs)
        keys = [(str(name), digest(one.key, one.about)) for name, one in named]
        inputs = {"features": features and features.key, "graphs": keys, "context": context}
        options = {"features": features, "graphs": graphs, "context": context}
        said = said.joined(found(inputs, only=auditing.OF_GIVEN, **options))
    if (folder / "audit.json").exists():
        before = _read(folder)
        said = before.joined(said) if (before.dataset, before.passport) == (said.dataset, said.passport) else said
    with whole(folder / "audit.html") as partial:
        partial.write_text(audit_html(said, data), encoding="utf-8")
    write_json(folder / "audit.json", said.to_json())
    return said


def _read(folder: Path) -> Audit:
    return Audit.from_json(read_json(folder / "audit.json"))
