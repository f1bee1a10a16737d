// How long the torture is: `cargo xtask torture --rounds N`; in `cargo xtask test` it is short, without what is
// marked `@long`.

/** Kills of the whole browser. */
export const ROUNDS = Number(process.env.OUTBOX_TORTURE_ROUNDS ?? 2)
/** Openings of eight tabs at once. */
export const OPENINGS = process.env.OUTBOX_TORTURE_ROUNDS === undefined ? 1 : ROUNDS
