//! `Sorted`: a small ordered set in one piece of memory.
//!
//! Most sets of the core come and go between empty and a few, or grow at the end and shrink at the front:
//! there a ring is faster than a tree, and keeps its memory. A change in the middle moves what is on the
//! shorter side of it.

use alloc::{
    collections::{VecDeque, vec_deque},
    sync::Arc,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sorted<T>(VecDeque<T>);

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T: Ord> Sorted<T> {
    /// Whether it was not in the set yet.
    pub(crate) fn insert(&mut self, value: T) -> bool {
        if self.0.back().is_none_or(|last| *last < value) {
            self.0.push_back(value);
            return true;
        }
        match self.0.binary_search(&value) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, value);
                true
            }
        }
    }

    /// Whether it was in the set.
    pub(crate) fn remove(&mut self, value: &T) -> bool {
        if self.0.front() == Some(value) {
            self.0.pop_front();
            return true;
        }
        let found = self.0.binary_search(value);
        found.is_ok_and(|at| self.0.remove(at).is_some())
    }

    pub(crate) fn contains(&self, value: &T) -> bool {
        self.0.binary_search(value).is_ok()
    }

    /// Which one in order it is, if it is in the set.
    pub(crate) fn find(&self, value: &T) -> Option<usize> {
        self.0.binary_search(value).ok()
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.0.front()
    }

    pub(crate) fn pop_first(&mut self) -> Option<T> {
        self.0.pop_front()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    pub(crate) fn iter(&self) -> vec_deque::Iter<'_, T> {
        self.0.iter()
    }
}

impl<T: Ord> Extend<T> for Sorted<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, values: I) {
        for value in values {
            self.insert(value);
        }
    }
}

impl<T: Ord> FromIterator<T> for Sorted<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        let mut sorted = Self::default();
        sorted.extend(values);
        sorted
    }
}

impl<T> IntoIterator for Sorted<T> {
    type Item = T;
    type IntoIter = vec_deque::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Sorted<T> {
    type Item = &'a T;
    type IntoIter = vec_deque::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// A few texts, each once: names of mutators, reasons of a pause.
pub(crate) type Texts = Sorted<Arc<str>>;

impl Texts {
    pub(crate) fn get(&self, text: &str) -> Option<&Arc<str>> {
        let at = self.0.binary_search_by(|held| (**held).cmp(text)).ok()?;
        self.0.get(at)
    }

    /// Takes it out.
    pub(crate) fn forget(&mut self, text: &str) {
        if let Ok(at) = self.0.binary_search_by(|held| (**held).cmp(text)) {
            self.0.remove(at);
        }
    }
}
