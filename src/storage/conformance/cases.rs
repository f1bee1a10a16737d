//! The cases: each a short story about one clause, with what must come of every step.

use alloc::{format, string::String, vec, vec::Vec};

use super::script::{
    Ask, Expect, Full, Part, Request, Script, Token, at, bury, committed, delete, dismiss, insert, pause,
    put, remove, resume, retry,
};
use crate::{
    item::Outcome,
    storage::WriteResult::{Done, Duplicate, Missing},
};

pub(super) fn all() -> Vec<Script> {
    let mut all = numbers();
    all.extend(counters());
    all.extend(items());
    all.extend(failures());
    all.extend(fences());
    all.extend(transactions());
    all.extend(partial_loads());
    all.extend(partial_loads_beside_rows());
    all.extend(payloads());
    all
}

/// Store id, epoch, seq.
fn numbers() -> Vec<Script> {
    vec![
        Script::new("empty", "R3", "a new store holds nothing and has allocated no seq")
            .holds(Full::through(0))
            .reopen()
            .holds(Full::through(0)),
        Script::new(
            "acquire-raises-by-one",
            "R27",
            "acquire adds one to the epoch and leaves the change counter",
        )
        .holds(Full::through(0))
        .acquire(0, Full::through(0))
        .acquire(1, Full::through(0))
        .acquire(1, Full::through(0))
        .holds(Full::through(0))
        .reopen()
        .acquire(0, Full::through(0)),
        Script::new(
            "acquire-loads-everything",
            "R27 R20",
            "acquire reads rows, failure records and pause reasons",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2)), (pause("auth"), Done)])
        .persist([(bury(1, "a", "F"), Done)])
        .acquire(1, Full::through(2).row(2, "B").failure("a", "F").paused(&["auth"])),
        Script::new(
            "seqs-ascend",
            "R3",
            "inserts get the next seqs, in order, across transactions and replicas",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
        .persist_as(1, Token::Unfenced, [(insert("c", "C"), at(3))])
        .persist([(insert("d", "D"), at(4))])
        .holds(Full::through(4).row(1, "A").row(2, "B").row(3, "C").row(4, "D")),
        Script::new(
            "seqs-have-no-holes",
            "R3",
            "an insert that was refused or was a duplicate uses up no seq",
        )
        .acquire(0, Full::through(0))
        .persist([(insert("a", "A"), at(1))])
        .persist_fenced(0, Token::Older, &[insert("b", "B"), insert("c", "C")])
        .persist([(insert("a", "again"), Duplicate), (insert("d", "D"), at(2))])
        .holds(Full::through(2).row(1, "A").row(2, "D")),
        Script::new("seqs-are-never-reused", "R3", "a seq is not allocated again, also after a restart")
            .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
            .persist([(delete(2), Done)])
            .persist([(insert("c", "C"), at(3))])
            .persist([(delete(3), Done), (delete(1), Done)])
            .reopen()
            .persist([(insert("d", "D"), at(4))])
            .holds(Full::through(4).row(4, "D")),
    ]
}

