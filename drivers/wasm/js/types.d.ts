/** The messages between an outbox and its storage, leadership, channel and page: the ports of the driver. */

/** What a leader's request must match exactly, else it is refused as `fenced`. */
export type Fence = { store: string /* 32 hex digits */; epoch: number };

/** What a load reads. */
export type Scope =
  | { kind: 'full' }
  | { kind: 'since'; change: number; through: number }
  | { kind: 'items'; seqs: number[] };

/** One write of a transaction. Records, failures and outcomes are opaque text. */
export type Write =
  | { op: 'delete'; seq: number; outcome: string }
  | { op: 'bury'; seq: number; id: string; failure: string }
  | { op: 'remove'; id: string }
  | { op: 'put'; seq: number; record: string }
  | { op: 'insert'; id: string; record: string }
  | { op: 'retryFailure'; failure: string; id: string; record: string }
  | { op: 'dismissFailure'; id: string }
  | { op: 'pause'; reason: string }
  | { op: 'resume'; reason: string };

/** A number: inserted at this seq. */
export type WriteResult = number | 'duplicate' | 'done' | 'missing';

export type Committed = { results: WriteResult[]; change: number };

/** All read in one transaction. `full: false`: rows that are not named are as they were. */
export type Snapshot = {
  store: string;
  epoch: number;
  change: number;
  through: number;
  paused: string[];
  full: boolean;
  /** In seq order. */
  rows: { seq: number; record: string }[];
  /** All of them, oldest first; missing in a part if none was added or deleted since. */
  failures?: { id: string; record: string }[];
  /** In seq order; only in a part. */
  gone?: { seq: number; outcome?: string }[];
};

/**
 * A storage. Each call is one atomic transaction; one call is under way at a time. A call that fails rejects
 * with an object that has `code: 'full' | 'fenced' | 'unknown' | 'unavailable'` and `message`.
 */
export interface OutboxStorage {
  /** Called before anything else; again after it has failed. */
  open(name: string): Promise<void>;
  /** Epoch + 1, and everything. */
  acquire(): Promise<Snapshot>;
  load(fence: Fence | undefined, scope: Scope): Promise<Snapshot>;
  /** All writes in their order, or none. */
  persist(fence: Fence | undefined, writes: readonly Write[]): Promise<Committed>;
  /** No call comes after it. */
  close(): void;
  /** Deletes everything of that name. */
  destroy?(name: string): Promise<void>;
}

export interface LeaderElection {
  /** Queues for leadership. Calls back at most until `stop`. */
  start(name: string, replica: string, on: LeaderCallbacks): void;
  /** Releases it, and queues again. */
  resign(): void;
  /** Takes it from this holder, if it still holds it. */
  steal(holder: string): void;
  stop(): void;
}

export interface LeaderCallbacks {
  elected(): void;
  deposed(): void;
  /** Who leads, as far as it can be told. */
  holder(replica: string | undefined): void;
  /** No election is possible here: leases over the channel decide instead, or it leads alone. */
  refused(): void;
}

export interface ChannelPort {
  /** To all others of that name. */
  post(text: string): void;
  onmessage: ((text: string) => void) | null;
  close(): void;
}

export interface PageCallbacks {
  online(is: boolean): void;
  /** 0: it became visible. 1: it was focused. */
  wake(kind: 0 | 1): void;
  /** It is about to be frozen, or to end. */
  leave(): void;
  /** It goes on. */
  back(): void;
}
