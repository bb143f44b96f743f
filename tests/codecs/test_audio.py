"""Sound files, tables of series, arrays and DICOM waveforms: what must survive, and what is refused."""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np
import pydicom
import pytest
import soundfile
import torch
from pydicom.data import get_testdata_file

from volstyle.codecs import Encoding, Moment, Selection, check_writable, probe, read, write
from volstyle.errors import InputError, OutputError
from volstyle.grid.field import Axis, Field

RATE = 22050
SIGNAL = Selection(signal=True)


def sound(channels: int, count: int = 3000) -> np.ndarray:
    """(T, C), up to full scale in both directions."""
    samples = np.random.default_rng(channels).uniform(-1, 1, (count, channels))
    samples[:2] = [[-1.0], [1 - 2.0**-23]]
    return samples


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize(
    ("name", "subtype"),
    [
        ("a.wav", "PCM_U8"),
        ("a.wav", "PCM_16"),
        ("a.wav", "PCM_24"),
        ("a.wav", "FLOAT"),
        ("a.flac", "PCM_S8"),
        ("a.flac", "PCM_16"),
        ("a.flac", "PCM_24"),
    ],
)
def test_a_sound_read_and_written_is_the_same(tmp_path: Path, name: str, subtype: str, channels: int) -> None:
    source, copy = tmp_path / name, tmp_path / f"copy-{name}"
    soundfile.write(source, sound(channels), RATE, subtype)
    field = read(source)
    assert field.axes == (Axis("t", 1 / RATE, "s"),)
    assert write(copy, field) == []
    before, after = soundfile.info(source), soundfile.info(copy)
    assert (after.samplerate, after.channels, after.subtype, after.frames) == (RATE, channels, subtype, 3000)
    assert before.format == after.format
    kind = "float32" if subtype == "FLOAT" else "int32"
    found, expected = (soundfile.read(path, dtype=kind)[0] for path in (copy, source))
    assert np.array_equal(found, expected)


def test_ogg_keeps_rate_and_subtype(tmp_path: Path) -> None:
    source, copy = tmp_path / "a.ogg", tmp_path / "b.ogg"
    tone = 0.5 * np.sin(np.arange(RATE) / 20)
    soundfile.write(source, np.stack((tone, tone / 2), 1), RATE, "VORBIS")
    assert write(copy, read(source)) == []
    info = soundfile.info(copy)
    assert (info.samplerate, info.channels, info.subtype, info.frames) == (RATE, 2, "VORBIS", RATE)
    assert np.abs(soundfile.read(copy)[0] - soundfile.read(source)[0]).mean() < 0.05


def test_tags_are_kept(tmp_path: Path) -> None:
    source = tmp_path / "a.flac"
    with soundfile.SoundFile(source, "w", RATE, 1) as file:
        file.title, file.artist = "Rain", "Nobody"
        file.write(sound(1))
    write(tmp_path / "b.wav", read(source))
    with soundfile.SoundFile(tmp_path / "b.wav") as file:
        assert (file.title, file.artist, file.subtype) == ("Rain", "Nobody", "PCM_16")


def test_what_does_not_fit_is_noted(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    soundfile.write(source, 2 * sound(1), RATE, "FLOAT")
    notes = write(tmp_path / "b.flac", read(source))
    assert notes[0] == "sound: FLOAT does not fit into .flac, written as PCM_16"
    assert "samples beyond full scale, cut off" in notes[1]
    with pytest.raises(OutputError, match="9 channels, FLAC has at most 8"):
        write(tmp_path / "c.flac", Field(torch.zeros(9, 100), (Axis("t", 1 / RATE, "s"),)))
    with pytest.raises(OutputError, match=r"cannot be written as \.mp4"):
        write(tmp_path / "c.mp4", read(source))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.wav", "b.flac"]


def test_a_range_of_a_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sound(1, RATE), RATE, "PCM_16")
    whole = read(tmp_path / "a.wav").samples
    part = read(tmp_path / "a.wav", Selection(start=Moment(0.25), end=Moment(0.5))).samples
    assert torch.equal(part, whole[:, round(0.25 * RATE) : round(0.5 * RATE)])
    with pytest.raises(InputError, match=r"it lasts 1\.00 s"):
        read(tmp_path / "a.wav", Selection(start=Moment(2.0)))


