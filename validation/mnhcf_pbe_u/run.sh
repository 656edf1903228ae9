#!/usr/bin/env bash
# Go on labelling in the background: run.sh [FOLDER]. One core, one process; what is on file is skipped.
# A new FOLDER starts with the queue of this folder and the labels that ship. PYTHON: an interpreter with
# scalebridge, GPAW (OpenBLAS, libxc) and CHGNet; the checkout's environment unless set.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
folder=${1:-$root/runs/mnhcf_pbe_u}
python=${PYTHON:-$root/.venv/bin/python}
mkdir -p "$folder"
cd "$folder"
if [ -e label.pid ] && kill -0 "$(cat label.pid)" 2>/dev/null; then
  echo "already running as process $(cat label.pid)"
  exit 0
fi
[ -e queue.extxyz ] || cp "$here/queue.extxyz" queue.extxyz
[ -e labels.extxyz ] || cp "$root/src/scalebridge/materials/mnhcf/labels.extxyz" labels.extxyz
[ -e labels.failed.extxyz ] || [ ! -e "$here/failed.extxyz" ] || cp "$here/failed.extxyz" labels.failed.extxyz
export OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
nohup "$python" "$here/label.py" queue.extxyz labels.extxyz \
  --surrogate scalebridge.oracle.chgnet:CHGNet03 >>label.log 2>&1 &
echo $! >label.pid
echo "process $(cat label.pid), log $folder/label.log"
