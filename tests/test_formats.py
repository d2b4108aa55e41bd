"""Every format in: values, ids, voxel size and offset come out as they were written."""

import gzip
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import mrcfile
import nrrd
import numpy as np
import pytest
import tensorstore
import tifffile
import zarr
from PIL import Image

from fgnet import volume
from fgnet.download.__main__ import run_volume
from fgnet.download.formats import tiff
from fgnet.download.formats.images import natural
from fgnet.download.formats.units import nanometres
from fgnet.errors import InputError

SHAPE = (12, 37, 51)  # odd, so that no chunk or tile fits
SIZE = (40.0, 4.0, 5.0)  # anisotropic, all different
OFFSET = (400.0, 12.0, 35.0)
CHUNK = (5, 16, 16)
RANDOM = np.random.default_rng(7)
BYTES = RANDOM.integers(0, 256, SHAPE, np.uint8)
WORDS = RANDOM.integers(0, 65536, SHAPE).astype(np.uint16)
IDS = RANDOM.integers(0, 2**32, SHAPE).astype(np.uint32)
WIDE = IDS.astype(np.uint64) + 2**40
EMPTY = np.zeros(SHAPE, np.uint32)
Write = Callable[..., dict[str, Any]]


def download(folder: Path, entry: dict[str, Any]) -> Path:
    out = folder / "out.h5"
    fetching = json.dumps({"lock": str(folder / "lock"), "backoff": 0.01})
    run_volume("v", json.dumps({"volume": entry}), out, fetching=fetching)
    return out


def hdf5(place: Path, values: np.ndarray, **options: Any) -> dict[str, Any]:
    with h5py.File(place.with_suffix(".h5"), "w") as file:
        data = file.create_dataset("some/where", data=values, **options)
        data.attrs.update(resolution=SIZE, offset=OFFSET)
    return {"path": str(place.with_suffix(".h5"))}


def hdf5_fortran(place: Path, values: np.ndarray) -> dict[str, Any]:
    """As MATLAB writes it: x first, and the attributes along z, y, x all the same."""
    return {**hdf5(place, np.asfortranarray(values.transpose(2, 1, 0))), "axes": "xyz"}


def ilastik(place: Path, values: np.ndarray) -> dict[str, Any]:
    with h5py.File(place.with_suffix(".h5"), "w") as file:
        file["exported"] = values[None, ..., None]
        file["exported"].attrs["element_size_um"] = [s / 1000 for s in SIZE]
    return {"path": str(place.with_suffix(".h5")), "offset": OFFSET}


def ome_tiff(place: Path, values: np.ndarray, **options: Any) -> dict[str, Any]:
    path = place.with_suffix(".ome.tif")
    names = ("Z", "Y", "X")
    sizes = {f"PhysicalSize{a}": s for a, s in zip(names, SIZE, strict=True)}
    units = {f"PhysicalSize{a}Unit": "nm" for a in names}
    planes = len(values)
    plane = {f"Position{a}": [o] * planes for a, o in zip(names, OFFSET, strict=True)}
    plane |= {f"Position{a}Unit": ["nm"] * planes for a in names}
    metadata = {"axes": "ZYX", **sizes, **units, "Plane": plane}
    tifffile.imwrite(path, values, ome=True, metadata=metadata, **options)
    return {"path": str(path)}


def imagej(place: Path, values: np.ndarray) -> dict[str, Any]:
    tifffile.imwrite(
        place.with_suffix(".tif"), values, imagej=True,
        resolution=(1e3 / SIZE[2], 1e3 / SIZE[1]),
        metadata={"axes": "ZYX", "spacing": SIZE[0] / 1e3, "unit": "um"},
    )  # fmt: skip
    return {"path": str(place.with_suffix(".tif")), "offset": OFFSET}


