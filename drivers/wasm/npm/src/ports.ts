// What the engine is given to reach the outside: leadership and messages between tabs. An app may bring its own.

/** Decides which of the replicas of one outbox leads (R26). */
export interface LeaderElection {
  /** Queues for leadership. Calls back, at most until `stop()`. */
  start(name: string, replica: string, on: LeadershipEvents): void
  /** Gives leadership back and queues again. */
  resign(): void
  /** Takes leadership from this holder, if it still has it. */
  steal(holder: string): void
  stop(): void
}

/** What a `LeaderElection` tells. */
export interface LeadershipEvents {
  elected(): void
  deposed(): void
  /** Which replica leads, if that is known. */
  holder(replica: string | undefined): void
  /** No election is possible here: leases over BroadcastChannel decide instead, or this replica leads alone. */
  refused(): void
}

/** Messages between the tabs of one outbox. They may be lost, repeated and late (R28). */
export interface ChannelPort {
  post(text: string): void
  onmessage: ((text: string) => void) | null
  close(): void
}

/** A clock of the host's own, for tests. */
export interface ClockPort {
  /** Wall clock in ms; never runs back. */
  now(): number
  /** Calls `ring` at `until` or later; replaces what was asked for the same `ring` before. */
  wakeAt(until: number | undefined, ring: () => void): void
}

/** What the page goes through. */
export interface PageEvents {
  online(is: boolean): void
  /** 0: it became visible; 1: it was focused. */
  wake(kind: 0 | 1): void
  /** It is about to be frozen, or to end. */
  leave(): void
  /** It goes on. */
  back(): void
}

/** An election that never elects: a replica that only stores. */
export const neverLeads: LeaderElection = { start() {}, resign() {}, steal() {}, stop() {} }
