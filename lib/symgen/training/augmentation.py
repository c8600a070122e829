"""Random changes of images on the way into a network that learns: of a whole batch at once, on its device."""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

# shares of an image's area that a resized crop holds, and its width over its height: the usual ones
AREAS = (0.08, 1.0)
RATIOS = (3 / 4, 4 / 3)


def crop_flip(
    images: Float[Tensor, "image channel height width"], generator: torch.Generator
) -> Float[Tensor, "image channel height width"]:
    """Each image moved by up to an eighth of its side both ways, half of them mirrored; what comes in is 0, the mean."""
    count, _, height, width = images.shape
    margins = height // 8, width // 8
    padded = functional.pad(images, [margins[1], margins[1], margins[0], margins[0]])
    top, left = (torch.randint(2 * margin + 1, (count, 1), generator=generator) for margin in margins)
    rows, columns = top + torch.arange(height), left + torch.arange(width)  # (image, row), (image, column)
    columns = torch.where(_coin(count, generator)[:, None], columns.flip(1), columns)
    rows, columns = rows.to(images.device), columns.to(images.device)
    image = torch.arange(count, device=images.device)[:, None, None]
    return padded[image, :, rows[:, :, None], columns[:, None]].permute(0, 3, 1, 2)  # channels last in memory


def resized_crop_flip(
    images: Float[Tensor, "image channel height width"], generator: torch.Generator
) -> Float[Tensor, "image channel height width"]:
    """A random part of each image, of random area and shape, resized to the whole; half of them mirrored (Appendix E.1)."""
    count = len(images)
    area, ratio, right, down = torch.rand(4, count, generator=generator)
    area = AREAS[0] + area * (AREAS[1] - AREAS[0])
    ratio = RATIOS[0] * (RATIOS[1] / RATIOS[0]) ** ratio
    width, height = ((area * shape).sqrt().clamp(max=1) for shape in (ratio, 1 / ratio))  # shares of the sides
    placed = torch.zeros(count, 2, 3)  # from the new image's coordinates, -1 to 1, to the old one's
    placed[:, 0, 0] = torch.where(_coin(count, generator), -width, width)
    placed[:, 1, 1] = height
    placed[:, 0, 2], placed[:, 1, 2] = (2 * right - 1) * (1 - width), (2 * down - 1) * (1 - height)
    grid = functional.affine_grid(placed.to(images), list(images.shape), align_corners=False)
    changed = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return changed.contiguous(memory_format=torch.channels_last)


def augmentation(name: str, seed: int) -> Callable[[Tensor], Tensor]:
    """What changes a batch, by its name; each call draws further from one generator. "none" gives the batch back."""
    generator = torch.Generator().manual_seed(seed)  # of its own, so that the order of the batches stays the same
    changes = {"none": lambda images, generator: images, "crop-flip": crop_flip, "resized-crop-flip": resized_crop_flip}
    return partial(changes[name], generator=generator)


def _coin(count, generator):
    return torch.rand(count, generator=generator) < 0.5
