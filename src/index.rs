//! `Index`: a hash lookup for data that is kept elsewhere.
//!
//! It is never iterated, so its order cannot leak into behaviour; and as it follows from the rest of
//! the state, it adds nothing to that state's hash.

use core::hash::{Hash, Hasher};

use hashbrown::{Equivalent, HashMap};

#[derive(Clone, Debug)]
pub(crate) struct Index<K, V>(HashMap<K, V, foldhash::fast::FixedState>);

impl<K, V> Default for Index<K, V> {
    fn default() -> Self {
        Self(HashMap::default())
    }
}

impl<K: Hash + Eq, V: PartialEq> Index<K, V> {
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        self.0.insert(key, value)
    }

    pub(crate) fn find<Q: Hash + Equivalent<K> + ?Sized>(&self, key: &Q) -> Option<&V> {
        self.0.get(key)
    }

    /// Takes `key` out, if it leads to `value`.
    pub(crate) fn remove<Q: Hash + Equivalent<K> + ?Sized>(&mut self, key: &Q, value: &V) {
        if let Some((key, other)) = self.0.remove_entry(key).filter(|(_, found)| found != value) {
            self.0.insert(key, other);
        }
    }

    pub(crate) fn reserve(&mut self, more: usize) {
        self.0.reserve(more);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: Hash + Eq, V: PartialEq> PartialEq for Index<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K: Hash + Eq, V: Eq> Eq for Index<K, V> {}

impl<K, V> Hash for Index<K, V> {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}
