"""Make data/fashion_mnist_6k.npz, byte for byte, from the four official files of Fashion-MNIST.

    apt-get install dataset-fashion-mnist
    python data/make_fashion_mnist_6k.py /usr/share/datasets/fashion-mnist

The first 600 training images of each of the 10 classes, in the order of the official file.
"""

import gzip
import sys
from pathlib import Path

import numpy as np

PER_CLASS = 600


def read_idx(path, header):
    """Array of bytes in an IDX file, without its header."""
    return np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8, offset=header)


def main(source, target):
    labels = read_idx(source / "train-labels-idx1-ubyte.gz", 8)
    images = read_idx(source / "train-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)
    keep = np.sort(np.concatenate([np.flatnonzero(labels == label)[:PER_CLASS] for label in range(10)]))
    np.savez_compressed(target, images=images[keep], labels=labels[keep])


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else Path(__file__).parent / "fashion_mnist_6k.npz"))
