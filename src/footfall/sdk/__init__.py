"""The Python SDK: interactions from an app to Footfall, over HTTP or straight to Kafka.

`from footfall import Client, AsyncClient, DroppedError`; and triggers back: `footfall.subscribe`.
Must never import what the base install does not bring.
"""
