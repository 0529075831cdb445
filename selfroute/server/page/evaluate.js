export const title = "evaluate";
export function show() {}
