"""DICOM as scanners and hospitals leave it, and what must become of it."""

from __future__ import annotations

import zlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pydicom
import pytest
import torch
from pydicom.uid import DeflatedExplicitVRLittleEndian

from tests.codecs import small
from tests.codecs.slices import SLICES, counts, series, slice_of
from tests.scans import loaded
from volstyle.codecs import borders, files, probe, read, suffix_of, write
from volstyle.errors import CapacityError, InputError
from volstyle.media.intensity import IntensityRange
from volstyle.media.volume import Volume
from volstyle.recipe import Recipe


@pytest.mark.parametrize(("step", "digits"), [(0.625, 2), (1.25, 1), (2.5, 0), (0.7, 1), (0.333333, 2)])
def test_places_that_are_rounded_are_even(tmp_path: Path, step: float, digits: int) -> None:
    heights = [round(-120.3 + number * step, digits) for number in range(30)]
    folder = tmp_path / "in"
    folder.mkdir()
    for number, height in enumerate(heights):
        made = slice_of(number % SLICES, ImagePositionPatient=[0, 0, height], SOPInstanceUID=f"1.9.{number}")
        made.save_as(folder / f"{number}", enforce_file_format=True)
    assert read(folder).axes[0].step == pytest.approx(step, abs=10**-digits / 25)


@pytest.mark.parametrize("digits", [0, 1])
def test_a_slice_that_is_missing_is_no_rounding(tmp_path: Path, digits: int) -> None:
    heights = [round(number * 1.25, digits) for number in range(12) if number != 6]
    with pytest.raises(InputError, match=r"missing|unequal spacing"):
        read(series(tmp_path / "in", heights[:SLICES]))


@pytest.mark.parametrize("heights", [(0, 1, 2, 3, 4.3, 5, 6, 7, 8, 9), (0, 1, 2, 2.6, 4, 5, 6, 7, 8, 9)])
def test_uneven_slices_are_refused(tmp_path: Path, heights: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match=r"unequal spacing|missing"):
        read(series(tmp_path / "in", heights))


def test_a_tilted_gantry_goes_along_where_the_slices_lie(tmp_path: Path) -> None:
    """Slices that are moved along z, and do not look along z: their stack is sheared."""
    tilted = [1, 0, 0, 0, float(np.cos(0.3)), float(-np.sin(0.3))]
    field = read(series(tmp_path / "in", ImageOrientationPatient=tilted))
    write(tmp_path / "out.nii.gz", field)
    affine = loaded(tmp_path / "out.nii.gz").affine
    np.testing.assert_allclose(affine @ [0, 0, 3, 1], [0, 0, 6, 1], atol=1e-5)
    np.testing.assert_allclose(affine @ [0, 2, 0, 1], [0, -3 * np.cos(0.3), -3 * np.sin(0.3), 1], atol=1e-5)


def test_a_folder_with_previews_and_hidden_files_is_a_series(tmp_path: Path) -> None:
    folder = series(tmp_path / "in", name="IM{:04d}.dcm".format)
    cv2.imwrite(str(folder / "preview.png"), np.zeros((8, 8), np.uint8))
    cv2.imwrite(str(folder / "scan.jpg"), np.zeros((8, 8), np.uint8))
    for number in range(3):
        (folder / f"._IM{number:04d}.dcm").write_bytes(bytes(128) + b"DICM" + bytes(40))
    (folder / ".DS_Store").write_bytes(b"x")
    assert probe(folder).kind == "volume"
    assert read(folder).shape == (SLICES, 12, 14)


def test_a_folder_of_frames_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
    (folder / "notes.txt").write_text("not DICOM")
    assert [axis.name for axis in read(folder).axes] == ["t", "y", "x"]


@pytest.mark.parametrize("name", ["IM000001", "1.2.840.113619.2.55.3", "image.00017", "scan.xyz"])
def test_a_file_is_known_by_its_content(tmp_path: Path, name: str) -> None:
    data = counts()
    slice_of(0, NumberOfFrames=SLICES, PixelData=data.tobytes()).save_as(tmp_path / name, enforce_file_format=True)
    field = read(tmp_path / name)
    np.testing.assert_array_equal(field.samples[0].numpy(), data - 1024.0)
    assert files(tmp_path / name) == [tmp_path / name]


@pytest.mark.parametrize("name", ["1.3.6.1.4.1", "Smith.John-styled", "plain", "2.16-gouache"])
def test_a_series_is_written_to_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    field = read(series(tmp_path / "in"))
    write(tmp_path / name, field)
    np.testing.assert_array_equal(read(tmp_path / name).samples, field.samples)


def test_suffixes() -> None:
    names = {
        "a.nii.gz": ".nii.gz",
        "sub-01.v2_bold.nii.gz": ".nii.gz",
        "1.3.6.1": "",
        "A.Png": ".Png",
        "a.xyz": ".xyz",
    }
    assert {name: suffix_of(Path(name)) for name in names} == names


