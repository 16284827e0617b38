# SPDX-License-Identifier: Apache-2.0
"""Which layers of a model are binary, and why not: python examples/explain.py MODEL"""

import sys
from pathlib import Path

from harness.model import pipeline

model = pipeline.prepare(Path(sys.argv[1]))
for layer in model.layers:
    print(f"{layer.name}: {layer.kind}, {layer.param_bytes_float:,} to {layer.param_bytes:,} bytes")
    if layer.kind == "float":
        print(f"    {layer.reason_text}")
        print(f"    {layer.remedy}")
