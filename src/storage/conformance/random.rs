//! Random transactions whose answers the reference implementation foretells.
//!
//! The written cases say what the contract means; this looks for what they did not think of. The seeds
//! are fixed: a store passes or fails the same way each time.

use alloc::{format, vec::Vec};

use super::script::{
    Ask, Expect, Full, Part, Request, Script, Token, bury, delete, dismiss, insert, pause, put, remove,
    resume, retry,
};
use crate::{
    item::Seq,
    storage::{Contents, MemoryStore, Scope, Snapshot, Store, StoreId, Write},
};

const NAMES: [&str; 2] = ["random-transactions-1", "random-transactions-2"];
const STEPS: usize = 150;

pub(super) fn all() -> Vec<Script> {
    (1..).zip(NAMES).map(|(seed, name)| script(seed, name)).collect()
}

fn script(seed: u64, name: &'static str) -> Script {
    let mut dice = Dice(seed);
    let mut model = MemoryStore::new(StoreId(u128::from(seed)));
    let full = full(&model);
    let mut script = Script::new(name, "R3 R4 R27", "a store answers as the reference implementation does")
        .acquire(0, full);
    model.acquire().expect("a memory store without limit does not fail");
    for _ in 0..STEPS {
        script = step(&mut dice, &mut model, script);
    }
    script.holds(self::full(&model))
}

fn step(dice: &mut Dice, model: &mut MemoryStore, script: Script) -> Script {
    let replica = usize::from(dice.one_in(2));
    match dice.below(10) {
        0 => script.reopen(),
        1 => {
            model.acquire().expect("a memory store without limit does not fail");
            script.acquire(replica, full(model))
        }
        2 => {
            let seqs: Vec<u64> = (0..dice.below(6)).map(|_| dice.seq(model)).collect();
            let scope = Scope::Items(seqs.iter().copied().map(Seq).collect());
            script.load_part(replica, Ask::Items(seqs), part(model, &scope), full(model))
        }
        3 | 4 => {
            let transactions = dice.below(4).min(model.change());
            let through = model.through().0.saturating_sub(dice.below(3));
            let scope = Scope::Since { change: model.change() - transactions, through: Seq(through) };
            script.load_part(replica, Ask::Since { transactions, through }, part(model, &scope), full(model))
        }
        _ => {
            let writes: Vec<Write> = (0..=dice.below(8)).map(|_| dice.write(model)).collect();
            let tokens = [Token::Unfenced, Token::Current, Token::Current, Token::Older];
            let token = tokens[usize::try_from(dice.below(4)).expect("below four")];
            let expect = foretell(model, token, &writes);
            script.line(Request::Persist(replica, token, writes), expect)
        }
    }
}

fn foretell(model: &mut MemoryStore, token: Token, writes: &[Write]) -> Expect {
    if token == Token::Older {
        return Expect::Fenced;
    }
    let committed = model.persist(None, writes).expect("a memory store without limit does not fail");
    Expect::Results(committed.results)
}

fn full(model: &MemoryStore) -> Full {
    Full {
        rows: model.rows().map(|(seq, record)| (seq, record.into())).collect(),
        failures: model.failures().map(|(id, record)| (id.clone(), record.into())).collect(),
        paused: model.paused().map(Into::into).collect(),
        through: model.through(),
    }
}

fn part(model: &mut MemoryStore, scope: &Scope) -> Part {
    let Snapshot { contents, .. } = model.load(None, scope).expect("an unfenced load does not fail");
    match contents {
        Contents::Part { rows, gone, failures } => Part {
            rows: rows.into_iter().map(|row| (row.seq, row.record.into_bytes())).collect(),
            gone: gone.into_iter().map(|gone| (gone.seq, gone.outcome)).collect(),
            failures: failures.is_some(),
        },
        Contents::Full { .. } => unreachable!("the script is shorter than the reference's change log"),
    }
}

/// A seeded source of choices (splitmix64): the same on every target.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    /// A place that is likely, but not sure, to hold a row.
    fn seq(&mut self, model: &MemoryStore) -> u64 {
        (model.through().0 + 2).saturating_sub(self.below(12)).max(1)
    }

    /// Few names, so that they collide.
    fn id(&mut self) -> alloc::string::String {
        format!("i{}", self.below(16))
    }

    fn write(&mut self, model: &MemoryStore) -> Write {
        let record = format!("{{\"n\":{}}}", self.below(1_000_000));
        match self.below(12) {
            0 => delete(self.seq(model)),
            1 => bury(self.seq(model), &self.id(), &record),
            2 => remove(&self.id()),
            3 | 4 => put(self.seq(model), &record),
            5 => retry(&self.id(), &self.id(), &record),
            6 => dismiss(&self.id()),
            7 => pause(&self.id()),
            8 => resume(&self.id()),
            _ => insert(&self.id(), &record),
        }
    }
}
