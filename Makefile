# make demo: from generated EM to neurons with scores and pictures.   make test: every test.
PYTHON ?= python3
CORES ?= 2
SAM2 = sam2==1.1.0

.PHONY: demo test install docs clean

demo: .venv/installed
	.venv/bin/snakemake --cores $(CORES)
	@cat results/report/scores.txt
	@echo
	@echo "The report: results/report/index.html"

install: .venv/installed

test: .venv/tests-installed .venv-skeletons/installed
	.venv/bin/python -m pytest

docs: .venv/installed
	.venv/bin/python -m fgnet.settings.reference > docs/config.md

# sam2's own requirements and its build would fetch a second torch; its CUDA extension is not needed
.venv/installed: requirements.txt Makefile
	@echo "Installing into .venv: about 2.3 GB (more where torch comes as the CUDA build)"
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet $$(grep '^torch==' requirements.txt)
	.venv/bin/python -m pip install --quiet -r requirements.txt
	SAM2_BUILD_CUDA=0 .venv/bin/python -m pip install --quiet --no-build-isolation --no-deps $(SAM2)
	touch $@

.venv/tests-installed: .venv/installed requirements-test.txt
	.venv/bin/python -m pip install --quiet -r requirements-test.txt
	touch $@

# centre lines are drawn by GPL programs, which stay apart from everything that imports fgnet's rest
.venv-skeletons/installed: requirements-skeletons.txt
	$(PYTHON) -m venv .venv-skeletons
	.venv-skeletons/bin/python -m pip install --quiet -r requirements-skeletons.txt
	touch $@

clean:
	rm -rf .venv .venv-skeletons .snakemake results
