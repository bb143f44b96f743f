"""Transforms for TorchIO, alone, in a DataLoader, and through MONAI's wrappers."""

from __future__ import annotations

import importlib
import pickle
import sys
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
import torch
import torchio
from torch import Tensor
from torch.utils.data import DataLoader

import volstyle
from tests.lessons import learn
from tests.scans import SHAPE, counts
from tests.tiny import numbers
from volstyle.codecs import write
from volstyle.errors import InputError, RecipeError
from volstyle.grid.field import Axis, Field
from volstyle.torchio import RandomStyle, Style

QUICK: dict[str, Any] = {"network.name": "random", "precision": "float32", "schedule.steps": 1, "memory": "64MB"}

PLACE = np.array([[0, 0, 3.0, 40], [-2.0, 0, 0, 5], [0, 1.5, 0, -20], [0, 0, 0, 1]])
"""An affine with unequal voxels whose axes are turned; SimpleITK, which TorchIO reads with, knows no shear."""


@pytest.fixture(autouse=True)
def _files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("art.png", "other.png")):
        write(name, Field(numbers(3, 24, 24, seed=seed), (Axis("y"), Axis("x"))))
    for name, array in (("scan", counts(*SHAPE)), ("labels", (counts(*SHAPE) > 200).astype(np.uint8))):
        nib.save(nib.Nifti1Image(array, PLACE), f"{name}.nii.gz")


def patient() -> torchio.Subject:
    return torchio.Subject(
        scan=torchio.ScalarImage("scan.nii.gz"), labels=torchio.LabelMap("labels.nii.gz"), age=61
    )


def samples(subject: torchio.Subject, name: str = "scan") -> Tensor:
    return subject.get_image(name).data


def same(one: torchio.Subject, other: torchio.Subject) -> bool:
    return torch.equal(samples(one), samples(other))


def test_a_scan_is_styled_as_by_the_call_and_all_else_stays() -> None:
    before = patient()
    after = Style(["art.png"], choices=QUICK)(before)
    called = volstyle.style("scan.nii.gz", ["art.png"], "styled.nii.gz", choices=QUICK)
    assert torch.equal(samples(after), torchio.ScalarImage("styled.nii.gz").data)
    assert not same(after, before)
    assert samples(after).dtype == samples(before).dtype == torch.int16
    assert called.field.shape == tuple(reversed(after.get_image("scan").spatial_shape))
    assert np.array_equal(after.get_image("scan").affine, before.get_image("scan").affine)
    assert np.allclose(after.get_image("scan").affine, PLACE)
    assert torch.equal(samples(after, "labels"), samples(before, "labels"))
    assert after["age"] == 61


def test_samples_outside_the_window_and_the_mask_keep_their_bits() -> None:
    before = patient()
    before.get_image("scan").set_data(samples(before).double() + 1e-9)  # finer than 32 bits can say
    after = Style("art.png", choices=QUICK | {"volume.window": "-500.5,500.5"}, mask="labels")(before)
    inside = (samples(before, "labels") != 0) & (samples(before).abs() <= 500.5)
    assert torch.equal(samples(after)[~inside], samples(before)[~inside])
    assert not torch.equal(samples(after)[inside], samples(before)[inside])
    assert samples(after).abs()[inside].max() <= 500.5


def test_channels_are_styled_each_in_its_own_range() -> None:
    both = torch.stack((numbers(10, 12, 14), 1000 * numbers(10, 12, 14, seed=1)))
    after = Style("art.png", choices=QUICK)(torchio.ScalarImage(tensor=both))
    assert after.data.shape == both.shape
    assert after.data[0].max() <= 1.01
    assert after.data[1].max() > 900


def test_a_slice_is_styled_too() -> None:
    plane = torchio.ScalarImage(tensor=numbers(1, 24, 20, 1))
    assert Style("art.png", choices=QUICK)(plane).data.shape == plane.data.shape


def test_what_was_drawn_is_repeated_by_the_history() -> None:
    before = patient()
    draw = RandomStyle(["art.png", "other.png"], strength=(0.2, 0.9), choices=QUICK)
    styled = [draw(before) for _ in range(6)]
    arguments: list[Any] = [one.applied_transforms[0][1] for one in styled]
    assert {found["styles"][0] for found in arguments} == {"art.png", "other.png"}
    assert all(0.2 <= found["choices"]["strength"] <= 0.9 for found in arguments)
    for one in styled[:2]:
        (again,) = one.get_applied_transforms()
        assert isinstance(again, Style)
        assert same(again(before), one)
        assert same(one.get_composed_history()(before), one)
    torch.manual_seed(0)
    assert same(draw(before), styled[0])  # the suite's own seed


