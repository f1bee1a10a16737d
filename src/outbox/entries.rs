//! `Entries`: the stored items by their place.
//!
//! Places are dense: they rise by one, and most items go in about the order they came. So a page holds a
//! run of places, and the tree over the pages stays small enough to be looked up often.

use alloc::{boxed::Box, collections::BTreeMap};
use core::ops::RangeInclusive;

use super::entry::Entry;
use crate::item::Seq;

/// Places of one page: few, as one that stays keeps the memory of all.
const RUN: u64 = 16;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Entries {
    /// By place / [`RUN`]; none is empty.
    pages: BTreeMap<u64, Box<Page>>,
    len: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Page {
    held: usize,
    run: [Option<Entry>; RUN as usize],
}

/// The page of a place, and where in it.
fn locate(seq: Seq) -> (u64, usize) {
    (seq.0 / RUN, (seq.0 % RUN) as usize)
}

fn place(page: u64, at: usize) -> Seq {
    Seq(page * RUN + at as u64)
}

impl Entries {
    pub(super) fn get(&self, seq: Seq) -> Option<&Entry> {
        let (page, at) = locate(seq);
        self.pages.get(&page)?.run[at].as_ref()
    }

    pub(super) fn get_mut(&mut self, seq: Seq) -> Option<&mut Entry> {
        let (page, at) = locate(seq);
        self.pages.get_mut(&page)?.run[at].as_mut()
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        self.get(seq).is_some()
    }

    pub(super) fn insert(&mut self, seq: Seq, entry: Entry) {
        let (page, at) = locate(seq);
        let empty = || Box::new(Page { held: 0, run: [const { None }; RUN as usize] });
        let page = self.pages.entry(page).or_insert_with(empty);
        if page.run[at].replace(entry).is_none() {
            page.held += 1;
            self.len += 1;
        }
    }

    pub(super) fn remove(&mut self, seq: Seq) -> Option<Entry> {
        let (number, at) = locate(seq);
        let page = self.pages.get_mut(&number)?;
        let entry = page.run[at].take()?;
        page.held -= 1;
        self.len -= 1;
        if page.held == 0 {
            self.pages.remove(&number);
        }
        Some(entry)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// All of them, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Seq, &Entry)> {
        self.range(Seq(0)..=Seq(u64::MAX))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Seq, &mut Entry)> {
        self.pages.iter_mut().flat_map(|(&number, page)| {
            let run = page.run.iter_mut().enumerate();
            run.filter_map(move |(at, entry)| Some((place(number, at), entry.as_mut()?)))
        })
    }

    /// Those at these places, in order.
    pub(super) fn range(&self, seqs: RangeInclusive<Seq>) -> impl Iterator<Item = (Seq, &Entry)> {
        let (first, last) = (locate(*seqs.start()).0, locate(*seqs.end()).0);
        let pages = self.pages.range(first..=last);
        let entries = pages.flat_map(|(&number, page)| {
            let run = page.run.iter().enumerate();
            run.filter_map(move |(at, entry)| Some((place(number, at), entry.as_ref()?)))
        });
        entries.filter(move |(seq, _)| seqs.contains(seq))
    }

    pub(super) fn seqs(&self) -> impl Iterator<Item = Seq> {
        self.iter().map(|(seq, _)| seq)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Entry> {
        self.iter().map(|(_, entry)| entry)
    }
}
