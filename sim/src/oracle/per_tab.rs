//! `PerTab`: what an oracle keeps for each tab.

/// One `T` per tab; a tab that was not seen yet has the default.
#[derive(Debug, Default)]
pub(super) struct PerTab<T>(Vec<T>);

impl<T: Default> PerTab<T> {
    /// What is kept for this tab.
    pub(super) fn of(&mut self, tab: u32) -> &mut T {
        let at = tab as usize;
        if self.0.len() <= at {
            self.0.resize_with(at + 1, T::default);
        }
        &mut self.0[at]
    }

    /// A page is opened: what was kept of the one before it is forgotten.
    pub(super) fn opened(&mut self, tab: u32) {
        *self.of(tab) = T::default();
    }
}
