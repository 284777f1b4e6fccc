"""Ethereum and every chain that answers like it (CAIP-2 namespace ``eip155``).

Spec: https://chainagnostic.org/CAIPs/caip-3
"""

from __future__ import annotations

from chains.adapters.eip155.adapter import Adapter

__all__ = ["Adapter"]