def sections(place: Path, values: np.ndarray, ending: str) -> dict[str, Any]:
    """A folder of numbered sections without padding: 9 comes before 10."""
    place.mkdir()
    for number, section in enumerate(values, 1):
        path = place / f"s {number}{ending}"
        if ending == ".tif":
            tifffile.imwrite(path, section, compression="deflate")
        else:
            Image.fromarray(section).save(path)
    return {"path": str(place), "offset": OFFSET}


def png(place: Path, values: np.ndarray) -> dict[str, Any]:
    return sections(place, values, ".png")


def tiff_folder(place: Path, values: np.ndarray) -> dict[str, Any]:
    return sections(place, values, ".tif")


def zarr_array(place: Path, values: np.ndarray, version: int, **options: Any) -> dict[str, Any]:
    """As funlib and CREMI's descendants write it: attributes beside the array."""
    path = place.with_suffix(".zarr")
    group = zarr.open_group(path, mode="w", zarr_format=version)
    data = group.create_array("em/here", shape=values.shape, dtype=values.dtype, chunks=CHUNK,
                              **options)  # fmt: skip
    data[:] = values
    data.attrs.update(resolution=list(SIZE), offset=list(OFFSET))
    return {"path": str(path)}


def zarr2(place: Path, values: np.ndarray) -> dict[str, Any]:
    return zarr_array(place, values, 2)


def zarr2_fortran(place: Path, values: np.ndarray) -> dict[str, Any]:
    return zarr_array(place, values, 2, order="F")


def zarr3(place: Path, values: np.ndarray) -> dict[str, Any]:
    return zarr_array(place, values, 3)


def ome_zarr(place: Path, values: np.ndarray, version: str) -> dict[str, Any]:
    """A pyramid with axes t, c, z, y, x, in µm, as bioformats2raw makes them."""
    path = place.with_suffix(".ome.zarr")
    group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
    datasets = []
    for level, step in enumerate((1, 2)):
        cut = values[:, ::step, ::step][None, None]
        group.create_array(f"{level}", shape=cut.shape, dtype=cut.dtype,
                           chunks=(1, 1, *CHUNK))[:] = cut  # fmt: skip
        scale = [1, 1, SIZE[0], SIZE[1] * step, SIZE[2] * step]
        shift = [s * (step - 1) / 2 for s in SIZE[1:]]  # of a coarse voxel's centre
        centre = [0, 0, OFFSET[0], OFFSET[1] + shift[0], OFFSET[2] + shift[1]]
        moves = [{"type": "scale", "scale": [s / 1e3 for s in scale]},
                 {"type": "translation", "translation": [c / 1e3 for c in centre]}]  # fmt: skip
        datasets.append({"path": f"{level}", "coordinateTransformations": moves})
    axes = [{"name": "t", "type": "time"}, {"name": "c", "type": "channel"}]
    axes += [{"name": n, "type": "space", "unit": "micrometer"} for n in "zyx"]
    about = {"multiscales": [{"version": version, "axes": axes, "datasets": datasets}]}
    group.attrs.update(about if version == "0.4" else {"ome": {"version": version, **about}})
    return {"path": str(path)}


def ome_zarr_04(place: Path, values: np.ndarray) -> dict[str, Any]:
    return ome_zarr(place, values, "0.4")


def ome_zarr_05(place: Path, values: np.ndarray) -> dict[str, Any]:
    return ome_zarr(place, values, "0.5")


