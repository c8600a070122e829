# The project in an image: `docker build -t symgen .`; `docker run -v "$PWD/data/runs:/symgen/data/runs"
# -v "$PWD/figures:/symgen/figures" symgen figures`; what is written elsewhere, as README.md, stays in the container.
FROM python:3.11-slim-bookworm
RUN useradd --uid 1000 symgen && install -d -o symgen /symgen
USER 1000
WORKDIR /symgen
ENV PATH=/symgen/.venv/bin:$PATH
COPY --chown=symgen pyproject.toml constraints.txt README.md LICENSE ./
COPY --chown=symgen lib lib
RUN python -m venv .venv && pip install --no-cache-dir -c constraints.txt -e '.[study]'
COPY --chown=symgen . .
ENTRYPOINT ["symgen"]
CMD ["figures", "--profile", "profiles/kubernetes"]
