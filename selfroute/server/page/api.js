// The service's API. The key, if there is one, is kept for this tab, and sent in a header: it is in no address.

const KEY = "selfroute.key";
let key = "";
try {
  key = sessionStorage.getItem(KEY) ?? "";
} catch {
  /* storage is switched off: the key lasts as long as the page */
}

export const hasKey = () => key !== "";

export function setKey(value) {
  key = value.trim();
  try {
    if (key) sessionStorage.setItem(KEY, key);
    else sessionStorage.removeItem(KEY);
  } catch {
    /* as above */
  }
}

/** An error as the service tells it: a title, and what is wrong and what to do. */
export class Problem extends Error {
  constructor(fields) {
    super(fields.detail);
    this.title = fields.title;
    this.detail = fields.detail;
    this.status = fields.status;
    if (fields.status === 401) document.dispatchEvent(new CustomEvent("key-wanted"));
  }
}

const UNREACHABLE = {
  title: "The service does not answer",
  status: 0,
  detail: "The connection failed. See whether selfroute serve still runs, then try again.",
};

export function headers(more = {}) {
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

async function sent(path, { method = "GET", body, signal } = {}) {
  const json = body === undefined ? {} : { "Content-Type": "application/json" };
  let reply;
  try {
    reply = await fetch(path, { method, signal, headers: headers(json), body: body && JSON.stringify(body) });
  } catch (error) {
    throw error.name === "AbortError" ? error : new Problem(UNREACHABLE);
  }
  if (!reply.ok) throw new Problem(told(await reply.text(), reply.status));
  return reply;
}

/** A refusal's fields; of OpenAI's routes too, and of a proxy that tells none. */
export function told(text, status) {
  try {
    const said = JSON.parse(text);
    if (said.error) return { title: "Refused", detail: said.error.message, status };
    if (said.detail) return { ...said, status };
  } catch {
    /* no JSON: see below */
  }
  return { title: `The service answered ${status}`, detail: text.slice(0, 300) || "It said no more.", status };
}

/** What a route answers, as JSON; null where it answers nothing. */
export async function api(path, options) {
  const reply = await sent(path, options);
  return reply.status === 204 ? null : reply.json();
}

export const text = async (path, options) => (await sent(path, options)).text();

/** The path of a document; its id may hold anything. */
export const at = (corpus, id) =>
  `/v1/corpora/${encodeURIComponent(corpus)}/documents` + (id === undefined ? "" : `/${encodeURIComponent(id)}`);

/** The events of a question as [name, data], as they come. Aborting ends the question. */
export async function* asked(question, signal) {
  const reply = await sent("/v1/ask", { method: "POST", body: { ...question, stream: true }, signal });
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    let piece;
    try {
      piece = await reader.read();
    } catch (error) {
      throw error.name === "AbortError" ? error : new Problem(UNREACHABLE);
    }
    if (piece.done) return;
    const events = (rest + piece.value.replaceAll("\r", "")).split("\n\n");
    rest = events.pop();
    for (const event of events) {
      let name = "message";
      const data = [];
      for (const line of event.split("\n")) {
        if (line.startsWith("event:")) name = line.slice(6).trim();
        else if (line.startsWith("data:")) data.push(line.slice(5).replace(/^ /, ""));
      }
      if (data.length) yield [name, JSON.parse(data.join("\n"))];
    }
  }
}
