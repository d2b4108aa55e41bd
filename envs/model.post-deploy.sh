#!/usr/bin/env bash
# sam2's own requirements and its isolated build would fetch a second torch; the CUDA extension
# serves only its mask post-processing.
set -euo pipefail
SAM2_BUILD_CUDA=0 python -m pip install --no-build-isolation --no-deps sam2==1.1.0
