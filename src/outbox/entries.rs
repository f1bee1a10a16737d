//! `Entries`: the stored items by their place.
//!
//! Places are dense: they rise by one, and most items go in about the order they came. So a page holds a
//! run of places, a shelf a run of pages, and the list of the shelves stays short enough to be looked up
//! often.

use alloc::{boxed::Box, vec::Vec};
use core::ops::RangeInclusive;

use super::entry::Entry;
use crate::item::Seq;

/// Places of one page: few, as one that stays keeps the memory of all, and small blocks are allocated faster.
const PAGE: usize = 8;
/// Pages of one shelf: that many pointers.
const SHELF: usize = 128;

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Entries {
    /// In order of place / ([`SHELF`] · [`PAGE`]); none is empty.
    shelves: Vec<(u64, Box<Shelf>)>,
    len: usize,
}

type Page = Run<Entry, PAGE>;
/// None of its pages is empty.
type Shelf = Run<Box<Page>, SHELF>;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Run<T, const LEN: usize> {
    held: usize,
    run: [Option<T>; LEN],
}

impl<T, const LEN: usize> Run<T, LEN> {
    const EMPTY: Self = Self { held: 0, run: [const { None }; LEN] };

    fn insert(&mut self, at: usize, value: T) -> Option<T> {
        let before = self.run[at].replace(value);
        self.held += usize::from(before.is_none());
        before
    }

    fn remove(&mut self, at: usize) -> Option<T> {
        let value = self.run[at].take()?;
        self.held -= 1;
        Some(value)
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.run.iter().enumerate().filter_map(|(at, value)| Some((at, value.as_ref()?)))
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut T)> {
        self.run.iter_mut().enumerate().filter_map(|(at, value)| Some((at, value.as_mut()?)))
    }
}

/// The shelf of a place, where in it the page is, and where in that the place.
fn locate(seq: Seq) -> (u64, usize, usize) {
    let (page, at) = (seq.0 / PAGE as u64, seq.0 % PAGE as u64);
    (page / SHELF as u64, (page % SHELF as u64) as usize, at as usize)
}

fn place(shelf: u64, page: usize, at: usize) -> Seq {
    Seq((shelf * SHELF as u64 + page as u64) * PAGE as u64 + at as u64)
}

impl Entries {
    /// Where a shelf is; else where it would be.
    fn find(&self, shelf: u64) -> Result<usize, usize> {
        match self.shelves.last() {
            Some((last, _)) if *last < shelf => Err(self.shelves.len()),
            _ => self.shelves.binary_search_by_key(&shelf, |(number, _)| *number),
        }
    }

    pub(super) fn get(&self, seq: Seq) -> Option<&Entry> {
        let (shelf, page, at) = locate(seq);
        self.shelves[self.find(shelf).ok()?].1.run[page].as_ref()?.run[at].as_ref()
    }

    pub(super) fn get_mut(&mut self, seq: Seq) -> Option<&mut Entry> {
        let (shelf, page, at) = locate(seq);
        let shelf = self.find(shelf).ok()?;
        self.shelves[shelf].1.run[page].as_mut()?.run[at].as_mut()
    }

    pub(super) fn contains(&self, seq: Seq) -> bool {
        self.get(seq).is_some()
    }

    pub(super) fn insert(&mut self, seq: Seq, entry: Entry) {
        let (number, page, at) = locate(seq);
        let shelf = self.find(number).unwrap_or_else(|shelf| {
            self.shelves.insert(shelf, (number, Box::new(Shelf::EMPTY)));
            shelf
        });
        let shelf = &mut self.shelves[shelf].1;
        if shelf.run[page].is_none() {
            shelf.insert(page, Box::new(Page::EMPTY));
        }
        let page = shelf.run[page].as_mut().expect("a page that was missing was just made");
        self.len += usize::from(page.insert(at, entry).is_none());
    }

    pub(super) fn remove(&mut self, seq: Seq) -> Option<Entry> {
        let (number, page_number, at) = locate(seq);
        let shelf_number = self.find(number).ok()?;
        let shelf = &mut self.shelves[shelf_number].1;
        let page = shelf.run[page_number].as_mut()?;
        let entry = page.remove(at)?;
        self.len -= 1;
        if page.held == 0 {
            shelf.remove(page_number);
        }
        if shelf.held == 0 {
            self.shelves.remove(shelf_number);
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
        self.shelves.iter_mut().flat_map(|&mut (shelf, ref mut pages)| {
            pages.iter_mut().flat_map(move |(page, entries)| {
                entries.iter_mut().map(move |(at, entry)| (place(shelf, page, at), entry))
            })
        })
    }

    /// Those at these places, in order.
    pub(super) fn range(&self, seqs: RangeInclusive<Seq>) -> impl Iterator<Item = (Seq, &Entry)> {
        let (first, last) = (locate(*seqs.start()).0, locate(*seqs.end()).0);
        let from = self.find(first).unwrap_or_else(|from| from);
        let shelves = self.shelves[from..].iter().take_while(move |(shelf, _)| *shelf <= last);
        let entries = shelves.flat_map(|&(shelf, ref pages)| {
            pages.iter().flat_map(move |(page, entries)| {
                entries.iter().map(move |(at, entry)| (place(shelf, page, at), entry))
            })
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