def n5(place: Path, values: np.ndarray) -> dict[str, Any]:
    """By hand from the specification: big-endian chunks with a header, the axes x, y, z."""
    path = place.with_suffix(".n5")
    (path / "em").mkdir(parents=True)
    (path / "attributes.json").write_text('{"n5": "2.5.1"}')
    block = CHUNK[::-1]
    about = {
        "dimensions": values.shape[::-1], "blockSize": block, "dataType": values.dtype.name,
        "compression": {"type": "gzip", "level": 1},
        "pixelResolution": {"dimensions": SIZE[::-1], "unit": "nm"}, "offset": OFFSET[::-1],
    }  # fmt: skip
    (path / "em" / "attributes.json").write_text(json.dumps(about))
    cuts = [range(0, size, step) for size, step in zip(values.shape, CHUNK, strict=True)]
    for z in cuts[0]:
        for y in cuts[1]:
            for x in cuts[2]:
                cut = values[z : z + CHUNK[0], y : y + CHUNK[1], x : x + CHUNK[2]]
                header = struct.pack(">HHIII", 0, 3, *cut.shape[::-1])
                body = cut.astype(cut.dtype.newbyteorder(">")).tobytes()
                chunk = path / "em" / f"{x // block[0]}/{y // block[1]}/{z // block[2]}"
                chunk.parent.mkdir(parents=True, exist_ok=True)
                chunk.write_bytes(header + gzip.compress(body))
    return {"path": str(path)}


def n5_pyramid(place: Path, values: np.ndarray) -> dict[str, Any]:
    """As Paintera and BigDataViewer have it: s0, s1, … beside each other."""
    path = place.with_suffix(".n5")
    for level, step in enumerate((1, 2)):
        cut = values[:, ::step, ::step].T
        spec = {"driver": "n5", "kvstore": f"file://{path}/s{level}/",
                "metadata": {"blockSize": CHUNK[::-1], "compression": {"type": "raw"}}}  # fmt: skip
        tensorstore.open(spec, create=True, dtype=cut.dtype.name, shape=cut.shape).result()[...] = (
            cut
        )
        file = path / f"s{level}" / "attributes.json"
        about = json.loads(file.read_text()) | {"downsamplingFactors": [step, step, 1]}
        file.write_text(json.dumps(about))
    about = {"n5": "2.5.1", "resolution": SIZE[::-1], "offset": OFFSET[::-1], "multiScale": True}
    (path / "attributes.json").write_text(json.dumps(about))
    return {"path": str(path)}


def open_organelle(place: Path, values: np.ndarray) -> dict[str, Any]:
    """As Janelia's COSEM has it: each scale with its own voxel size, the group with OME's name."""
    source = n5_pyramid(place, values)
    datasets = []
    for level, step in enumerate((1, 2)):
        size = [SIZE[0], SIZE[1] * step, SIZE[2] * step]
        about = {"pixelResolution": {"dimensions": size[::-1], "unit": "nm"}}
        about["transform"] = {"axes": [*"zyx"], "scale": size, "units": ["nm"] * 3}
        datasets.append({"path": f"s{level}", "transform": about["transform"]})
        file = Path(source["path"]) / f"s{level}" / "attributes.json"
        kept = json.loads(file.read_text())
        del kept["downsamplingFactors"]
        file.write_text(json.dumps(kept | about))
    about = {"n5": "2.0.0", "offset": OFFSET[::-1], "multiscales": [{"datasets": datasets}]}
    (Path(source["path"]) / "attributes.json").write_text(json.dumps(about))
    return source


def precomputed(place: Path, values: np.ndarray) -> dict[str, Any]:
    from cloudvolume import CloudVolume

    first = [round(o / s) for o, s in zip(OFFSET, SIZE, strict=True)]
    kind = "image" if values.dtype in (np.uint8, np.uint16) else "segmentation"
    info = CloudVolume.create_new_info(
        1, kind, values.dtype.name, "raw", resolution=SIZE[::-1], voxel_offset=first[::-1],
        chunk_size=CHUNK[::-1], volume_size=values.shape[::-1],
    )  # fmt: skip
    made = CloudVolume(f"file://{place}", info=info, compress="gzip", progress=False)
    made.commit_info()
    made[:, :, :] = values.T[..., None]
    return {"path": f"precomputed://file://{place}"}


def nrrd_raw(place: Path, values: np.ndarray, encoding: str = "raw") -> dict[str, Any]:
    header = {
        "encoding": encoding, "space dimension": 3, "space units": ["nm"] * 3,
        "space directions": np.diag(SIZE[::-1]), "space origin": np.array(OFFSET[::-1]),
    }  # fmt: skip
    nrrd.write(str(place.with_suffix(".nrrd")), values.T, header)
    return {"path": str(place.with_suffix(".nrrd"))}


