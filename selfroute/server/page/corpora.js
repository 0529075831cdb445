export const title = "corpora";
export function show() {}
