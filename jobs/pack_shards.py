"""Write the shards, and the manifest last: the stage `pack` alone; the stages before it must be published.

spark-submit jobs/pack_shards.py --recipe RECIPE.yaml [--set KEY=VALUE]
"""

from functools import partial

from jobs.refine import run_one_stage
from schemas.errors import run_main

if __name__ == "__main__":
    run_main(partial(run_one_stage, "pack"))