def nrrd_gzip(place: Path, values: np.ndarray) -> dict[str, Any]:
    return nrrd_raw(place, values, "gzip")


def nrrd_windows(place: Path, values: np.ndarray) -> dict[str, Any]:
    """Lines of the header end as on Windows, and it is long; the values hold empty lines."""
    path = Path(nrrd_raw(place, values)["path"])
    header, _, data = path.read_bytes().partition(b"\n\n")
    header += b"\nhistory:=" + b"x" * 70_000
    path.write_bytes(header.replace(b"\n", b"\r\n") + b"\r\n\r\n" + data)
    return {"path": str(path)}


def mrc(place: Path, values: np.ndarray) -> dict[str, Any]:
    path = place.with_suffix(".mrc")
    with mrcfile.new(path) as file:
        file.set_data(values)
        file.voxel_size = tuple(s * 10 for s in SIZE[::-1])
        for axis, start in zip("zyx", OFFSET, strict=True):
            file.header.origin[axis] = start * 10
    return {"path": str(path)}


def mrc_turned(place: Path, values: np.ndarray) -> dict[str, Any]:
    """The slowest axis is x, as the header says."""
    path = mrc(place, np.ascontiguousarray(values.transpose(2, 1, 0)))["path"]
    with mrcfile.mmap(path, "r+") as file:
        file.header.mapc, file.header.mapr, file.header.maps = 3, 2, 1
        file.header.mx, file.header.my, file.header.mz = values.shape[::-1]
        file.header.cella = tuple(10 * s * n for s, n in zip(SIZE, values.shape, strict=True))[::-1]
    return {"path": path}


def mrc_imod(place: Path, values: np.ndarray) -> dict[str, Any]:
    """Bytes without a sign, as IMOD's flags say; the voxel size of a program that knows none."""
    path = place.with_suffix(".mrc")
    with mrcfile.new(path) as file:
        file.set_data(values.view(np.int8))
        file.voxel_size = 1
    data = bytearray(path.read_bytes())
    data[152:160] = struct.pack("<ii", 1146047817, 0)
    path.write_bytes(data)
    return {"path": str(path), "offset": OFFSET}


def big_tiff(place: Path, values: np.ndarray) -> dict[str, Any]:
    return ome_tiff(place, values, bigtiff=True, byteorder=">")


def lzw_tiff(place: Path, values: np.ndarray) -> dict[str, Any]:
    return ome_tiff(place, values, compression="lzw", tile=(16, 16))


def gzipped_hdf5(place: Path, values: np.ndarray) -> dict[str, Any]:
    return hdf5(place, values.astype(values.dtype.newbyteorder(">")), compression="gzip",
                chunks=(5, 16, 16))  # fmt: skip


def packed(place: Path, values: np.ndarray) -> dict[str, Any]:
    path = Path(hdf5(place, values)["path"])
    path.with_suffix(".h5.gz").write_bytes(gzip.compress(path.read_bytes()))
    return {"path": str(path.with_suffix(".h5.gz"))}


CHUNKED = [zarr2, zarr2_fortran, zarr3, ome_zarr_04, ome_zarr_05, n5, n5_pyramid, precomputed]


def zipped(place: Path, values: np.ndarray) -> dict[str, Any]:
    """The only file in an archive."""
    path = Path(hdf5(place, values)["path"])
    with zipfile.ZipFile(path.with_suffix(".zip"), "w") as archive:
        archive.write(path, "a folder/em.h5")
    return {"path": str(path.with_suffix(".zip"))}


FILES = [hdf5, hdf5_fortran, gzipped_hdf5, ilastik, packed, zipped, ome_tiff, big_tiff, lzw_tiff,
         nrrd_raw, nrrd_gzip]  # fmt: skip
GREY = [*CHUNKED, *FILES, imagej, png, tiff_folder]


