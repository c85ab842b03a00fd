"""Record what an agent counts and measures, without waiting for the network.

VUMETER_URL=http://127.0.0.1:8080 VUMETER_KEY=... python record_turns.py
"""

import time

from vumeter_client import Recorder

with Recorder(agent_id="front_desk", environment_id="staging") as recorder:
    session = recorder.bind(session_id="session_abc123", tags={"origin": "phone"})
    session.count("sessions_handled")
    for turn in range(10):
        started = time.monotonic()
        time.sleep(0.02)  # here the agent thinks and speaks
        session.histogram("e2e_latency_ms", (time.monotonic() - started) * 1_000)
        session.count("faq_query", tags={"topic": "pricing" if turn % 2 else "opening_hours"})
    recorder.flush()
    stats = recorder.stats
    print(f"{stats.sent} of {stats.recorded} points sent")