/// What counts on when rows are gone, and the change counter.
fn counters() -> Vec<Script> {
    vec![
        Script::new(
            "through-outlives-rows",
            "R3",
            "`through` counts rows that are gone, also after a restart",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
        .persist([(delete(1), Done), (delete(2), Done)])
        .holds(Full::through(2))
        .reopen()
        .holds(Full::through(2)),
        Script::new(
            "change-counter",
            "R28",
            "each transaction adds one, whatever it did; reading and refusals add none",
        )
        .holds(Full::through(0))
        .persist([(insert("a", "A"), at(1))])
        .persist_as(1, Token::Unfenced, [(delete(9), Missing)])
        .persist([])
        .persist([(insert("a", "A"), Duplicate), (dismiss("x"), Missing)])
        .persist_fenced(1, Token::Newer, &[insert("b", "B")])
        .load_part(0, Ask::Items(vec![1]), Part::default().row(1, "A"), Full::through(1).row(1, "A"))
        .reopen()
        .holds(Full::through(1).row(1, "A"))
        .persist_as(1, Token::Unfenced, [(pause("auth"), Done)]),
    ]
}

/// Insert, put, delete, remove.
fn items() -> Vec<Script> {
    vec![
        Script::new(
            "ids-are-unique",
            "R4 R32",
            "a taken id is `Duplicate`; it fails its own insert and nothing else",
        )
        .persist([(insert("a", "A"), at(1)), (insert("a", "A2"), Duplicate), (insert("b", "B"), at(2))])
        .persist_as(1, Token::Unfenced, [(insert("b", "B2"), Duplicate), (insert("c", "C"), at(3))])
        .reopen()
        .persist([(insert("c", "C2"), Duplicate)])
        .holds(Full::through(3).row(1, "A").row(2, "B").row(3, "C")),
        Script::new(
            "ids-become-free",
            "R4",
            "the id of an item that is gone may be used again, at a new place",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2)), (insert("c", "C"), at(3))])
        .persist([(delete(1), Done), (remove("b"), Done), (bury(3, "c", "F"), Done)])
        .persist([(insert("a", "A2"), at(4)), (insert("b", "B2"), at(5)), (insert("c", "C2"), at(6))])
        .holds(Full::through(6).row(4, "A2").row(5, "B2").row(6, "C2").failure("c", "F")),
        Script::new(
            "put-replaces",
            "R2 R18",
            "put replaces the record of a row that is there, and keeps its id and place",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
        .persist([(put(1, "A2"), Done), (put(1, "A3"), Done)])
        .persist([(insert("a", "A4"), Duplicate), (remove("b"), Done)])
        .holds(Full::through(2).row(1, "A3")),
        Script::new(
            "put-never-makes-rows",
            "R2 R18",
            "put of a row that is not there is `Missing` and adds nothing",
        )
        .persist([(insert("a", "A"), at(1)), (delete(1), Done)])
        .persist([(put(1, "back"), Missing), (put(2, "early"), Missing)])
        .persist([(insert("b", "B"), at(2))])
        .holds(Full::through(2).row(2, "B")),
        Script::new("delete", "R5", "delete takes out the row at its place, once")
            .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2)), (insert("c", "C"), at(3))])
            .persist([(delete(2), Done), (delete(2), Missing), (delete(4), Missing)])
            .persist_as(1, Token::Unfenced, [(delete(2), Missing), (delete(1), Done)])
            .holds(Full::through(3).row(3, "C")),
        Script::new("remove", "R18", "remove finds the item by id, unfenced, from any replica, once")
            .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
            .acquire(0, Full::through(2).row(1, "A").row(2, "B"))
            .persist_as(
                1,
                Token::Unfenced,
                [(remove("a"), Done), (remove("a"), Missing), (remove("x"), Missing)],
            )
            .persist_as(0, Token::Current, [(delete(1), Missing), (delete(2), Done)])
            .persist_as(1, Token::Unfenced, [(remove("b"), Missing)])
            .holds(Full::through(2)),
        Script::new(
            "pause-reasons",
            "R20",
            "pause reasons are a set of texts as given: kept in order, seen by all, there after a restart",
        )
        .persist([(pause("quota"), Done), (pause("Auth "), Done)])
        .persist_as(1, Token::Unfenced, [(pause("Auth "), Done), (resume("auth"), Missing)])
        .holds(Full::through(0).paused(&["Auth ", "quota"]))
        .reopen()
        .acquire(0, Full::through(0).paused(&["Auth ", "quota"]))
        .persist_as(1, Token::Unfenced, [(resume("Auth "), Done), (resume("Auth "), Missing)])
        .holds(Full::through(0).paused(&["quota"])),
    ]
}

