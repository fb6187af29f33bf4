"""What an audit finds (every flaw is a line of ``flaws.csv``), and the report of all of it."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from html import escape
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from ..core.errors import InputError

MEANING = {  # worst first
    "leak": "held-out interactions are inside what a model may see; results with it are void",
    "warning": "may bend the results, or is a leak that is suspected and not proved",
    "note": "worth knowing when the results are read",
}
SEVERITIES = tuple(MEANING)
SHOWN = 6  # examples kept of each finding
# kind -> severity, what is said of it, and the remedy; names in braces are filled in by the checks
FLAWS = pd.read_csv(Path(__file__).with_name("flaws.csv"), index_col="kind").T.to_dict()


@dataclass(frozen=True)
class Example:
    """One case of a finding.

    Args:
        text: what it is, in a few words.
        items: original ids of the items in question.
        users: original ids of the users.
    """

    text: str
    items: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finding:
    """One kind of flaw.

    Args:
        kind: a short name, such as ``"same picture"``.
        severity: ``"leak"``, ``"warning"`` or ``"note"``; see ``MEANING``.
        count: how many; ``what`` says of what.
        what: one sentence.
        remedy: what to do, one sentence.
        examples: at most ``SHOWN``, in a fixed order.
    """

    kind: str
    severity: str
    count: int
    what: str
    remedy: str
    examples: tuple[Example, ...] = ()


def found(kind: str, count: int, examples: Iterable[Example] = (), *, severity: str = "", **said: Any) -> list[Finding]:
    """The finding of one of ``FLAWS``, or none where ``count`` is 0.

    Args:
        count: how many.
        examples: the first ``SHOWN`` are kept.
        severity: default: the usual one.
        said: what the texts in ``FLAWS`` have in braces.
    """
    if not count:
        return []
    flaw = FLAWS[kind]
    what = flaw["what"].format(count=count, **said)
    shown = tuple(islice(examples, SHOWN))
    return [Finding(kind.format(**said), severity or flaw["severity"], count, what, flaw["remedy"], shown)]


class NotMade(Exception):
    """A check that cannot be made; the message says why."""


@dataclass(frozen=True, repr=False)
class Audit:
    """All that was looked at, and what came of it.

    Args:
        dataset: its name.
        passport: the split's protocol, seed, counts, unseen users and items, hashes.
        findings: worst first.
        checked: names of all checks that were made, those that found nothing among them.
        clean: names of the checks that found nothing.
        not_made: name -> why, of the checks that could not be made.
        facts: numbers that every reader of results should know; plain values.
        notes: what reading the catalogue found and dropped, one sentence each.
    """

    dataset: str
    passport: dict[str, Any]
    findings: tuple[Finding, ...]
    checked: tuple[str, ...]
    clean: tuple[str, ...]
    not_made: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def worst(self) -> str:
        """The worst severity among the findings, or ``"clean"``."""
        found = {finding.severity for finding in self.findings}
        return next((severity for severity in SEVERITIES if severity in found), "clean")

    def of(self, kind: str) -> Finding | None:
        """The finding of this kind, if there is one."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def joined(self, other: "Audit") -> "Audit":
        """Both audits as one: of a check that only one made, its result; of one that both made, all findings."""
        dirty = {name for one in (self, other) for name in one.checked if name not in one.clean}
        checked = tuple(dict.fromkeys([*self.checked, *other.checked]))
        findings = {(one.kind, one.what): one for one in (*self.findings, *other.findings)}
        clean = tuple(name for name in checked if name not in dirty)
        not_made = {name: why for name, why in (self.not_made | other.not_made).items() if name not in checked}
        notes = tuple(dict.fromkeys([*self.notes, *other.notes]))
        rest = clean, not_made, self.facts | other.facts, notes
        return Audit(other.dataset, other.passport, worst_first(findings.values()), checked, *rest)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values, for ``files.write_json``."""
        return {"format": 1, **asdict(self)}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Audit":
        """What ``to_json`` gave, also after it was written and read.

        Raises:
            InputError: for other values.
        """
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(cls).validate_python(value)
        except ValidationError:
            raise InputError("This is not an audit that mmlib wrote. Make it again with mmlib audit.") from None

    def summary(self) -> str:
        """One line: how many findings of each severity."""
        counts = {severity: sum(one.severity == severity for one in self.findings) for severity in SEVERITIES}
        said = [f"{count} {name}{'s' if count > 1 else ''}" for name, count in counts.items() if count]
        return f"{', '.join(said) or 'nothing found'}; {len(self.checked)} checks made, {len(self.not_made)} not made"

    def __repr__(self) -> str:
        lines = [f"Audit of {self.dataset}: {self.summary()}."]
        for one in self.findings:
            lines += [f"{one.severity.upper():8}{one.kind} ({one.count:,}): {one.what}", f"        -> {one.remedy}"]
            lines += [f"        such as {_plainly(example)}" for example in one.examples[:3]]
        lines += [f"clean   {name}" for name in self.clean]
        lines += [f"not made: {name}: {why}" for name, why in self.not_made.items()]
        lines += [f"{name}: {value}" for name, value in self.facts.items()]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [(one.severity, f"{one.count:,}", one.what, one.remedy) for one in self.findings]
        table = pd.DataFrame(rows, columns=["severity", "count", "what", "what to do"]).to_html(index=False)
        clean = f"<p>Checked and clean: {escape(', '.join(self.clean))}.</p>" if self.clean else ""
        return f"<h4>Audit of {escape(self.dataset)}</h4><p>{escape(self.summary())}.</p>{table if rows else ''}{clean}"


def worst_first(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """In the order of severity; within one, as they came."""
    return tuple(sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity)))


def _plainly(example: Example) -> str:
    names = [f"{kind} {', '.join(ids)}" for kind, ids in (("user", example.users), ("item", example.items)) if ids]
    return f"{'; '.join(names)}: {example.text}" if names else example.text