def test_without_a_transfer_syntax_it_is_as_it_was_found(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(SLICES):
        made = slice_of(number)
        made.file_meta, made.preamble = pydicom.dataset.FileMetaDataset(), bytes(128)
        made.save_as(folder / f"{number}", implicit_vr=True, little_endian=True, enforce_file_format=False)
    field = read(folder)
    np.testing.assert_array_equal(field.samples[0].numpy(), counts() - 1024.0)
    write(tmp_path / "out", field)
    np.testing.assert_array_equal(read(tmp_path / "out").samples, field.samples)


# ------------------------------------------------------------------------------------------------- polarity


def test_a_negative_is_seen_as_it_is_shown(tmp_path: Path) -> None:
    """In MONOCHROME1 low is white: the network sees the inverse, and gray goes back as it came."""
    plain, negative = (
        read(series(tmp_path / "in")),
        read(series(tmp_path / "negative", PhotometricInterpretation="MONOCHROME1")),
    )
    recipe = Recipe().set("volume.window=-1024,476")
    shown, inverse = (Volume.prepare(field, None, recipe).part(0).content for field in (plain, negative))
    torch.testing.assert_close(inverse.samples, 1 - shown.samples)
    back = Volume.prepare(negative, None, recipe).result([inverse.samples].__getitem__)
    assert torch.equal(back.samples, negative.samples)
    lighter = Volume.prepare(negative, None, recipe).result([(inverse.samples + 0.1).clamp(0, 1)].__getitem__)
    assert bool((lighter.samples <= negative.samples).all())


def test_a_negative_becomes_a_positive_in_color(tmp_path: Path) -> None:
    negative = read(series(tmp_path / "in", PhotometricInterpretation="MONOCHROME1"))
    recipe = Recipe().set("volume.window=-1024,476").set("volume.color=true")
    volume = Volume.prepare(negative, None, recipe)
    result = volume.result(lambda _: volume.part(0).content.samples)
    for name in ("out.nii.gz", "out"):
        assert not any("negative" in note for note in write(tmp_path / name, result))
    made = pydicom.dcmread(tmp_path / "out" / "00001.dcm")
    assert made.PhotometricInterpretation == "RGB" and "WindowCenter" not in made
    np.testing.assert_allclose(made.pixel_array[..., 0], 255 * (1 - counts()[0] / 1500.0), atol=1)


def test_a_negative_stays_one_or_is_noted(tmp_path: Path) -> None:
    field = read(series(tmp_path / "in", PhotometricInterpretation="MONOCHROME1"))
    changed = replace(field, samples=field.samples + 1)
    assert write(tmp_path / "out", changed) == []
    assert pydicom.dcmread(tmp_path / "out" / "00001.dcm").PhotometricInterpretation == "MONOCHROME1"
    for name in ("out.nii.gz", "out.nrrd", "out.tif"):
        assert "low samples are bright" in write(tmp_path / name, changed)[0]


def test_an_inverted_range() -> None:
    samples = torch.linspace(0, 10, 11).reshape(1, 1, 1, 11)
    window = IntensityRange(2.0, 8.0, inverted=True)
    assert window.inside(samples).flatten().tolist() == pytest.approx(
        [1] * 3 + [5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6] + [0] * 3
    )
    assert torch.equal(window.outside(samples, window.inside(samples)), samples)
    assert float(window.outside(samples, torch.zeros_like(samples))[0, 0, 0, 5]) == 8


# -------------------------------------------------------------------------------------------------- bombs


def test_a_deflated_file_larger_than_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = slice_of(0, NumberOfFrames=SLICES, PixelData=bytes(counts().nbytes))
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert read(tmp_path / "a.dcm").shape[0] == SLICES
    monkeypatch.setattr(borders, "free_memory", lambda: 2000)
    with pytest.raises(CapacityError, match=r"a\.dcm: unpacks to .* are free"):
        read(tmp_path / "a.dcm")


def test_more_frames_than_memory_are_refused(tmp_path: Path) -> None:
    made = slice_of(0, NumberOfFrames=2**31 - 1, Rows=65535, Columns=65535)
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(CapacityError, match=r"a\.dcm: unpacks to .* GB and takes"):
        read(tmp_path / "a.dcm")


def test_a_slope_of_0_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="RescaleSlope is 0, must be another number"):
        read(series(tmp_path / "in", RescaleSlope=0))


def test_a_slice_without_spacing_has_no_place(tmp_path: Path) -> None:
    field = read(series(tmp_path / "in", PixelSpacing=None))
    assert {axis.unit for axis in field.axes} == {"px"}
    for name in ("out.nii.gz", "out.nrrd"):
        write(tmp_path / name, field)
        assert read(tmp_path / name).shape == field.shape


def test_a_name_that_ends_in_nothing_is_no_dicom(tmp_path: Path) -> None:
    (tmp_path / "letter").write_bytes(zlib.compress(bytes(500)))
    with pytest.raises(InputError, match="suffix '' is not known"):
        read(tmp_path / "letter")


def test_waveforms_instead_of_images_are_said_to_be_for_signals(tmp_path: Path) -> None:
    (tmp_path / "heart").mkdir()
    for name in ("heart/1.dcm", "heart/2.dcm", "ecg.dcm", "ecg"):
        small.waveform(tmp_path / name)
    for name, file in {"ecg.dcm": "ecg.dcm", "ecg": "ecg", "heart": "heart/1.dcm"}.items():
        for look in (probe, read):
            with pytest.raises(InputError) as error:
                look(tmp_path / name)
            assert str(error.value) == (
                f"{tmp_path / file}: holds waveforms (ECG) and no image; waveforms are for `volstyle signal`"
            )


def test_dicom_that_holds_nothing_to_style_is_refused(tmp_path: Path) -> None:
    made = slice_of(0, Modality="SR")
    del made.PixelData
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    with pytest.raises(InputError, match=r"a\.dcm: DICOM without an image \(SR\); give a file that holds one"):
        read(tmp_path / "a.dcm")