/// Bury, retry, dismiss.
fn failures() -> Vec<Script> {
    vec![
        Script::new("bury", "R15", "bury deletes the row and keeps its failure record, oldest first")
            .persist([(insert("c", "C"), at(1)), (insert("b", "B"), at(2)), (insert("a", "A"), at(3))])
            .persist([(bury(3, "a", "FA"), Done), (bury(1, "c", "FC"), Done)])
            .persist([(bury(2, "b", "FB"), Done)])
            .holds(Full::through(3).failure("a", "FA").failure("c", "FC").failure("b", "FB"))
            .reopen()
            .holds(Full::through(3).failure("a", "FA").failure("c", "FC").failure("b", "FB")),
        Script::new(
            "bury-missing",
            "R15 R18",
            "bury of a row that is not there is `Missing` and adds no failure record",
        )
        .persist([(insert("a", "A"), at(1)), (remove("a"), Done)])
        .persist([(bury(1, "a", "F"), Missing), (bury(7, "x", "F"), Missing)])
        .holds(Full::through(1)),
        Script::new(
            "bury-replaces",
            "R15",
            "a failure record replaces the one of its id, and is then the newest",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
        .persist([(bury(1, "a", "F1"), Done), (bury(2, "b", "FB"), Done)])
        .persist([(insert("a", "A2"), at(3)), (bury(3, "a", "F2"), Done)])
        .holds(Full::through(3).failure("b", "FB").failure("a", "F2")),
        Script::new(
            "retry-failure",
            "R15",
            "retry takes the failure record back and adds the new item, in one write",
        )
        .persist([(insert("a", "A"), at(1)), (bury(1, "a", "F"), Done)])
        .persist_as(1, Token::Unfenced, [(retry("a", "a2", "A2"), at(2))])
        .holds(Full::through(2).row(2, "A2"))
        .persist([(bury(2, "a2", "F2"), Done), (retry("a2", "a2", "A3"), at(3))])
        .holds(Full::through(3).row(3, "A3")),
        Script::new("retry-failure-missing", "R15", "without its failure record, retry adds nothing")
            .persist([(insert("a", "A"), at(1)), (bury(1, "a", "F"), Done)])
            .persist([(retry("x", "x2", "X"), Missing), (dismiss("a"), Done)])
            .persist([(retry("a", "a2", "A2"), Missing)])
            .holds(Full::through(1)),
        Script::new(
            "retry-failure-duplicate",
            "R15",
            "if the new id is taken, retry leaves the failure record",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2)), (bury(1, "a", "F"), Done)])
        .persist([(retry("a", "b", "again"), Duplicate)])
        .holds(Full::through(2).row(2, "B").failure("a", "F")),
        Script::new("dismiss-failure", "R15", "dismiss forgets one failure record, from any replica, once")
            .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
            .persist([(bury(1, "a", "FA"), Done), (bury(2, "b", "FB"), Done)])
            .persist_as(1, Token::Unfenced, [(dismiss("a"), Done), (dismiss("a"), Missing)])
            .holds(Full::through(2).failure("b", "FB")),
    ]
}

/// Who may write.
fn fences() -> Vec<Script> {
    let kept = Full::through(2).row(1, "A").row(2, "B");
    vec![
        Script::new(
            "fence-is-equality",
            "R27",
            "a fence passes if store id and epoch are equal, not if it is newer",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
        .acquire(0, kept.clone())
        .persist_fenced(0, Token::Older, &[put(1, "old")])
        .persist_fenced(0, Token::Newer, &[put(1, "new")])
        .persist_fenced(0, Token::OtherStore, &[put(1, "other")])
        .load_fenced(0, Token::Older, Ask::Full)
        .load_fenced(0, Token::Newer, Ask::Items(vec![1]))
        .load_fenced(0, Token::OtherStore, Ask::Since { transactions: 1, through: 0 })
        .load(0, Token::Current, kept.clone())
        .persist_as(0, Token::Current, [(put(1, "mine"), Done)])
        .holds(Full::through(2).row(1, "mine").row(2, "B")),
        Script::new(
            "takeover-fences",
            "R27",
            "after another acquire the old leader is refused, the new one passes",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
        .acquire(0, kept.clone())
        .acquire(1, kept.clone())
        .persist_fenced(0, Token::Older, &[delete(1), insert("c", "C")])
        .persist_as(1, Token::Current, [(delete(1), Done), (insert("d", "D"), at(3))])
        .holds(Full::through(3).row(2, "B").row(3, "D")),
        Script::new("unfenced-passes", "R18 R27", "a write without a fence passes whoever leads")
            .acquire(1, Full::through(0))
            .persist([(insert("a", "A"), at(1)), (pause("auth"), Done)])
            .persist([(remove("a"), Done), (resume("auth"), Done)])
            .holds(Full::through(1)),
        Script::new(
            "fence-outlives-restart",
            "R27",
            "store id and epoch are stored: a fence holds after a restart",
        )
        .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2))])
        .acquire(0, kept.clone())
        .acquire(0, kept.clone())
        .reopen()
        .persist_fenced(0, Token::Older, &[delete(1)])
        .persist_as(0, Token::Current, [(delete(2), Done)])
        .acquire(1, Full::through(2).row(1, "A")),
        Script::new("refused-leaves-no-trace", "R1 R27", "a fenced transaction does none of its writes")
            .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2)), (pause("auth"), Done)])
            .persist([(insert("c", "C"), at(3)), (bury(3, "c", "F"), Done)])
            .acquire(0, Full::through(3).row(1, "A").row(2, "B").failure("c", "F").paused(&["auth"]))
            .persist_fenced(
                1,
                Token::Older,
                &[
                    delete(1),
                    bury(2, "b", "F2"),
                    retry("c", "c2", "C2"),
                    dismiss("c"),
                    remove("a"),
                    put(2, "B2"),
                    insert("d", "D"),
                    pause("quota"),
                    resume("auth"),
                ],
            )
            .holds(Full::through(3).row(1, "A").row(2, "B").failure("c", "F").paused(&["auth"])),
    ]
}

