# SPDX-License-Identifier: Apache-2.0
"""Rewrites of a graph; `order` lists those that every model goes through."""
