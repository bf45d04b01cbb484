// How many dead letters a command is for.

export const defaultListLimit = 20;
export const maxListLimit = 1000;
/** Dead letters that one replay or drop is for. */
export const mostAtATime = 1000;
