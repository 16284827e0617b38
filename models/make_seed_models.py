# SPDX-License-Identifier: Apache-2.0
"""Writes the three nets of the story anew: float, ste_sign and DoReFa(k_bit=1), as Larq users build and save them.

    python -m venv env && env/bin/pip install -r models/requirements.txt
    env/bin/python models/make_seed_models.py --folder FOLDER

They have the architecture, layer names and file dialect of the `.h5` files beside this script. The weights are drawn
afresh from seed 42: random, not trained, with batch norms calibrated on random images so that signals neither die nor
saturate.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # before the import: Larq's layers are layers of Keras 2

import larq
import numpy as np
import tensorflow as tf

SEED = 42
IMAGE = (32, 32, 3)

# Activation quantiser of the two middle layers; None leaves the layer in float.
VARIANTS: dict[str, Callable[[], Any] | None] = {
    "float": None,
    "ste_sign": larq.quantizers.SteSign,
    "dorefa": lambda: larq.quantizers.DoReFa(k_bit=1),
}


def build(quantizer: Callable[[], Any] | None) -> Any:
    """Three convolutions with strides, batch norms and hard tanh between, then the mean and a classifier of ten."""
    keras = tf.keras

    def middle(filters: int) -> Any:
        shape: dict[str, Any] = {
            "filters": filters,
            "kernel_size": 3,
            "strides": 2,
            "padding": "same",
            "use_bias": False,
        }
        if quantizer is None:
            return keras.layers.Conv2D(**shape)
        return larq.layers.QuantConv2D(
            input_quantizer=quantizer(), kernel_quantizer="ste_sign", kernel_constraint="weight_clip", **shape
        )

    return keras.Sequential(
        [
            keras.layers.InputLayer(input_shape=IMAGE, name="input"),
            keras.layers.Conv2D(32, 5, strides=3, padding="same"),
            keras.layers.BatchNormalization(),
            middle(32),
            keras.layers.BatchNormalization(),
            keras.layers.Activation(larq.activations.hard_tanh),
            middle(64),
            keras.layers.BatchNormalization(),
            keras.layers.Activation(larq.activations.hard_tanh),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10, activation="softmax"),
        ],
        name="sequential",
    )


def fill(model: Any, rng: np.random.Generator) -> None:
    """Draws the weights, layer by layer, each batch norm from what reaches it on random images."""
    x = rng.normal(size=(256, *IMAGE)).astype(np.float32)
    for layer in model.layers:
        if isinstance(layer, tf.keras.layers.BatchNormalization):
            channels = x.shape[-1]
            gamma, beta = rng.uniform(0.5, 1.5, channels), rng.normal(0.0, 0.3, channels)
            layer.set_weights([gamma, beta, x.mean((0, 1, 2)), x.var((0, 1, 2))])
        else:
            layer.set_weights([_draw(layer, values.shape, rng) for values in layer.get_weights()])
        x = layer(x, training=False).numpy()


def _draw(layer: Any, shape: tuple[int, ...], rng: np.random.Generator) -> Any:
    if len(shape) == 1:
        return rng.normal(0.0, 0.1, shape)
    if isinstance(layer, larq.layers.QuantConv2D):  # latent weights, of which the layer uses the sign
        return rng.uniform(-1.0, 1.0, shape)
    return rng.normal(0.0, np.prod(shape[:-1]) ** -0.5, shape)


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes the three nets of the story anew.")
    parser.add_argument("--folder", type=Path, required=True, help="where to write seed_float.h5 and the others")
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, quantizer in VARIANTS.items():
        tf.keras.backend.clear_session()  # layer names count from one again
        model = build(quantizer)
        fill(model, np.random.default_rng(SEED))
        model.save(folder / f"seed_{name}.h5")
        print(folder / f"seed_{name}.h5")


if __name__ == "__main__":
    main()