def test_learned_styles_are_drawn_too() -> None:
    learn("two.safetensors", ("art.png", "other.png"), "scan.nii.gz", "volume")
    before = patient()
    after = RandomStyle(["two.safetensors#art"], strength=1, mask="labels")(before)
    changed = samples(after) != samples(before)
    assert changed.any()
    assert not changed[samples(before, "labels") == 0].any()
    assert same(after.get_composed_history()(before), after)


def test_workers_of_a_loader_style_as_the_program_does() -> None:
    subjects = torchio.SubjectsDataset(
        [patient()] * 4, transform=RandomStyle(["art.png"], choices=QUICK, strength=1)
    )
    loader = torchio.SubjectsLoader(subjects, batch_size=2, num_workers=2)
    batches = list(loader)
    here = Style("art.png", choices=QUICK)(patient())
    assert len(batches) == 2
    for batch in batches:
        assert batch["scan"]["data"].shape == (2, 1, *SHAPE)
        assert torch.equal(batch["scan"]["data"][0], samples(here))
        assert torch.equal(batch["labels"]["data"][0], samples(here, "labels"))


def test_workers_that_are_spawned_get_the_transform_too() -> None:
    fixed = Style([Field(numbers(3, 24, 24), (Axis("y"), Axis("x")))], choices=QUICK)
    sent = pickle.loads(pickle.dumps(fixed))
    assert same(sent(patient()), fixed(patient()))


def test_monai_wraps_both() -> None:
    import monai.transforms  # some seconds, which only the tests of MONAI take

    scan = monai.data.MetaTensor(samples(patient()).float(), affine=torch.from_numpy(PLACE))
    given = {"scan": scan, "labels": torch.ones(1, *SHAPE)}
    fixed = monai.transforms.TorchIOd(keys=["scan"], name="Style", styles=["art.png"], choices=QUICK)(given)
    drawn = monai.transforms.RandTorchIOd(
        keys=["scan"], name="RandomStyle", styles=["art.png"], choices=QUICK, strength=1
    )
    random = next(iter(DataLoader(monai.data.Dataset([given] * 2, drawn), num_workers=1)))
    # A worker computes with other threads, whose sums are rounded differently.
    one, other = (field.as_subclass(Tensor) for field in (random["scan"][0], fixed["scan"]))
    assert torch.allclose(one, other, rtol=1e-4, atol=0.1)
    assert not torch.equal(fixed["scan"].as_subclass(Tensor), scan.as_subclass(Tensor))
    assert torch.equal(fixed["scan"].affine, scan.affine)
    assert torch.equal(fixed["labels"], given["labels"])
    array = monai.transforms.Compose([monai.transforms.TorchIO("Style", styles="art.png", choices=QUICK)])(scan)
    assert torch.equal(array, fixed["scan"])


def test_torchio_wraps_what_monai_does_before() -> None:
    import monai.transforms

    first = torchio.MonaiAdapter(monai.transforms.ScaleIntensity())
    after = torchio.Compose([first, Style("art.png", choices=QUICK)])(patient())
    assert 0 <= samples(after).min() < samples(after).max() <= 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda: Style([]), "style: none given"),
        (lambda: RandomStyle("nowhere.png"), "style nowhere.png: no such file"),
        (lambda: Style("art.png", choices={"schedule.stepps": 3}), "no key 'schedule.stepps'"),
        (lambda: Style("art.png", choices={"volume.color": True}), "volume.color: makes R, G, B of intensities"),
        (lambda: RandomStyle("art.png", strength=1.5), "strength is 1.5, must be from 0 to 1"),
        (lambda: RandomStyle("art.png", strength=(0.8, 0.2)), "strength: (0.8, 0.2) must be one number or two"),
        (lambda: RandomStyle("art.png", choices={"strength": 1}), "strength is drawn"),
        (lambda: Style("art.png", mask="scan")(patient()), "mask: 'scan' is no label map of the subject"),
        (
            lambda: Style("art.png", include=["labels"])(patient()),
            "must have a ScalarImage, for labels are never styled",
        ),
        (
            lambda: RandomStyle("art.png")(torchio.Subject(seg=torchio.LabelMap("labels.nii.gz"))),
            "subject: has seg (LabelMap), must have a ScalarImage",
        ),
        (
            lambda: Style("art.png", choices=QUICK)(torchio.ScalarImage(tensor=torch.zeros(1, 9, 9, 9))),
            "every sample is 0, there is nothing to style",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_line(wrong: Any, said: str) -> None:
    with pytest.raises((InputError, RecipeError)) as caught:
        wrong()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_without_torchio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchio", None)
    monkeypatch.delitem(sys.modules, "volstyle.torchio")
    with pytest.raises(ImportError) as caught:
        importlib.import_module("volstyle.torchio")
    assert str(caught.value) == "volstyle.torchio: needs torchio; install it: pip install 'volstyle[torchio]'"
