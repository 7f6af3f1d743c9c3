"""`Image`: what reconstruction ends with, which saves and shows itself."""

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

from gleam.errors import BadInput
from gleam.face.pictures import Drawn, Grey
from gleam.face.words import in_python
from gleam.files import check_new, make_folder
from gleam.formats import image_writer
from gleam.formats.dicom import writer as dicom
from gleam.formats.pictures import slices, tiled
from gleam.reconstruction.reconstruct import Reconstruction
from gleam.words import counted, sized


@dataclass(frozen=True, repr=False)
class Image(Drawn, Reconstruction):
    """A reconstructed image with its place in the patient. A notebook draws it.

    `image.image` is (slice, frame, *space) complex64 in the scan's own intensities, `space` being
    `y x`, or `z y x` with one slice; NumPy's functions, given the image, take that array.
    `image.magnitude` is (frame, z, y, x) float32. The other
    attributes are those of `gleam.formats.Volume`; `image.doubts` says what may have made it worse,
    such as a network that was trained on other scans.

    >>> image = gleam.reconstruct(data, "cg-sense")
    >>> image
    <Image 'scan-0': 2 slices, 1 frame, 32 × 48 voxels of ... mm, cg-sense>
    >>> image.magnitude.shape
    (1, 2, 32, 48)
    >>> image.save("scan.nii.gz")
    """

    @in_python()
    def save(
        self,
        path: str | Path,
        *,
        format: str | None = None,
        tag: Mapping[str, str] = MappingProxyType({}),
        force: bool = False,
    ) -> None:
        """Write it: NIfTI, DICOM, ISMRMRD, PNG, WebP, BART or NumPy.

        Args:
            path: its suffix says the format; a name without suffix is a folder of DICOM files.
            format: what else to write, "fastmri" (.h5) or "cmrxrecon" (.mat) for submissions.
            tag: tags to stand in DICOM, {"PatientID": "17"}; without it the images name nobody.
            force: replace what is there.

        Raises:
            BadInput: the format is not known, cannot hold the image or needs a library that is not
                there; or something is there already.
        """
        path = Path(path)
        write = image_writer(path, format)
        check_new(path, force)
        if write is dicom.write_image:  # a folder of them, some of which may have other names
            tags = dicom.parse_tags(f"{keyword}={value}" for keyword, value in tag.items())
            write = partial(dicom.write_image, tags=tags, force=force)
        elif tag:
            raise BadInput(f"{path}: --tag is for DICOM; write to a folder or a .dcm file")
        make_folder(path.parent)
        write(self, path)

    def pictures(self) -> Sequence[Grey]:
        """All slices of the first frame, side by side."""
        return [tiled(slices(self)[0])]

    def __repr__(self) -> str:
        count, frames, *space = self.image.shape
        known = [counted(count, "slice")] if len(space) == 2 else []
        known += [counted(frames, "frame"), f"{sized(space)} voxels of {sized(self.voxel)} mm"]
        known += [self.method] if self.method else []
        known += [counted(len(self.doubts), "doubt")] if self.doubts else []
        return f"<Image {reprlib.repr(self.name)}: {', '.join(known)}>"

    @classmethod
    def of(cls, image: Reconstruction) -> "Image":
        """The same image."""
        return cls(**vars(image))
