"""Sounds that other tools stumbled over, and what must become of them."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import psutil
import pydicom
import pytest
import soundfile
import torch
from pydicom.data import get_testdata_file
from pydicom.waveforms.numpy_handler import multiplex_array

from volstyle.codecs import Selection, check, read, write
from volstyle.errors import CapacityError, InputError, OutputError
from volstyle.grid.field import Axis, Field

RATE = 8000


def tone(seconds: float = 0.5, rate: int = RATE) -> np.ndarray:
    time = np.arange(round(seconds * rate)) / rate
    return 0.4 * np.sin(2 * np.pi * 440 * time)


@pytest.mark.parametrize("name", ["out.mp4", "out.dcm", "out.mov"])
def test_a_sound_that_does_not_go_into_a_format_is_refused_before_the_work(tmp_path: Path, name: str) -> None:
    soundfile.write(tmp_path / "in.wav", tone(), RATE)
    sound = read(tmp_path / "in.wav")
    planned = Field(torch.empty(sound.samples.shape, device="meta"), sound.axes, sound.origin)
    for attempt in (lambda: check(tmp_path / name, planned), lambda: write(tmp_path / name, sound)):
        with pytest.raises(OutputError) as error:
            attempt()
        assert "\n" not in str(error.value)
        assert str(tmp_path / name) in str(error.value)
    check(tmp_path / "out.flac", planned)


def test_a_volume_that_is_no_dicom_is_refused_as_dicom_before_the_work(tmp_path: Path) -> None:
    axes = tuple(Axis(name, 1.0, "mm") for name in "zyx")
    for name in ("out.dcm", "out"):
        with pytest.raises(OutputError, match="only written from DICOM"):
            check(tmp_path / name, Field(torch.empty(1, 4, 4, 4, device="meta"), axes))


def planned(sound: Field) -> Field:
    """The field before the work: without its samples."""
    return Field(torch.empty(sound.samples.shape, device="meta"), sound.axes, sound.origin)


def of(samples: np.ndarray, rate: int) -> Field:
    return Field(torch.from_numpy(samples.astype(np.float32))[None], (Axis("t", 1 / rate, "s"),))


def test_a_long_sound_is_written_as_ogg(tmp_path: Path) -> None:
    """libvorbis takes what it is given at once on the stack: two million samples would end the process."""
    count = 2_150_000
    write(tmp_path / "a.ogg", of(0.2 * np.sin(np.arange(count) / 9), 8000))
    assert soundfile.info(tmp_path / "a.ogg").frames == count


@pytest.mark.parametrize(
    ("name", "rate", "says"),
    [("a.ogg", 250_000, "OGG has at most 200000"), ("a.flac", 700_000, "do not go into FLAC")],
)
def test_a_rate_that_a_format_does_not_take_is_refused_before_the_work(
    tmp_path: Path, name: str, rate: int, says: str
) -> None:
    sound = of(tone(0.1), rate)
    for attempt in (lambda: check(tmp_path / name, planned(sound)), lambda: write(tmp_path / name, sound)):
        with pytest.raises(OutputError, match=says):
            attempt()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "target", "becomes"),
    [
        ("MP3", "MPEG_LAYER_III", 44100, "b.wav", "PCM_16"),
        ("OGG", "OPUS", 48000, "b.wav", "PCM_16"),
        ("WAV", "GSM610", 8000, "b.wav", "GSM610"),
        ("WAV", "GSM610", 8000, "b.flac", "PCM_16"),
        ("WAV", "IMA_ADPCM", 8000, "b.ogg", "VORBIS"),
        ("AIFF", "PCM_24", 8000, "b.wav", "PCM_24"),
    ],
)
def test_how_samples_were_written_is_kept_or_noted(
    tmp_path: Path, kind: str, subtype: str, rate: int, target: str, becomes: str
) -> None:
    soundfile.write(tmp_path / "a.wav", tone(0.5, rate), rate, subtype, format=kind)
    sound = read(tmp_path / "a.wav", Selection(signal=True))
    check(tmp_path / target, planned(sound))
    notes = write(tmp_path / target, sound)
    assert soundfile.info(tmp_path / target).subtype == becomes
    assert len(notes) == (becomes != subtype)
    assert becomes == subtype or f"{subtype} does not fit into" in notes[0]


@pytest.mark.parametrize(
    ("kind", "channels"), [("WAV", 1), ("WAVEX", 2), ("WAVEX", 6), ("AIFF", 1), ("W64", 2), ("RF64", 1), ("AU", 2)]
)
@pytest.mark.parametrize("share", [0.2, 0.6, 0.98])
def test_a_sound_that_is_cut_off_is_refused_whatever_its_format(
    tmp_path: Path, kind: str, channels: int, share: float
) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.stack([tone()] * channels, axis=1), RATE, "PCM_16", format=kind)
    assert read(path, Selection(signal=True)).shape == (4000,)
    data = path.read_bytes()
    path.write_bytes(data[: round(len(data) * share)])
    with pytest.raises(InputError, match="cut off there"):
        read(path, Selection(signal=True))


@pytest.mark.parametrize("promised", [0x7FFFF000, 0x7FFFFFDA, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
@pytest.mark.parametrize("kind", ["WAV", "WAVEX"])
def test_a_wav_from_a_pipe_is_read(tmp_path: Path, promised: int, kind: str) -> None:
    """Its writer did not know how long it would become."""
    path = tmp_path / "a.wav"
    soundfile.write(path, tone(), RATE, "PCM_16", format=kind)
    data = bytearray(path.read_bytes())
    at = data.find(b"data") + 4
    data[at : at + 4] = promised.to_bytes(4, "little")
    data[4:8] = min(promised + 36, 2**32 - 1).to_bytes(4, "little")
    path.write_bytes(bytes(data))
    assert read(path, Selection(signal=True)).shape == (4000,)


def loudness(path: Path) -> list[float]:
    """The highest sample of each channel, in the order that FFmpeg has for their speakers."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        packed = av.AudioResampler("flt", stream.layout, stream.rate)
        frames = [ready for frame in container.decode(stream) for ready in packed.resample(frame)]
        samples = np.concatenate([frame.to_ndarray().reshape(-1, stream.layout.nb_channels) for frame in frames])
    return list(np.abs(samples[len(samples) // 2 :]).max(0))


def graded(channels: int, rate: int = 48000) -> np.ndarray:
    """(T, C), each channel louder than the one before."""
    pitches = 2 * np.pi * np.arange(200, 200 + 40 * channels, 40) / rate
    return np.sin(np.arange(rate)[:, None] * pitches) * (np.arange(channels) + 1) / (channels + 1)


@pytest.mark.parametrize("channels", range(1, 10))
def test_a_channel_is_heard_from_the_same_speaker_as_ogg(tmp_path: Path, channels: int) -> None:
    """The center comes second in an OGG of five channels, and third in a WAV."""
    expected = np.abs(graded(channels)).max(0)
    soundfile.write(tmp_path / "a.wav", graded(channels), 48000, "PCM_16", format="WAV")
    sound = read(tmp_path / "a.wav", Selection(signal=True))
    write(tmp_path / "b.ogg", sound)
    # The channel of the low tones, the one after the center, is cut off above them by every encoder.
    kept = [index for index in range(channels) if (channels, index) not in [(6, 3), (8, 3)]]
    assert np.array(loudness(tmp_path / "b.ogg"))[kept] == pytest.approx(expected[kept], abs=0.05)
    back = read(tmp_path / "b.ogg", Selection(signal=True))
    assert back.samples[:, 24000:].abs().amax(1).numpy()[kept] == pytest.approx(expected[kept], abs=0.05)
    write(tmp_path / "c.wav", back)
    assert np.array(loudness(tmp_path / "c.wav"))[kept] == pytest.approx(expected[kept], abs=0.05)


@pytest.mark.parametrize(
    ("subtype", "channels", "name"),
    [("VORBIS", 6, "b.wav"), ("VORBIS", 6, "b.ogg"), ("VORBIS", 8, "b.ogg"), ("OPUS", 6, "b.wav")],
)
def test_the_speakers_of_an_ogg_are_kept(tmp_path: Path, subtype: str, channels: int, name: str) -> None:
    soundfile.write(tmp_path / "a.ogg", graded(channels) / 2, 48000, subtype, format="OGG")
    write(tmp_path / name, read(tmp_path / "a.ogg", Selection(signal=True)))
    assert layout(tmp_path / name) == layout(tmp_path / "a.ogg")
    assert loudness(tmp_path / name) == pytest.approx(loudness(tmp_path / "a.ogg"), abs=0.05)


@pytest.mark.parametrize("channels", [6, 7, 8, 9, 16])
@pytest.mark.parametrize("kind", ["WAV", "W64"])
def test_the_sound_of_a_clip_is_read_whatever_its_channels(tmp_path: Path, channels: int, kind: str) -> None:
    """PyAV reads past the end of the planes of eight channels, which can end the process."""
    samples = graded(channels, RATE)
    soundfile.write(tmp_path / "a.wav", samples, RATE, "PCM_16", format=kind)
    with av.open(str(tmp_path / "a.wav")) as source, av.open(str(tmp_path / "b.mkv"), "w") as container:
        stream = container.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
    sound = read(tmp_path / "b.mkv", Selection(signal=True))
    assert sound.samples.T.numpy() == pytest.approx(samples, abs=1e-4)


def layout(path: Path) -> str:
    with av.open(str(path)) as container:
        return container.streams.audio[0].layout.name


def surround(path: Path, speakers: str) -> Path:
    """A WAV of six channels that says where they are heard."""
    samples = (20000 * np.stack([tone() * (index + 1) / 7 for index in range(6)])).astype(np.int16)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout=speakers)
        frame = av.AudioFrame.from_ndarray(samples.T.reshape(1, -1).copy(), format="s16", layout=speakers)
        frame.sample_rate, frame.pts = RATE, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


@pytest.mark.parametrize(("speakers", "kept"), [("5.1", True), ("5.1(side)", False), ("6.0", False)])
def test_the_speakers_of_surround_sound_are_kept_or_noted(tmp_path: Path, speakers: str, kept: bool) -> None:
    path = surround(tmp_path / "a.wav", speakers)
    assert layout(path) == speakers
    sound = read(path, Selection(signal=True))
    notes = write(tmp_path / "b.wav", sound)
    assert (layout(tmp_path / "b.wav") == speakers) == kept
    assert notes == ([] if kept else [f"sound: .wav does not say that its speakers are {speakers}"])
    assert torch.equal(read(tmp_path / "b.wav", Selection(signal=True)).samples, sound.samples)


def test_a_sound_too_long_for_the_memory_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour of silence is some kilobytes of FLAC."""

    class Memory:
        available = 10_000_000

    with soundfile.SoundFile(tmp_path / "a.flac", "w", RATE, 2, "PCM_16") as file:
        for _ in range(30):
            file.write(np.zeros((40_000, 2), np.int16))
    monkeypatch.setattr(psutil, "virtual_memory", Memory)
    with pytest.raises(CapacityError, match=r"a\.flac: unpacks to"):
        read(tmp_path / "a.flac", Selection(signal=True))


def waveform(path: Path, interpretation: str, dtype: str) -> np.ndarray:
    """pydicom's ECG with its samples in another type. Returns them, (T, C)."""
    dataset = pydicom.dcmread(str(get_testdata_file("waveform_ecg.dcm")))
    group = dataset.WaveformSequence[0]
    kind = np.dtype(dtype)
    samples = multiplex_array(dataset, 0).astype(np.int64)
    if kind.kind == "i" and kind.itemsize > 2:
        samples = samples * 2**14 + 7  # more bits than float32 has
    samples = samples.clip(np.iinfo(kind).min, np.iinfo(kind).max).astype(kind)
    group.WaveformBitsAllocated = 8 * kind.itemsize
    group.WaveformSampleInterpretation = interpretation
    group.WaveformData = samples.tobytes()
    dataset.WaveformSequence = [group]
    dataset.save_as(path)
    return samples


@pytest.mark.parametrize(
    ("interpretation", "dtype"), [("SL", "<i4"), ("UL", "<u4"), ("SS", "<i2"), ("SB", "i1"), ("SV", "<i8")]
)
def test_a_waveform_of_any_type_keeps_what_was_not_changed(
    tmp_path: Path, interpretation: str, dtype: str
) -> None:
    samples = waveform(tmp_path / "a.dcm", interpretation, dtype)
    field = read(tmp_path / "a.dcm", Selection(signal=True))
    changed = field.samples.clone()
    changed[0, :10] = changed[0, 10:20]
    write(tmp_path / "b.dcm", Field(changed, field.axes, field.origin))
    found = multiplex_array(pydicom.dcmread(tmp_path / "b.dcm"), 0)
    assert found.dtype == np.dtype(dtype)
    assert np.array_equal(found[10:], samples[10:])
    assert found[:10, 0] == pytest.approx(samples[10:20, 0], rel=1e-5)


def test_a_waveform_of_no_linear_scale_is_refused(tmp_path: Path) -> None:
    waveform(tmp_path / "a.dcm", "MB", "u1")
    with pytest.raises(InputError, match=r"8 bit MB, must be one of 8 bit SB, .*; export the waveform anew"):
        read(tmp_path / "a.dcm", Selection(signal=True))
