#!/usr/bin/env bash
# The demo: corpus, refinery, torchrun, evaluation. Every step recognises what is already there.
set -euo pipefail
bin=.venv/bin
out=runs/demo
started=$SECONDS

JAVA_HOME=$("$bin/python" -m jobs.spark.java)
export JAVA_HOME PATH="$PWD/$bin:$JAVA_HOME/bin:$PATH"
# One thread per native library and worker, in whatever starts first.
export TOKENIZERS_PARALLELISM=false RAYON_NUM_THREADS=1 OMP_NUM_THREADS=1 PYSPARK_PYTHON="$PWD/$bin/python"

"$bin/python" -m jobs.demo.corpus runs/demo-corpus

mkdir -p "$out"
"$bin/python" -m jobs.launch --recipe jobs/recipes/demo.yaml "$@"

ranks=$(nproc)
[ "$ranks" -gt 2 ] && ranks=2
torchrun --standalone --nproc-per-node "$ranks" -m train pretrain --recipe train/recipes/demo.yaml
checkpoint=$("$bin/python" -m jobs.demo.summary checkpoint)
"$bin/python" -m train evaluate --checkpoint "$checkpoint" --manifest "$out/dataset" \
  --tasks runs/demo-corpus/benchmarks/questions.jsonl --output "$out/train/evaluation.json"

echo
echo "finished in $((SECONDS - started)) s"
"$bin/python" -m jobs.demo.summary show
