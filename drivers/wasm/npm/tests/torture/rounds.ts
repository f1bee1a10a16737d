// How long the torture is: `cargo xtask torture --rounds N`; short in `cargo xtask test`.

/** Kills of the whole browser. */
export const ROUNDS = Number(process.env.OUTBOX_TORTURE_ROUNDS ?? 3)
/** Openings of eight tabs at once. */
export const OPENINGS = Math.max(1, Math.ceil(ROUNDS / 5))
