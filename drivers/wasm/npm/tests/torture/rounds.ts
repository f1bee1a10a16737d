// How long the torture is: `cargo xtask torture --rounds N`; in `cargo xtask test` it is short, without what is
// marked `@long`.

/** Whether it is `cargo xtask torture`. */
export const IS_LONG = process.env.OUTBOX_TORTURE_ROUNDS !== undefined

/** Kills of the whole browser. */
export const ROUNDS = Number(process.env.OUTBOX_TORTURE_ROUNDS ?? 2)
/** Openings of eight tabs at once. */
export const OPENINGS = IS_LONG ? ROUNDS : 1
