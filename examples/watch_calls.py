"""Watch the calls of a tenant.

VUMETER_KEY=... python watch_calls.py HOST:PORT TENANT

The key is the `bearer` that `vumeter keys create --role operator` prints.
"""

import os
import sys

import grpc

from vumeter.live_metrics.v1 import live_metrics_pb2 as pb
from vumeter.live_metrics.v1.live_metrics_pb2_grpc import LiveMetricsServiceStub

with grpc.insecure_channel(sys.argv[1]) as channel:
    request = pb.WatchLiveMetricsRequest(tenant_id=sys.argv[2], max_updates_per_second=1)
    credential = [("authorization", f"Bearer {os.environ['VUMETER_KEY']}")]
    for now in LiveMetricsServiceStub(channel).WatchLiveMetrics(request, metadata=credential):
        print(f"{now.metrics.active_calls} active, {now.metrics.minutes_processed:.1f} minutes")
