// The questions that were asked in this browser. Their answers are the service's to keep: here are only their links.

const KEPT = "selfroute.questions";
const MOST = 50;

export function earlier() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
    return Array.isArray(kept) ? kept.filter((one) => typeof one?.id === "string") : [];
  } catch {
    return [];
  }
}

export function remember({ id, question, corpus, outcome }) {
  keep([{ id, question, corpus, outcome, at: new Date().toISOString() }, ...earlier().filter((one) => one.id !== id)]);
}

export function forget() {
  keep([]);
}

function keep(questions) {
  try {
    localStorage.setItem(KEPT, JSON.stringify(questions.slice(0, MOST)));
  } catch {
    /* full or switched off */
  }
}