def cases() -> list[Any]:
    found = [(write, raw, IDS) for write in GREY for raw in (BYTES, WORDS)]
    found += [(mrc, WORDS, IDS), (mrc, BYTES.view(np.int8), IDS)]
    found += [(nrrd_windows, np.where(BYTES < 64, 10, BYTES).astype(np.uint8), IDS)]
    found += [(mrc_turned, WORDS, IDS), (mrc_imod, BYTES, IDS)]
    return [pytest.param(*one, id=f"{one[0].__name__}-{one[1].dtype}") for one in found]


@pytest.mark.parametrize(("write", "raw", "labels"), cases())
def test_an_image_of_every_format(
    tmp_path: Path, write: Write, raw: np.ndarray, labels: np.ndarray
) -> None:
    """Labels in another format than the image fit it by voxel size and offset."""
    source = write(tmp_path / "raw", raw)
    entry = {"source": source, "labels": hdf5(tmp_path / "ids", labels), "voxel_size": SIZE}
    with h5py.File(download(tmp_path, entry)) as file:
        got, ids = file[volume.RAW], file[volume.LABELS]
        shift = json.loads(got.attrs["grey"])
        assert shift["step"] == 1
        assert np.array_equal(got[()].astype(int) + int(shift["low"]), raw.astype(int))
        assert got.dtype == (np.uint8 if raw.dtype == np.uint8 else np.uint16)
        assert np.array_equal(ids, labels)
        assert volume.voxel_size(got) == pytest.approx(SIZE, rel=1e-6)
        assert volume.offset(got) == pytest.approx(OFFSET, rel=1e-6)


def label_cases() -> list[Any]:
    kinds = {"uint32": IDS, "uint64": WIDE, "empty": EMPTY}
    narrow = (big_tiff, ome_tiff, lzw_tiff)  # OME-TIFF has no 64-bit integers
    return [
        pytest.param(write, labels, id=f"{write.__name__}-{name}")
        for write in [*CHUNKED, *FILES]
        for name, labels in kinds.items()
        if not (labels is WIDE and write in narrow)
    ]


@pytest.mark.parametrize(("write", "labels"), label_cases())
def test_labels_of_every_format(tmp_path: Path, write: Write, labels: np.ndarray) -> None:
    entry = {"source": hdf5(tmp_path / "raw", BYTES), "labels": write(tmp_path / "ids", labels)}
    with h5py.File(download(tmp_path, entry)) as file:
        assert np.array_equal(file[volume.LABELS], labels)
        assert file[volume.LABELS].dtype == labels.dtype


@pytest.mark.parametrize("write", [ome_zarr_04, ome_zarr_05, n5_pyramid, open_organelle])
def test_labels_are_read_at_the_scale_of_the_image(tmp_path: Path, write: Write) -> None:
    image = {**write(tmp_path / "raw", BYTES), "mip": 1}
    entry = {"source": image, "labels": write(tmp_path / "ids", IDS)}
    with h5py.File(download(tmp_path, entry)) as file:
        assert np.array_equal(file[volume.RAW], BYTES[:, ::2, ::2])
        assert np.array_equal(file[volume.LABELS], IDS[:, ::2, ::2])
        assert volume.voxel_size(file[volume.RAW]) == (40, 8, 10)
        assert volume.offset(file[volume.RAW]) == OFFSET
    with pytest.raises(InputError, match="no scale 2, only 0 to 1"):
        download(tmp_path, {"source": {**image, "mip": 2}})


def test_jpeg_sections_and_patterns(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(12) * 3, np.add.outer(np.arange(37), np.arange(51)))
    folder = Path(sections(tmp_path / "em", smooth.astype(np.uint8), ".jpg")["path"])
    (folder / "notes.txt").write_text("no section")
    for pattern, count in ((f"{folder}/s *.jpg", 12), (f"{folder}/s {{3..7}}.jpg", 5)):
        with h5py.File(download(tmp_path, {"source": pattern, "voxel_size": SIZE})) as file:
            raw = file[volume.RAW][()].astype(int)
        first = 0 if count == 12 else 2
        assert np.abs(raw - smooth[first : first + count]).max() <= 3
    Image.fromarray(smooth[0].astype(np.uint8)).save(folder / "s 13.png")
    with pytest.raises(InputError, match=r"end in .jpg, .png; say with a pattern"):
        download(tmp_path, {"source": str(folder), "voxel_size": SIZE})


