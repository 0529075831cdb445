// What the service's terms are called here, and how figures are written.

export const POLICIES = {
  self_route: "Reads the chunks; reads the whole document only if they do not answer.",
  evidence_gated: "As self_route, and reads the document also when nothing proves the chunks' answer.",
  always_rag: "Reads the chunks and never more.",
  always_long: "Reads the whole document, whatever it costs.",
  calibrated: "Reads the document where what that is expected to add is worth its cost.",
};

export const STAGES = {
  rewrite: "Reword the question",
  embed: "Find chunks",
  judge: "Judge the chunks",
  read_chunks: "Read the chunks",
  read_documents: "Read the document",
};

/** How a question ended, in a sentence. */
export function outcome(answer) {
  const absent = answer.likely_absent === true ? " Most likely they do not answer it either." : "";
  switch (answer.outcome) {
    case "answered":
      if (answer.route === "rag") return "Answered from the chunks.";
      return answer.coverage < 1
        ? "Answered from what was read of the documents."
        : "Answered from the whole document.";
    case "not_in_document":
      return "All of the text was read, and it does not answer this question.";
    case "insufficient":
      return `What was read does not answer this question; the rest was not read.${absent}`;
    default:
      return answer.outcome;
  }
}

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

export const count = (number) => (number === null || number === undefined ? "–" : whole.format(number));
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;
export const share = (part, all) => (all ? `${tenths.format((100 * part) / all)} %` : "–");
export const seconds = (number) => `${number < 10 ? number.toFixed(2) : tenths.format(number)} s`;

export function bytes(number) {
  const units = ["bytes", "kB", "MB", "GB"];
  let at = 0;
  for (; number >= 1000 && at < units.length - 1; at += 1) number /= 1000;
  return `${tenths.format(number)} ${units[at]}`;
}

const money = { style: "currency", currency: "USD" };
const cents = new Intl.NumberFormat("en", { ...money, minimumFractionDigits: 0, maximumFractionDigits: 2 });
const fine = new Intl.NumberFormat("en", { ...money, maximumSignificantDigits: 2 });

/** US dollars from the decimal text that the service tells; null is a price that nobody knows. */
export function dollars(text) {
  if (text === null || text === undefined) return "unknown";
  const number = Number(text);
  return (Math.abs(number) >= 0.1 || number === 0 ? cents : fine).format(number).replace("-", "−");
}

/** The sum of decimal texts, digit by digit; null as soon as one is unknown. */
export function sum(texts) {
  if (texts.some((text) => text === null)) return null;
  const places = Math.max(0, ...texts.map((text) => text.split(".")[1]?.length ?? 0));
  const scaled = texts.map((text) => {
    const [units, rest = ""] = text.split(".");
    return BigInt(units + rest.padEnd(places, "0"));
  });
  const digits = scaled.reduce((all, one) => all + one, 0n).toString();
  const sign = digits.startsWith("-") ? "-" : "";
  const padded = digits.replace("-", "").padStart(places + 1, "0");
  if (!places) return sign + padded;
  return sign + `${padded.slice(0, -places)}.${padded.slice(-places)}`.replace(/\.?0+$/, "");
}

/** A moment, from ISO 8601, as people here write it. */
export const moment = (iso) => new Date(iso).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

/** Whether a corpus is a text that came with its question: no other can be called so. */
export const isOwn = (corpus) => corpus.startsWith("text:");

/** What was asked, for people. */
export const sourceName = (corpus) => (isOwn(corpus) ? "a text of your own" : corpus);
