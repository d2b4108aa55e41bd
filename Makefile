# make demo: from generated EM to neurons with scores and pictures.   make test: every test.
# make check: style, types and the tests that start no workflow.
PYTHON ?= python3
CORES ?= 2
SAM2 = sam2==1.1.0
MASK_SCORES = pysodmetrics==1.4.2
# Compiled at once and on all cores, not by pip: jobs would compile what they load, and again at every
# start where PYTHONDONTWRITEBYTECODE is set. Nobody loads tests, and but a few of transformers' models.
# A module in the syntax of a later Python stays as it is.
PIP = -m pip install --quiet --no-compile
COMPILE = -m compileall -qq -j $(CORES) -x '/tests?/|transformers/models/(?!__init__|auto|clip|encoder_decoder|sam)'
# files in the order of tests/conftest.py, the longest first; a process more than cores, as a third of
# the tests' time is waiting
PYTEST = .venv/bin/python -m pytest -n $$(($(CORES) + 1)) --dist loadfile --no-loadscope-reorder

.PHONY: demo test check install docs clean

demo: .venv/installed
	@start=$$(date +%s); set -x; .venv/bin/snakemake --cores $(CORES); status=$$?; set +x; \
	echo "The demo ran for $$(($$(date +%s) - start)) s"; exit $$status
	@cat results/report/scores.txt
	@echo
	@echo "The report: results/report/index.html"

install: .venv/installed

test: .venv/tests-installed .venv-skeletons/installed
	$(PYTEST)

check: .venv/tests-installed .venv-skeletons/installed
	$(PYTEST) -m "not workflow"

docs: .venv/installed
	.venv/bin/python -m fgnet.settings.reference > docs/config.md

# sam2's own requirements and its build would fetch a second torch; its CUDA extension is not needed
.venv/installed: requirements.txt Makefile
	@echo "Installing into .venv: about 2.3 GB (more where torch comes as the CUDA build)"
	@start=$$(date +%s); set -ex; \
	$(PYTHON) -m venv .venv; \
	.venv/bin/python $(PIP) $$(grep '^torch==' requirements.txt); \
	.venv/bin/python $(PIP) -r requirements.txt; \
	SAM2_BUILD_CUDA=0 .venv/bin/python $(PIP) --no-build-isolation --no-deps $(SAM2); \
	.venv/bin/python $(COMPILE) .venv/lib fgnet || true; \
	PYTHONPATH=. .venv/bin/python envs/compiled.py; \
	set +x; echo "Installed in $$(($$(date +%s) - start)) s"
	touch $@

# what scores of masks are held against asks for numpy below 2 and does without
.venv/tests-installed: .venv/installed requirements-test.txt Makefile
	.venv/bin/python $(PIP) -r requirements-test.txt
	.venv/bin/python $(PIP) --no-deps $(MASK_SCORES)
	.venv/bin/python $(COMPILE) .venv/lib || true
	touch $@

# centre lines are drawn by GPL programs, which stay apart from everything that imports fgnet's rest
.venv-skeletons/installed: requirements-skeletons.txt
	$(PYTHON) -m venv .venv-skeletons
	.venv-skeletons/bin/python $(PIP) -r requirements-skeletons.txt
	.venv-skeletons/bin/python $(COMPILE) .venv-skeletons/lib || true
	touch $@

clean:
	rm -rf .venv .venv-skeletons .snakemake results