/// Order, size, sharing, restart.
fn transactions() -> Vec<Script> {
    let many = |n: u64| (insert(&format!("id-{n}"), &format!("record {n}")), at(n));
    let again = |n: u64| format!("again {n}");
    let all = (1..=300).fold(Full::through(300), |full, n| full.row(n, &again(n)));
    let rest = (151..=300).fold(Full::through(300), |full, n| full.row(n, &again(n)));
    let put_all = (1..=300).fold(Part::default(), |part, n| part.row(n, &again(n)));
    let half_gone = |part: Part| (1..=150).fold(part, |part, n| part.gone(n, Some(committed())));
    let left = (151..=300).fold(Part::default(), |part, n| part.row(n, &again(n)));
    vec![
        Script::new("writes-run-in-order", "R4", "each write of a transaction sees what those before it did")
            .persist([
                (remove("a"), Missing),
                (insert("a", "A"), at(1)),
                (put(1, "A2"), Done),
                (bury(1, "a", "F"), Done),
                (put(1, "A3"), Missing),
                (insert("a", "A4"), at(2)),
                (remove("a"), Done),
                (retry("a", "a", "A5"), at(3)),
                (dismiss("a"), Missing),
                (pause("p"), Done),
                (resume("p"), Done),
                (resume("p"), Missing),
            ])
            .holds(Full::through(3).row(3, "A5")),
        Script::new(
            "missing-does-not-abort",
            "R4",
            "`Missing` and `Duplicate` stop none of the writes after them",
        )
        .persist([
            (delete(5), Missing),
            (insert("a", "A"), at(1)),
            (insert("a", "A2"), Duplicate),
            (resume("none"), Missing),
            (insert("b", "B"), at(2)),
        ])
        .holds(Full::through(2).row(1, "A").row(2, "B")),
        Script::new(
            "three-hundred-writes",
            "R4 R28",
            "a transaction may be long, and is one; so may a load be",
        )
        .persist_as(0, Token::Unfenced, (1..=300).map(many))
        .persist_as(0, Token::Unfenced, (1..=300).map(|n| (put(n, &again(n)), Done)))
        .load_part(1, since(1, 300), put_all, all)
        .persist_as(1, Token::Unfenced, (1..=150).map(|n| (delete(n), Done)))
        .load_part(0, since(1, 300), half_gone(Part::default()), rest.clone())
        .load_part(0, Ask::Items((1..=300).collect()), half_gone(left), rest.clone())
        .holds(rest),
        Script::new("replicas-share-one-store", "R28", "what one replica committed, the other sees at once")
            .persist([(insert("a", "A"), at(1))])
            .load(1, Token::Unfenced, Full::through(1).row(1, "A"))
            .persist_as(1, Token::Unfenced, [(put(1, "A2"), Done), (insert("b", "B"), at(2))])
            .load(0, Token::Unfenced, Full::through(2).row(1, "A2").row(2, "B"))
            .persist([(remove("b"), Done)])
            .persist_as(1, Token::Unfenced, [(remove("b"), Missing), (insert("b", "B2"), at(3))])
            .holds(Full::through(3).row(1, "A2").row(3, "B2")),
        Script::new("restart-keeps-everything", "R1 R15 R20", "what was committed is there after a restart")
            .persist([(insert("a", "A"), at(1)), (insert("b", "B"), at(2)), (insert("c", "C"), at(3))])
            .persist([(put(1, "A2"), Done), (bury(2, "b", "F"), Done), (pause("auth"), Done)])
            .acquire(1, Full::through(3).row(1, "A2").row(3, "C").failure("b", "F").paused(&["auth"]))
            .reopen()
            .holds(Full::through(3).row(1, "A2").row(3, "C").failure("b", "F").paused(&["auth"]))
            .persist([(insert("c", "C2"), Duplicate), (retry("b", "b2", "B2"), at(4))])
            .reopen()
            .holds(Full::through(4).row(1, "A2").row(3, "C").row(4, "B2").paused(&["auth"])),
    ]
}

