#!/bin/bash
# One task a run. Submit from the workbook's folder with its environment active: sbatch THIS_FILE
# Afterwards `mmlib sweep @file@`, with the same -p, @then@.
#SBATCH --job-name=@name@
#SBATCH --array=0-@last@
#SBATCH --cpus-per-task=@threads@
#SBATCH --output=outputs/%x-%A-%a.log
set -euo pipefail
readarray -t commands <<'RUNS'
@commands@
RUNS
eval "${commands[$SLURM_ARRAY_TASK_ID]}"
