#!/usr/bin/env bash
# Go on labelling in the background: run.sh [FOLDER [WORKERS]]. One core per worker; what is on file is skipped.
# Workers after the first take idle time only. A new FOLDER starts with the queue of this folder and the labels
# that ship. PYTHON: an interpreter with scalebridge, GPAW (OpenBLAS, libxc) and CHGNet; the checkout's
# environment unless set.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=${1:-$root/runs/mnhcf_pbe_u}
workers=${2:-1}
python=${PYTHON:-$root/.venv/bin/python}
mkdir -p "$folder"
cd "$folder"
[ -e queue.extxyz ] || cp "$here/queue.extxyz" queue.extxyz
[ -e labels.extxyz ] || cp "$root/src/scalebridge/materials/mnhcf/labels.extxyz" labels.extxyz
[ -e labels.failed.extxyz ] || [ ! -e "$here/failed.extxyz" ] || cp "$here/failed.extxyz" labels.failed.extxyz
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
for ((worker = 1; worker <= workers; worker++)); do
  if [ -e "label.$worker.pid" ] && kill -0 "$(cat "label.$worker.pid")" 2>/dev/null; then
    echo "worker $worker is running already, as process $(cat "label.$worker.pid")"
    continue
  fi
  nohup nice -n $((worker == 1 ? 0 : 19)) "$python" "$here/label.py" queue.extxyz labels.extxyz \
    --surrogate scalebridge.oracle.chgnet:CHGNet03 >>label.log 2>&1 &
  echo $! >"label.$worker.pid"
  echo "worker $worker: process $!, log $folder/label.log"
done
