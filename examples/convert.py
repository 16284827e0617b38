# SPDX-License-Identifier: Apache-2.0
"""A model file to a .bnn file, proved pass by pass, and what it answers: python examples/convert.py MODEL FILE.bnn"""

import sys
from pathlib import Path

import numpy as np

from harness.model import pipeline, reference

model = pipeline.prepare(Path(sys.argv[1]))
proved = model.prove()
Path(sys.argv[2]).write_bytes(model.bnn)
print(f"{model.source_bytes:,} bytes became {len(model.bnn):,}; {proved.near} of {proved.signs} signs lie on a tie")

inputs = model.random_inputs()
before, after = model.golden(inputs), reference.run(model.binary, inputs)
for name, a, b in zip(model.graph.outputs, before, after, strict=True):
    print(f"{name}: {b.shape}, at most {np.abs(a - b).max():.1e} from the float model")
