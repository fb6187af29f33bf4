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
    features: Features | None = None,
    graphs: Mapping[str, Any] | Sequence[Any] = (),
    context: int | None = None,
) -> Audit:
    """What ``audit.audit`` finds, from the cache where it was found before."""

    def found(inputs: dict[str, Any], **options: Any) -> Audit:
        def build(folder: Path) -> None:
            write_json(folder / "audit.json", auditing.audit(data, **options).to_json())

        return cached("audit", {"data": data.key, "name": data.name} | inputs, build, _read, code=[auditing.audit])

    of_data = found({}, only=[name for name in auditing.CHECKS if name not in auditing.OF_GIVEN])
    if features is None and not len(graphs) and not context:
        return of_data
    named = graphs.items() if isinstance(graphs, Mapping) else enumerate(graphs)
    keys = [(str(name), digest(one.key, one.about)) for name, one in named]
    inputs = {"features": features and features.key, "graphs": keys, "context": context}
    options = {"features": features, "graphs": graphs, "context": context}
    return of_data.joined(found(inputs, only=auditing.OF_GIVEN, **options))


def gathered(found: Audit, data: Dataset, folder: Path) -> Audit:
    """The audit joined with what the run's folder holds of the same split, and kept there for the report."""
    from ..show.audit import audit_html

    if (folder / "audit.json").exists():
        before = _read(folder)
        same = (before.dataset, before.passport) == (found.dataset, found.passport)
        found = before.joined(found) if same else found
    with whole(folder / "audit.html") as partial:
        partial.write_text(audit_html(found, data), encoding="utf-8")
    write_json(folder / "audit.json", found.to_json())
    return found


def _read(folder: Path) -> Audit:
    return Audit.from_json(read_json(folder / "audit.json"))
