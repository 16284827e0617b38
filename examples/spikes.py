# SPDX-License-Identifier: Apache-2.0
"""A spiking network on an image: python examples/spikes.py NET.nir [SIMULATION] [IMAGE.npy]"""

import sys
from pathlib import Path

import numpy as np

from harness.model import pipeline, reference, spikes

path, sim, image = [*sys.argv[1:], "", ""][:3]
model = pipeline.prepare(Path(path), sim=sim)
for note in model.graph.notes:
    print(note)

shape = model.graph.tensors[model.graph.inputs[0]].shape[1:]
pixels = np.load(image) if image else np.random.default_rng(0).random(shape)
x = spikes.encode(pixels, "rate", steps=20)
model.prove([x])

(y,) = reference.run(model.binary, [x])
print(f"spikes of each output in 20 steps: {spikes.read_out(y, 'count')}")
for layer in spikes.activity(model, [x]):
    print(f"{layer.name}: {layer.rate:.1%} of its inputs are spikes, {layer.synaptic_ops:,.0f} of {layer.macs:,} MACs")