/// Three items, `a` to `c`, before the story begins.
fn with_three(name: &'static str, rules: &'static str, clause: &'static str) -> Script {
    let inserts = [(insert("a", "A"), at(1)), (insert("b", "B"), at(2)), (insert("c", "C"), at(3))];
    Script::new(name, rules, clause).persist(inserts)
}

fn since(transactions: u64, through: u64) -> Ask {
    Ask::Since { transactions, through }
}

/// `Scope::Items` and `Scope::Since`: rows.
fn partial_loads() -> Vec<Script> {
    let three = Full::through(3).row(1, "A").row(2, "B").row(3, "C");
    let changed = Full::through(4).row(1, "A2").row(3, "C").row(4, "D");
    vec![
        with_three("load-items", "R2 R28", "the rows at these places in order; places without one are gone")
            .persist([(delete(2), Done)])
            .load_part(
                1,
                Ask::Items(vec![9, 3, 2, 1]),
                Part::default().row(1, "A").row(3, "C").gone(2, Some(committed())).gone(9, None),
                Full::through(3),
            )
            .load_part(1, Ask::Items(vec![]), Part::default(), Full::through(3)),
        with_three("load-since-now", "R28", "nothing changed since the last transaction").load_part(
            1,
            since(0, 3),
            Part::default(),
            three,
        ),
        with_three(
            "load-since",
            "R28",
            "rows put since, rows above `through` and rows gone since, each once",
        )
        .persist([(put(1, "A1"), Done), (insert("d", "D"), at(4))])
        .persist_as(1, Token::Unfenced, [(put(1, "A2"), Done), (put(2, "B2"), Done), (remove("b"), Done)])
        .load_part(
            1,
            since(2, 3),
            Part::default().row(1, "A2").row(4, "D").gone(2, Some(Outcome::Removed)),
            changed.clone(),
        )
        .load_part(
            0,
            since(1, 4),
            Part::default().row(1, "A2").gone(2, Some(Outcome::Removed)),
            changed.clone(),
        )
        .reopen()
        .load_part(
            0,
            since(2, 3),
            Part::default().row(1, "A2").row(4, "D").gone(2, Some(Outcome::Removed)),
            changed,
        ),
        with_three("load-since-came-and-went", "R28", "a row that came and went since is gone")
            .persist([(insert("d", "D"), at(4)), (insert("e", "E"), at(5))])
            .persist([(delete(4), Done)])
            .load_part(
                1,
                since(2, 3),
                Part::default().row(5, "E").gone(4, Some(committed())),
                Full::through(5).row(1, "A").row(2, "B").row(3, "C").row(5, "E"),
            ),
    ]
}

