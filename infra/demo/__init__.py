"""The demo lab: simulated devices in processes of their own, speaking the real protocols.

The product never imports this package, and this package imports nothing of the product:
they meet on the wire (docs/mqtt.md) and in one file (docs/lab-file.md).
"""