def test_numbers_in_names_count_as_numbers() -> None:
    names = ["z10_a2.png", "z9.png", "z10_a10.png", "a.png", "z010.png", "9.png", "²1.png"]
    expected = ["9.png", "a.png", "z9.png", "z010.png", "z10_a2.png", "z10_a10.png", "²1.png"]
    assert [p.name for p in sorted(map(Path, names), key=natural)] == expected


@pytest.mark.parametrize(
    ("wanted", "factor"), [((20, 8, 5), (2, 0.5, 1)), ((60.0, 6.0, 12.5), (2 / 3, 2 / 3, 0.4))]
)
def test_resampling_is_that_of_pillow(
    tmp_path: Path, wanted: tuple[float, ...], factor: tuple[float, ...]
) -> None:
    """An independent implementation, axis by axis, with widened triangles where it shrinks."""
    entry = {"source": hdf5(tmp_path / "raw", BYTES), "labels": hdf5(tmp_path / "ids", IDS)}
    with h5py.File(download(tmp_path, {**entry, "resample": wanted})) as file:
        raw, ids = file[volume.RAW][()], file[volume.LABELS][()]
        assert volume.voxel_size(file[volume.RAW]) == wanted
        assert volume.offset(file[volume.RAW]) == OFFSET
    shape = tuple(round(n * f) for n, f in zip(SHAPE, factor, strict=True))
    assert raw.shape == ids.shape == shape
    expected = BYTES.astype(np.float32)
    for axis, length in enumerate(shape):
        # a whole number of new voxels covers the old extent only where the sizes divide
        span = length / factor[axis]
        lines = np.moveaxis(expected, axis, -1)
        flat = lines.reshape(-1, lines.shape[-1])
        if span > SHAPE[axis]:
            flat = np.pad(flat, ((0, 0), (0, 1)), "edge")
        image = Image.fromarray(np.ascontiguousarray(flat))
        size = (length, flat.shape[0])
        box = (0, 0, span, flat.shape[0])
        done = np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box))
        expected = np.moveaxis(done.reshape(*lines.shape[:-1], length), -1, axis)
    inner = tuple(slice(1, -2) for _ in shape)  # the last voxels see what was padded
    assert np.abs(raw[inner] - expected[inner]).max() <= 1
    places = [
        np.minimum(((np.arange(n) + 0.5) / f).astype(int), old - 1)
        for n, f, old in zip(shape, factor, SHAPE, strict=True)
    ]
    assert np.array_equal(ids, IDS[np.ix_(*places)])


