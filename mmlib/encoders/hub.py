"""Files of a model hub: from its cache, else fetched, else a clear message within seconds."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from ..core.errors import InputError

PATIENCE = 4.0  # seconds for the one question whether the hub answers
T = TypeVar("T")


def hub_file(encoder: str, owner_and_name: str, names: Sequence[str], revision: str | None = None) -> Path:
    """The first of ``names`` that a repository of the Hugging Face hub has: from the cache, or fetched.

    Args:
        encoder: what the user asked for, for messages.
        names: file names, the best first.

    Raises:
        InputError: when none is in the cache and the hub does not answer, or does not have one.
    """
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, HFValidationError

    try:
        here = [try_to_load_from_cache(owner_and_name, name, revision=revision) for name in names]
    except HFValidationError:
        raise InputError(f"{encoder}: {owner_and_name!r} is no name on a hub; give 'OWNER/NAME'.") from None
    if found := next((path for path in here if isinstance(path, str)), None):
        return Path(found)
    wanted = f"{' or '.join(names)} of {owner_and_name}"
    ask(encoder, wanted)
    for name in names:
        try:
            return Path(hf_hub_download(owner_and_name, name, revision=revision))
        except EntryNotFoundError:
            continue
        except Exception as error:  # the client's own, the network's and the disk's
            raise InputError(
                f"{encoder}: {wanted} cannot be fetched: {first_line(error)}.{_by_hand(encoder)}"
            ) from None
    raise InputError(f"{encoder}: the hub has no {wanted}. Check the name; the weights may have been moved.")


def cached_first(encoder: str, wanted: str, load: Callable[[bool], T]) -> T:
    """``load(local_files_only)``: with what is here, and only where that fails, after asking the hub, from it.

    Args:
        wanted: what is loaded, for messages.

    Raises:
        InputError: when it is not here and the hub does not answer, or loading it fails.
    """
    try:
        return load(True)
    except Exception as error:  # OSError, ValueError, ... of transformers; also of what is here but damaged
        first = error
    ask(encoder, wanted, because=f" ({first_line(first)})")
    try:
        return load(False)
    except Exception as error:
        raise InputError(f"{encoder}: {wanted} cannot be loaded: {first_line(error)}.") from error


def ask(encoder: str, wanted: str, because: str = "") -> None:
    """Ask the hub once, without trying again, whether it answers at all.

    Raises:
        InputError: naming what is wanted, where it was looked for, and how to get it.
    """
    from huggingface_hub import constants, get_session

    try:
        if constants.HF_HUB_OFFLINE:
            raise ConnectionError("HF_HUB_OFFLINE is set")
        get_session().head(constants.ENDPOINT, timeout=PATIENCE)
    except Exception as error:  # the client's own types, and those of what is below it
        raise InputError(
            f"The encoder {encoder} needs {wanted}, which is not in {constants.HF_HUB_CACHE}{because}, and "
            f"{constants.ENDPOINT} does not answer ({type(error).__name__}: {first_line(error)}).{_by_hand(encoder)}"
        ) from None


def revision_of(path: Path) -> str:
    """The commit that a file in the hub's cache belongs to; empty for any other file."""
    parts = path.parts
    return parts[parts.index("snapshots") + 1] if "snapshots" in parts[:-2] else ""


def licence_of(folder: Path) -> str:
    """The licence that the model card (``README.md``) of a folder states; empty where there is none."""
    from huggingface_hub import ModelCard

    try:
        card = ModelCard.load(folder / "README.md").data
    except Exception:  # no card, or one that cannot be read: the licence is not known
        return ""
    return str(card.get("license_name") or card.get("license") or "")


def _by_hand(encoder: str) -> str:
    return (
        " Load it once where there is a network and copy that folder here (HF_HOME says where it is); or give weights "
        "that you have: 'local-dir:FOLDER', 'timm:NAME@FILE', 'st:FOLDER'; or encoder = 'small'."
    )


def first_line(error: Exception) -> str:
    """The first line of an error's message, without its full stop; its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
