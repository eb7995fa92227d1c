#!/usr/bin/env bash
# Everything that is measured on a GPU, in one call of at most ten minutes, on a machine that has torch, transformers,
# accelerate and numba but neither Polars nor a network: `make gpu-wheels` here first, and send `.whl` along.
# Results, JSON as `bench/results/` keeps it, go to $OUT. SIZE, SERIES and WINDOWS make it smaller.
set -euo pipefail
cd "$(dirname "$0")/.."
: "${OUT:?the folder for the results}" "${SIZE:=full}" "${SERIES:=300000}" "${WINDOWS:=4096}"
home=$(mktemp -d)
python3 -m pip install --quiet --no-index --no-deps --target "$home/site" .whl/*.whl
mkdir "$home/site/fullshelf"
for folder in kernels engine cluster bench; do ln -s "$PWD/$folder" "$home/site/fullshelf/"; done
export PYTHONPATH="$home/site"
fullshelf() { python3 -c "from fullshelf.engine.cli import main; main()" "$@"; }
export -f fullshelf
nvidia-smi -L 2>/dev/null || echo "no GPU here: what follows is the CPU's"

# A part that fails or runs out of time does not take the others' results away.
part() {
  echo "== $*"
  timeout "$1" bash -c '"$@"' bash "${@:2}" || echo "== ended with $?: $*"
}

part 140 fullshelf bench inference --size "$SIZE" --json "$OUT/inference-$SIZE.json"
part 230 fullshelf bench headline --size "$SIZE" --series "$SERIES" --model demand-lm --json "$OUT/headline-$SIZE.json"
part 30 fullshelf simulate --series 50 --periods 60 --out "$home/shop"
part 110 fullshelf fit "$home/shop/fullshelf.yaml" --set fit.from=scratch --set fit.data=prior --set fit.minutes=1 \
  --set "fit.windows=$WINDOWS" --set "fit.output=$home/model"
cp "$home/model/training/log.jsonl" "$OUT/training.jsonl" || true
