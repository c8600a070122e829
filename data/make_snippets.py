"""Make data/movie_snippets.tsv.xz and product_snippets.tsv.xz, byte for byte, from vaderSentiment 3.3.2.

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python data/make_snippets.py vaderSentiment-3.3.2.tar.gz

One line a sentence: its mean rating by people (-4 to 4), a tab, the sentence.
"""

import io
import lzma
import sys
import tarfile
from pathlib import Path

RESOURCES = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
SENTENCES = {
    "movie_snippets": "hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt",
    "product_snippets": "hutto_ICWSM_2014/amazonReviewSnippets_GroundTruth.txt",
}


def member(archive, name):
    """Content of a file in a .tar.gz archive."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as opened:
        return opened.extractfile(name).read()


def main(source, folder):
    resources = member(source.read_bytes(), RESOURCES)
    for name, sentences in SENTENCES.items():
        lines = member(resources, sentences).decode("utf-8").splitlines()
        kept = ["\t".join(line.split("\t")[1:]) for line in lines]
        content = "".join(f"{line}\n" for line in kept).encode("utf-8")
        (folder / f"{name}.tsv.xz").write_bytes(lzma.compress(content, preset=9))


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) == 3 else Path(__file__).parent))