/// `Scope::Since`: what is not rows.
fn partial_loads_beside_rows() -> Vec<Script> {
    let three = Full::through(3).row(1, "A").row(2, "B").row(3, "C");
    let buried = Full::through(3).row(1, "A").row(3, "C").failure("b", "F");
    vec![
        with_three(
            "load-since-failures",
            "R15 R28",
            "the failure records come with it if any was added or deleted since",
        )
        .persist([(bury(2, "b", "F"), Done)])
        .load_part(1, since(1, 3), Part::default().gone(2, None).with_failures(), buried.clone())
        .persist([(put(1, "A"), Done)])
        .load_part(1, since(1, 3), Part::default().row(1, "A"), buried)
        .persist([(dismiss("b"), Done)])
        .load_part(
            1,
            since(1, 3),
            Part::default().with_failures(),
            Full::through(3).row(1, "A").row(3, "C"),
        ),
        with_three("load-since-pause", "R20 R28", "pause reasons come with every load")
            .persist([(pause("auth"), Done)])
            .load_part(1, since(1, 3), Part::default(), three.clone().paused(&["auth"])),
        with_three(
            "load-since-the-future",
            "R28",
            "a change counter that the store has not reached: everything",
        )
        .line(
            Request::Load(1, Token::Unfenced, Ask::SinceFuture),
            Expect::Snapshot { acquired: false, full: three, part: None },
        ),
    ]
}

/// Bytes of ids and records.
fn payloads() -> Vec<Script> {
    let odd = [
        "",
        " \n{}\t",
        "not JSON",
        "a\0b",
        "\u{feff}{\"a\":1.0e0}",
        "'; DROP TABLE items; --",
        "\u{10ffff}é",
    ];
    let odd_rows = (1..).zip(odd);
    let longest = "é".repeat(128);
    let ids = ["a", "A", "a ", "é", "e\u{301}", "a\0b", "a\0c", "👩‍👩‍👧", "1", "1.0", longest.as_str()];
    let large = String::from("x").repeat((1 << 20) + 1);
    vec![
        Script::new(
            "records-are-untouched",
            "R24 R25",
            "a record comes back byte for byte, whatever it says",
        )
        .persist_as(
            0,
            Token::Unfenced,
            odd_rows.clone().map(|(n, text)| (insert(&format!("{n}"), text), at(n))),
        )
        .reopen()
        .holds(odd_rows.clone().fold(Full::through(7), |full, (n, text)| full.row(n, text)))
        .persist_as(0, Token::Unfenced, odd_rows.clone().map(|(n, _)| (put(n, "other"), Done)))
        .persist_as(0, Token::Unfenced, odd_rows.clone().map(|(n, text)| (put(n, text), Done)))
        .holds(odd_rows.clone().fold(Full::through(7), |full, (n, text)| full.row(n, text)))
        .persist_as(
            0,
            Token::Unfenced,
            odd_rows.clone().map(|(n, text)| (bury(n, &format!("{n}"), text), Done)),
        )
        .holds(odd_rows.fold(Full::through(7), |full, (n, text)| full.failure(&format!("{n}"), text))),
        Script::new(
            "ids-are-bytes",
            "R24",
            "ids are equal if their bytes are: no case, no normal form, no trimming",
        )
        .persist_as(0, Token::Unfenced, (1..).zip(ids).map(|(n, id)| (insert(id, id), at(n))))
        .persist_as(1, Token::Unfenced, ids.map(|id| (insert(id, id), Duplicate)))
        .holds((1..).zip(ids).fold(Full::through(11), |full, (n, id)| full.row(n, id)))
        .persist_as(0, Token::Unfenced, (1..).zip(ids).map(|(n, id)| (bury(n, id, id), Done)))
        .holds(ids.iter().fold(Full::through(11), |full, id| full.failure(id, id)))
        .persist_as(0, Token::Unfenced, ids.map(|id| (dismiss(id), Done)))
        .holds(Full::through(11)),
        Script::new("large-records", "R4 R32", "records above 1 MiB are stored whole")
            .persist([(insert("a", &large), at(1)), (insert("b", "B"), at(2))])
            .persist([(put(2, &large), Done)])
            .reopen()
            .holds(Full::through(2).row(1, &large).row(2, &large)),
    ]
}