def test_resampling_reads_little_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where a block of the result is made of much more of the source."""
    from fgnet.download.layers import Layer
    from fgnet.download.resample import resampled

    def read(box: tuple[slice, ...]) -> np.ndarray:
        sizes.append(BYTES[box].size)
        return BYTES[box]

    for smooth in (True, False):
        sizes: list[int] = []
        layer = Layer("raw", SHAPE, BYTES.dtype, read)
        new = resampled(layer, SIZE, (80.0, 16.0, 20.0), smooth)
        z, y, x = new.shape
        box = (slice(0, z), slice(0, y), slice(0, x))
        expected = new.read(box)
        monkeypatch.setattr("fgnet.download.resample.VOXELS", 2000)
        monkeypatch.setattr("fgnet.download.resample.ROWS", 3)
        assert np.array_equal(new.read(box), expected)
        assert max(sizes[1:]) <= 2000 < sizes[0]
        monkeypatch.undo()


def test_resampling_by_blocks_is_that_of_the_whole(tmp_path: Path) -> None:
    from fgnet.download.layers import Layer
    from fgnet.download.resample import resampled

    layer = Layer("raw", SHAPE, BYTES.dtype, lambda box: BYTES[box])
    for smooth in (True, False):
        new = resampled(layer, SIZE, (56.0, 3.0, 9.0), smooth)
        z, y, x = new.shape
        whole = new.read((slice(0, z), slice(0, y), slice(0, x)))
        for box in [(slice(2, 5), slice(7, 31), slice(3, 4)), (slice(z - 1, z),) * 1 + (
            slice(0, y), slice(x - 5, x))]:  # fmt: skip
            assert np.array_equal(new.read(box), whole[box])


def test_lengths_in_tiff_metadata(tmp_path: Path) -> None:
    """OME's sizes are in µm where they say nothing, its positions then are no lengths at all."""
    pixels = "".join(f'PhysicalSize{axis}="0.004" ' for axis in "ZYX")
    plane = "".join(f'Position{axis}="7" ' for axis in "ZYX")
    text = f"<OME><Image><Pixels {pixels}><Plane {plane}/></Pixels></Image></OME>"
    assert tiff.ome(text) == ((4, 4, 4), None)
    reversed_stack = {"axes": "ZYX", "spacing": -0.04, "unit": "micron"}
    path = tmp_path / "in.tif"
    tifffile.imwrite(path, BYTES, imagej=True, resolution=(250, 250), metadata=reversed_stack)
    with tifffile.TiffFile(path) as file:
        assert tiff.imagej(file) == (40, 4, 4)


def test_a_palette_stands_for_grey_values_and_for_ids(tmp_path: Path) -> None:
    folders = {}
    for name, step in (("grey", 1), ("colour", 2)):
        folders[name] = str(tmp_path / name)
        (tmp_path / name).mkdir()
        palette = [shade * part % 256 for shade in range(255, -1, -1) for part in (1, 1, step)]
        for number, section in enumerate(BYTES):
            image = Image.fromarray(section)
            image.putpalette(palette)
            image.save(tmp_path / name / f"{number}.png")
        (tmp_path / name / "._1.jpg").write_bytes(b"what a Mac leaves")
    entry = {"source": folders["grey"], "labels": folders["colour"], "voxel_size": SIZE}
    with h5py.File(download(tmp_path, entry)) as file:
        assert np.array_equal(file[volume.RAW], 255 - BYTES)
        assert np.array_equal(file[volume.LABELS], BYTES)
    with pytest.raises(InputError, match=r"0.png' has a palette of colours"):
        download(tmp_path, {**entry, "source": folders["colour"]})


@pytest.mark.parametrize(
    ("unit", "length"),
    [("nanometers", 1), ("\u00b5m", 1e3), ("\u03bcm", 1e3), ("Microns", 1e3), ("Å", 0.1),
     ("\u212b", 0.1), ("picometer", 1e-3), ("meter", 1e9), ("pixel", None), (None, None)],
)  # fmt: skip
def test_units_as_they_are_spelled(unit: object, length: float | None) -> None:
    assert nanometres(unit) == length


def test_a_section_that_is_not_there_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    entry = png(tmp_path / "em", BYTES)
    download(tmp_path, {"source": entry, "voxel_size": SIZE})
    assert not caplog.records
    for number in (3, 10):
        (tmp_path / f"em/s {number}.png").unlink()
    download(tmp_path, {"source": entry, "voxel_size": SIZE})
    assert "no section is numbered 3, 10; those around it" in caplog.text


def test_white_zeros_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tifffile.imwrite(tmp_path / "em.tif", BYTES, photometric="miniswhite", compression="zlib")
    out = download(tmp_path, {"source": str(tmp_path / "em.tif"), "voxel_size": SIZE})
    with h5py.File(out) as file:
        assert np.array_equal(file[volume.RAW], BYTES)
    assert "0 stands for white there" in caplog.text
