// Hooks: ask when what is asked changes, keep the last answer meanwhile, and ask again now and then.
import { useEffect, useState } from "preact/hooks";
import { ask } from "./api.js";

/** Whether the tab is seen; nothing is asked while it is not. */
export function useVisible() {
  const [visible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    const follow = () => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", follow);
    return () => document.removeEventListener("visibilitychange", follow);
  }, []);
  return visible;
}

/**
 * Asks `asked`, null for nothing, and again each `every` seconds while the tab is seen; `every` may be a
 * function of the last data.
 * Returns {data, error, loading, ask}: `data` stays what it was until there is another answer.
 * `read` makes data of the answer, and may ask more.
 */
export function useAnswer(asked, { every = 0, read = (answer) => answer } = {}) {
  const visible = useVisible();
  const [found, setFound] = useState({ data: null, error: null, loading: Boolean(asked), of: null });
  const [turn, setTurn] = useState(0);
  const key = asked && JSON.stringify(asked);
  // `read` is that of the time of asking: an answer is read as its own question says.
  useEffect(() => {
    if (!asked || !visible) return undefined;
    const aborter = new AbortController();
    setFound((before) => ({ ...before, loading: true }));
    ask(asked, { signal: aborter.signal })
      .then((answer) => read(answer, aborter.signal))
      .then((data) => {
        if (!aborter.signal.aborted) setFound({ data, error: null, loading: false, of: key });
      })
      .catch((error) => {
        if (aborter.signal.aborted) return;
        // What was shown is of another question: a number must not stand under a wrong title.
        setFound((before) => ({ data: before.of === key ? before.data : null, error, loading: false, of: before.of }));
      });
    return () => aborter.abort();
  }, [key, visible, turn]);
  const pause = typeof every === "function" ? every(found.data) : every;
  useEffect(() => {
    if (!pause || !visible || !asked) return undefined;
    const timer = setInterval(() => setTurn((each) => each + 1), pause * 1000);
    return () => clearInterval(timer);
  }, [pause, visible, key]);
  return { ...found, asked, again: () => setTurn((each) => each + 1) };
}
