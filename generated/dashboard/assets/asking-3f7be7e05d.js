import { useEffect, useRef, useState } from "./preact-hooks-e81b3a5fe4.js";
import { ask } from "./api-0e5ec32f93.js";
export function useVisible() {
const [visible, setVisible] = useState(!document.hidden);
useEffect(() => {
const follow = () => setVisible(!document.hidden);
document.addEventListener("visibilitychange", follow);
return () => document.removeEventListener("visibilitychange", follow);
}, []);
return visible;
}
export function useAnswer(asked, { every = 0, read = (answer) => answer } = {}) {
const visible = useVisible();
const [found, setFound] = useState({ data: null, error: null, loading: Boolean(asked), of: null });
const [turn, setTurn] = useState(0);
const reader = useRef(read);
reader.current = read;
const key = asked && JSON.stringify(asked);
useEffect(() => {
if (!asked || !visible) return undefined;
const aborter = new AbortController();
setFound((before) => ({ ...before, loading: true }));
ask(asked, { signal: aborter.signal })
.then((answer) => reader.current(answer, aborter.signal))
.then((data) => setFound({ data, error: null, loading: false, of: key }))
.catch((error) => {
if (aborter.signal.aborted) return;
setFound((before) => ({ data: before.of === key ? before.data : null, error, loading: false, of: before.of }));
});
return () => aborter.abort();
}, [key, visible, turn]);
useEffect(() => {
if (!every || !visible || !asked) return undefined;
const timer = setInterval(() => setTurn((each) => each + 1), every * 1000);
return () => clearInterval(timer);
}, [every, visible, key]);
return { ...found, asked, again: () => setTurn((each) => each + 1) };
}
