# SPDX-License-Identifier: Apache-2.0
"""Every layer class that can be imported, and the function that writes it into the graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.model.importers.keras import activations, convolutions, normalization, pools, resizing, shaping
from harness.model.importers.keras.site import Site

Emit = Callable[[Site], str]

ONLY_IN_TRAINING = (
    *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "AlphaDropout", "GaussianDropout", "GaussianNoise"),
    *("RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom", "RandomContrast", "RandomBrightness"),
    "ActivityRegularization",
)
"""Layers that pass their input on unchanged once training is over."""

LAYERS: dict[str, Emit] = {
    "Conv1D": partial(convolutions.convolution, 1),
    "Conv2D": partial(convolutions.convolution, 2),
    "QuantConv1D": partial(convolutions.convolution, 1),
    "QuantConv2D": partial(convolutions.convolution, 2),
    "DepthwiseConv1D": partial(convolutions.depthwise, 1),
    "DepthwiseConv2D": partial(convolutions.depthwise, 2),
    "QuantDepthwiseConv2D": partial(convolutions.depthwise, 2),
    "SeparableConv1D": partial(convolutions.separable, 1),
    "SeparableConv2D": partial(convolutions.separable, 2),
    "QuantSeparableConv1D": partial(convolutions.separable, 1),
    "QuantSeparableConv2D": partial(convolutions.separable, 2),
    "Conv1DTranspose": partial(convolutions.transposed, 1),
    "Conv2DTranspose": partial(convolutions.transposed, 2),
    "QuantConv2DTranspose": partial(convolutions.transposed, 2),
    "Dense": convolutions.dense,
    "QuantDense": convolutions.dense,
    "BatchNormalization": normalization.batch_normalization,
    "SyncBatchNormalization": normalization.batch_normalization,
    "Normalization": normalization.normalization,
    "LayerNormalization": normalization.layer_normalization,
    "GroupNormalization": normalization.group_normalization,
    "UnitNormalization": normalization.unit_normalization,
    "MaxPooling1D": partial(pools.pool, "max_pool2d", 1),
    "MaxPooling2D": partial(pools.pool, "max_pool2d", 2),
    "AveragePooling1D": partial(pools.pool, "avg_pool2d", 1),
    "AveragePooling2D": partial(pools.pool, "avg_pool2d", 2),
    "GlobalAveragePooling1D": partial(pools.global_average, 1),
    "GlobalAveragePooling2D": partial(pools.global_average, 2),
    "GlobalMaxPooling1D": partial(pools.global_maximum, 1),
    "GlobalMaxPooling2D": partial(pools.global_maximum, 2),
    "Activation": activations.activation,
    "PReLU": activations.prelu,
    **activations.LAYERS,
    "Flatten": shaping.flatten,
    "Reshape": shaping.reshape,
    "Permute": shaping.permute,
    "ZeroPadding1D": partial(shaping.zero_padding, 1),
    "ZeroPadding2D": partial(shaping.zero_padding, 2),
    "Cropping1D": partial(shaping.cropping, 1),
    "Cropping2D": partial(shaping.cropping, 2),
    "CenterCrop": shaping.center_crop,
    "Resizing": resizing.resizing,
    "UpSampling1D": partial(resizing.up_sampling, 1),
    "UpSampling2D": partial(resizing.up_sampling, 2),
    "RepeatVector": shaping.repeat_vector,
    "Rescaling": shaping.rescaling,
    "Concatenate": shaping.concatenate,
    "Add": partial(shaping.merge, "ADD"),
    "Subtract": shaping.subtract,
    "Multiply": partial(shaping.merge, "MUL"),
    "Average": shaping.average,
    "Dot": shaping.dot,
    "Maximum": partial(shaping.merge, "MAX"),
    "Minimum": partial(shaping.merge, "MIN"),
    "Identity": activations.identity,
    **dict.fromkeys(ONLY_IN_TRAINING, activations.identity),
}

WEIGHTLESS = (
    *("Activation", "Identity", "Rescaling", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
    *("Concatenate", "GlobalAveragePooling2D", "GlobalMaxPooling2D"),
    *activations.LAYERS,
)
"""Layers that a user may name for one of their own: what they compute stands in their config."""
