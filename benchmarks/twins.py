# SPDX-License-Identifier: Apache-2.0
"""The float version of a binary net, as another engine would be given it."""

from __future__ import annotations

from harness.model.graph import Graph
from harness.model.passes import fuse
from harness.model.passes.order import TIDY
from harness.model.passes.rewrite import Rewrite


def float_twin(graph: Graph) -> Graph:
    """The same layers without their quantisers, padded with zeros, batch norms folded where they can be.

    Weights keep their values: the time of a float convolution does not depend on them. The answers are other ones than
    the binary net's, of course.
    """
    for _, rewrite in TIDY:
        graph = rewrite(graph)
    work = Rewrite(graph)
    for name in [node.name for node in graph.nodes]:
        node = work.nodes[name]
        if node.op == "step" and node.output not in graph.outputs:
            work.redirect(node.output, str(node.inputs[0]))
            work.remove(node)
        elif node.params.get("pad_value"):
            work.replace(node, params={**node.params, "pad_value": 0.0})
    return fuse.fuse(work.graph())
