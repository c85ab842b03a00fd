// Live figures: Server-Sent Events read by fetch, since EventSource cannot send headers. Reconnects with
// back-off, ends while the tab is hidden.
import { useEffect, useState } from "preact/hooks";
import { send } from "./api.js";
import { useVisible } from "./asking.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15000;
// The server sends every 15 seconds at least; longer silence is a connection that is gone.
const SILENCE_MS = 25000;

async function read(asked, signal, onValue) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENCE_MS);
  try {
    const response = await send(asked, { accept: "text/event-stream", signal: AbortSignal.any([signal, silence.signal]), timeout: 0 });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE_MS);
      text += value;
      const events = text.split(/\r?\n\r?\n/);
      text = events.pop();
      for (const event of events) {
        const data = event.split("\n").filter((line) => line.startsWith("data:")).map((line) => line.slice(5)).join("\n");
        if (data) onValue(JSON.parse(data));
      }
    }
  } finally {
    clearTimeout(timer);
  }
}

/** Returns {value, status, error}: status is `connecting`, `live`, `lost` or `paused`. */
export function useStream(asked) {
  const visible = useVisible();
  const [found, setFound] = useState({ value: null, status: "connecting", error: null, of: null });
  const key = asked && JSON.stringify(asked);
  useEffect(() => {
    if (!asked) return undefined;
    if (!visible) {
      setFound((before) => ({ ...before, status: "paused" }));
      return undefined;
    }
    const aborter = new AbortController();
    let pause = FIRST_PAUSE_MS;
    let timer = 0;
    const connect = async () => {
      let error = null;
      try {
        await read(asked, aborter.signal, (value) => {
          pause = FIRST_PAUSE_MS;
          setFound({ value, status: "live", error: null, of: key });
        });
      } catch (caught) {
        error = caught;
      }
      if (aborter.signal.aborted) return;
      setFound((before) => ({ ...before, status: "lost", error }));
      // Asking again does not help who may not see it.
      if (error?.status === 401 || error?.status === 403) return;
      timer = setTimeout(connect, pause * (0.75 + Math.random() / 2));
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    };
    setFound((before) => ({ value: before.of === key ? before.value : null, status: "connecting", error: null, of: key }));
    connect();
    return () => {
      clearTimeout(timer);
      aborter.abort();
    };
  }, [key, visible]);
  return found;
}
