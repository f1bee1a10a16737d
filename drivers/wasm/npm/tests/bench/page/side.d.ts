// What is measured of each library: the same of both.

/** A row of the app's, about as large as they are. */
export interface Row {
  id: string
  text: string
}

export interface Side {
  /** Starts it over what is stored; resolves when that is restored and shows in the rows. */
  start(mutate: (row: Row) => Promise<void>, durability: 'strict' | 'relaxed'): Promise<void>
  /** Writes a row; resolves when that is stored. */
  add(row: Row): Promise<void>
  /** The optimistic rows. */
  rows(): number
  /** Resolves when nothing is stored any more. */
  idle(): Promise<void>
  /** How many are still stored. */
  left(): number
}
