// How many rows audit show prints.

export const defaultShowLimit = 100;
export const maxShowLimit = 10_000;
