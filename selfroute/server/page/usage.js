export const title = "usage";
export function show() {}