def test_clipping_is_counted(tmp_path: Path) -> None:
    tone = 1.5 * np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    soundfile.write(tmp_path / "a.wav", np.clip(tone, -1, 1), RATE, "PCM_16")
    soundfile.write(tmp_path / "b.wav", tone / 1.5, RATE, "PCM_16")
    assert read(tmp_path / "a.wav").origin.clipped == 200  # type: ignore[attr-defined]
    assert read(tmp_path / "b.wav").origin.clipped == 0  # type: ignore[attr-defined]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_sound_cut_off_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, 0.5 * sound(1, 60000), RATE)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="cut off"):
        read(path)


def test_bad_sounds_are_refused(tmp_path: Path) -> None:
    bad = sound(2, 500)
    bad[123, 1] = np.inf
    soundfile.write(tmp_path / "inf.wav", bad, 1000, "FLOAT")
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), RATE)
    (tmp_path / "text.wav").write_text("not a sound")
    (tmp_path / "empty.wav").touch()
    for name, message in {
        "inf.wav": r"sample 123 \(0.123 s\) is inf, must be finite",
        "none.wav": "holds no samples",
        "text.wav": "not a sound libsndfile knows",
        "empty.wav": "the file is empty",
    }.items():
        with pytest.raises(InputError, match=message):
            read(tmp_path / name)


def test_the_sound_of_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    tone = (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE) / RATE)).astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=RATE, layout="stereo")
        frame = av.AudioFrame.from_ndarray(
            (np.stack((tone, -tone), 1).reshape(1, -1) * 32767).astype(np.int16), "s16", "stereo"
        )
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    field = read(path, SIGNAL)
    assert (field.channels, field.shape, field.axes[0].step) == (2, (RATE,), 1 / RATE)
    np.testing.assert_allclose(field.samples[0], tone, atol=1e-4)
    assert probe(path, signal=True).kind == "audio"
    write(tmp_path / "b.wav", field)
    assert soundfile.info(tmp_path / "b.wav").frames == RATE


# ---- series

TABLE = """time (s),ECG I,"lead, two"
0.0,0.1,-3
0.5,1e-05,4.25
1.0,1234.5,0
"""


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp3", "libmp3lame"), ("a.m4a", "aac"), ("a.opus", "libopus"), ("a.aiff", "pcm_s16be"), ("a.aac", "aac")],
)
def test_sounds_of_other_formats_are_read(tmp_path: Path, name: str, codec: str) -> None:
    """A tone of 440 Hz in one channel and 880 in the other, as long as it was."""
    at = np.arange(48000) / 48000
    tones = (0.5 * np.sin(2 * np.pi * np.outer([440, 880], at))).astype(np.float32)
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream(codec, rate=48000, layout="stereo")
        assert isinstance(stream, av.AudioStream)
        form = stream.codec_context.format.name
        resampler = av.AudioResampler(form, "stereo", 48000, stream.codec_context.frame_size or 1024)
        frame = av.AudioFrame.from_ndarray(tones, "fltp", "stereo")
        frame.sample_rate = 48000
        for each in (*resampler.resample(frame), *resampler.resample(None), None):
            container.mux(stream.encode(each))
    found = read(tmp_path / name, Selection(signal=True))
    assert found.axes[0] == Axis("t", 1 / 48000, "s")
    assert abs(found.shape[0] - 48000) < 3000
    middle = found.samples[:, 10000:34000].numpy()
    assert np.abs(np.fft.rfft(middle)).argmax(1).tolist() == [220, 440]
    assert "48000 Hz, 2 channels" in probe(tmp_path / name).entries["rate"]
    with pytest.raises(OutputError, match="a sound cannot be written as"):
        write(tmp_path / f"b{name[1:]}", found)


def test_a_table_read_and_written_is_the_same(tmp_path: Path) -> None:
    source, copy = tmp_path / "a.csv", tmp_path / "b.csv"
    source.write_text(TABLE)
    field = read(source)
    assert field.axes == (Axis("t", 0.5, "s"),)
    torch.testing.assert_close(field.samples, torch.tensor([[0.1, 1e-5, 1234.5], [-3, 4.25, 0]]))
    write(copy, field)
    lines = [line.split(",") for line in copy.read_text().splitlines()]
    assert copy.read_text().splitlines()[0] == 'time (s),ECG I,"lead, two"'
    assert [line[0] for line in lines[1:]] == ["0.0", "0.5", "1.0"]
    assert torch.equal(read(copy).samples, field.samples)
    assert [line[1] for line in lines[1:]] == ["0.1", "1e-05", "1234.5"]


