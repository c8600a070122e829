"""Augmented images, pixel by pixel against what was drawn, and as a whole against what is to be expected."""

import pytest
import torch

from symgen.training.augmentation import augmentation, crop_flip, resized_crop_flip


def numbered(count=400, size=16):
    """Images whose pixels hold their own column and row, from 1 on: 0 is what comes in from outside."""
    numbers = torch.arange(1.0, size + 1)
    one = torch.stack([numbers.expand(size, size), numbers[:, None].expand(size, size)])
    return one.expand(count, -1, -1, -1).clone()


def test_each_crop_is_its_image_moved_by_whole_pixels_and_half_of_them_mirrored():
    images = numbered()
    changed = crop_flip(images, torch.Generator().manual_seed(0))
    moves, mirrored = set(), 0
    for image in changed:
        columns = image[0]
        flip = bool((columns.diff(dim=1)[8, 4:12] < 0).all())
        image = image.flip(-1) if flip else image
        column, row = int(image[0, 8, 8]) - 9, int(image[1, 8, 8]) - 9
        moves.add((column, row))
        mirrored += flip
        expected = torch.zeros_like(image)
        padded = torch.nn.functional.pad(images[0], [2, 2, 2, 2])
        expected = padded[:, 2 + row : 18 + row, 2 + column : 18 + column]
        assert torch.equal(image, expected)
    assert moves == {(column, row) for column in range(-2, 3) for row in range(-2, 3)}  # an eighth of 16, both ways
    assert 150 < mirrored < 250


def test_a_crop_is_moved_by_an_eighth_of_each_side():
    changed = crop_flip(torch.ones(400, 1, 8, 24), torch.Generator().manual_seed(0))[:, 0] == 0
    assert changed[:, 4].sum(dim=1).max() == 3 and changed[:, :, 12].sum(dim=1).max() == 1


def test_each_resized_crop_is_a_linear_part_of_its_image_within_it():
    images = numbered(count=2000)
    changed = resized_crop_flip(images, torch.Generator().manual_seed(0))
    across, down = changed[:, 0].diff(dim=2)[:, 8, 4:12], changed[:, 1].diff(dim=1)[:, 4:12, 8]  # pixels a pixel
    assert (across - across.mean(dim=1, keepdim=True)).abs().max() < 0.5
    width, height = across.mean(dim=1), down.mean(dim=1)
    assert (height > 0).all() and 900 < int((width < 0).sum()) < 1100  # mirrored from left to right alone
    area, ratio = width.abs() * height, width.abs() / height
    assert 0.03 < area.min() < 0.12 and area.max() > 0.9 and 0.45 < area.mean() < 0.57  # of 0.08 to 1
    inner = (width.abs() < 0.95) & (height < 0.95)
    assert ratio[inner].min() > 0.7 and ratio[inner].max() < 1.4  # of 3/4 to 4/3
    assert changed.min() >= 1 and changed.max() <= 16  # nothing from outside
    assert abs(ratio[inner].log().mean()) < 0.015  # as often wider as higher
    assert abs(torch.corrcoef(changed[:, :, 8, 8].T)[0, 1]) < 0.1  # across and down are drawn apart
    centre = changed[:, 1, 8, 8]
    assert 7.5 < centre.mean() < 9.5 and centre.std() > 1.5


def test_channels_and_images_stay_together_and_a_seed_fixes_the_changes():
    images = (
        torch.rand(6, 1, 16, 24, generator=torch.Generator().manual_seed(3)) + torch.arange(6.0)[:, None, None, None]
    )
    for name in ("crop-flip", "resized-crop-flip"):
        pairs = torch.cat([images, 10 * images], dim=1)
        first, again, other = (augmentation(name, seed)(pairs) for seed in (1, 1, 2))
        assert torch.equal(first, again) and not torch.equal(first, other) and first.shape == pairs.shape
        torch.testing.assert_close(first[:, 1], 10 * first[:, 0])
        shown = first[:, 0].amax(dim=(1, 2))
        assert ((shown > torch.arange(6)) & (shown < torch.arange(1, 7))).all()
        assert first.is_contiguous(memory_format=torch.channels_last)
        change = augmentation(name, 1)
        assert not torch.equal(change(pairs), change(pairs))  # one after the other


@pytest.mark.parametrize("shape", [(3, 2, 8, 8), (5, 7)])
def test_none_gives_back_what_it_gets(shape):
    batch = torch.rand(shape)
    assert augmentation("none", 0)(batch) is batch
