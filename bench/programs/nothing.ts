/** A script that does nothing, to see how long the runtime takes for that. */

export {};