def test_times_go_on_in_a_longer_result(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("t\tv\n10\t1\n12\t2\n")
    field = read(tmp_path / "a.tsv")
    longer = Field(torch.ones(1, 4), field.axes, field.origin)
    write(tmp_path / "b.tsv", longer)
    assert (tmp_path / "b.tsv").read_text() == "t\tv\n10\t1.0\n12\t1.0\n14\t1.0\n16\t1.0\n"


def test_a_table_without_header_or_times(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2\n3,4\n5,6\n")
    field = read(tmp_path / "a.csv")
    assert field.axes == (Axis("t", 1.0, "sample"),)
    assert field.samples.tolist() == [[1, 3, 5], [2, 4, 6]]
    write(tmp_path / "b.csv", field)
    assert (tmp_path / "b.csv").read_text() == "1.0,2.0\n3.0,4.0\n5.0,6.0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3,high\n", "line 3, column 'b' is 'high', must be a finite number"),
        ("a,b\n1,2\n3,\n", "line 3, column 'b' is '', must be a finite number"),
        ("a,b\n1,nan\n", "line 2, column 'b' is 'nan'"),
        ("1,2\n3\n", "line 2 has 1 columns, must have 2"),
        ("a,b\n", "holds no numbers"),
        ("time\n1\n2\n", "has times and no channel"),
        ("time,v\n0,1\n1,1\n2,1\n5,1\n", "line 5, 'time' goes on by 3, elsewhere by 1"),
    ],
)
def test_bad_tables_are_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read(tmp_path / "a.csv")


@pytest.mark.parametrize("shape", [(500,), (500, 3), (3, 500)])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "<i2", "|u1"])
def test_an_array_read_and_written_is_the_same(tmp_path: Path, shape: tuple[int, ...], kind: str) -> None:
    array = np.random.default_rng(0).integers(0, 200, shape).astype(kind)
    np.save(tmp_path / "a.npy", array)
    field = read(tmp_path / "a.npy", SIGNAL)
    assert field.samples.shape == (1 if len(shape) == 1 else 3, 500)
    write(tmp_path / "b.npy", field)
    assert (tmp_path / "b.npy").read_bytes() == (tmp_path / "a.npy").read_bytes()


def test_bad_arrays_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((4, 4, 4)))
    with pytest.raises(InputError, match=r"shape \(4, 4, 4\), a series must be numbers of 1 or 2 axes"):
        read(tmp_path / "a.npy", SIGNAL)
    np.save(tmp_path / "b.npy", np.array([1.0, np.nan]))
    with pytest.raises(InputError, match=r"the sample at \(1,\) is nan"):
        read(tmp_path / "b.npy", SIGNAL)
    (tmp_path / "c.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:200])
    with pytest.raises(InputError, match="damaged"):
        read(tmp_path / "c.npy", SIGNAL)


def test_an_ecg_read_and_written_is_derived(tmp_path: Path) -> None:
    source = Path(str(get_testdata_file("waveform_ecg.dcm")))
    field = read(source, SIGNAL)
    assert field.channels == 12
    before = pydicom.dcmread(source)
    np.testing.assert_allclose(field.samples.T, before.waveform_array(0), rtol=1e-6)
    assert write(tmp_path / "b.dcm", field) == []
    after = pydicom.dcmread(tmp_path / "b.dcm")
    assert after.WaveformSequence[0].WaveformData == before.WaveformSequence[0].WaveformData
    changed = {element.keyword for element in after if before.get(element.tag) != element}
    assert changed == {"SOPInstanceUID", "SeriesInstanceUID", "SeriesDescription"}
    assert after.SeriesDescription == "Styled by volstyle. Not for diagnosis."
    assert read(source, SIGNAL).origin.names[0] == "Lead I (Einthoven)"  # type: ignore[attr-defined]


def test_a_series_becomes_no_dicom(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="only what was read from a DICOM waveform"):
        write(tmp_path / "a.dcm", Field(torch.zeros(1, 10), (Axis("t", 1.0, "s"),)))
    (tmp_path / "a.dcm").write_text("no")
    with pytest.raises(InputError, match="not DICOM"):
        read(tmp_path / "a.dcm", SIGNAL)


def test_without_the_library_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    monkeypatch.delitem(sys.modules, "volstyle.codecs.audio", raising=False)
    (tmp_path / "a.wav").write_text("anything")
    with pytest.raises(InputError, match=r"needs soundfile; install it: pip install 'volstyle\[signals\]'"):
        read(tmp_path / "a.wav")


def test_what_is_there_is_not_replaced(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", sound(1), RATE)
    with pytest.raises(OutputError, match="is there already"):
        check_writable(tmp_path / "a.wav", axes=["t"])
    with pytest.raises(OutputError, match="is there already"):
        write(tmp_path / "a.wav", read(tmp_path / "a.wav"), Encoding())
