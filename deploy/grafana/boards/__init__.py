"""The dashboards, as code: what is shown to whom, in which order.

Pipeline is for who is called at night, Worker and Delivery for who looks closer, Customers and
Business for those whose shop it is. Each module says what its dashboard shows and nothing else. A
test holds the JSON to this package and the names to `footfall.telemetry`, and evaluates every query
on a real Prometheus.
"""

from __future__ import annotations

from boards import business, customers, delivery, pipeline, worker

#: In the order of their links.
ALL = (pipeline.BOARD, customers.BOARD, worker.BOARD, delivery.BOARD, business.BOARD)
