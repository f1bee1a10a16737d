//! `Registry`: the app's mutators by name: key functions, upgrades of stored args, limits (R7, R23).
//!
//! Functions live here and never in [`Outbox`](crate::Outbox), whose state is plain data. A driver
//! wraps it: it keeps the functions that do the sending beside it, asks it for a [`Draft`] per call,
//! for [`Config::mutators`](crate::Config::mutators) at the start, and lets it upgrade each
//! [`Snapshot`] before the outbox sees it.

use alloc::{
    collections::BTreeMap,
    format,
    string::{String, ToString},
    sync::Arc,
    vec::Vec,
};
use core::{fmt, marker::PhantomData};

use foldhash::fast::FixedState;
use indexmap::IndexMap;
use serde::de::DeserializeOwned;

use crate::{
    config::{AttemptLimit, MutatorConfig},
    error::InputError,
    item::{Draft, Item, ItemId},
    json::Json,
    keys::Key,
    record,
    storage::{Contents, Snapshot},
};

type ExtractKey = dyn Fn(&str, &Json) -> Result<Option<Key>, InputError> + Send + Sync;
type KeyOfArgs = dyn Fn(&str, &Json) -> Result<Option<Key>, InputError> + Send + Sync;
type TypedKey<A> = dyn Fn(&A) -> Result<Option<Key>, InputError> + Send + Sync;
type Upgrade = dyn Fn(Json) -> Result<Json, String> + Send + Sync;

/// The registered mutators, in the order of their registration.
///
/// ```
/// use outbox::{Config, ItemId, Json, Mutator, Registry};
///
/// #[derive(serde::Deserialize)]
/// struct MoveStock { from: String, to: String }
///
/// let mut registry = Registry::new();
/// registry.register(
///     Mutator::<MoveStock>::new("moveStock")
///         .key(|args| [args.from.clone(), args.to.clone()])
///         .idempotency_key(),
/// );
///
/// let args = Json::from_text(r#"{"from":"van","to":"depot"}"#)?;
/// let draft = registry.draft(ItemId::new("m-1")?, "moveStock", args)?;
/// assert_eq!(draft.key.map(|key| key.to_string()).as_deref(), Some("van+depot"));
///
/// let config = Config { mutators: registry.configs(), ..Config::default() };
/// assert!(config.mutators["moveStock"].idempotency_key);
/// # Ok::<(), outbox::InputError>(())
/// ```
#[derive(Clone, Default)]
pub struct Registry {
    mutators: IndexMap<Arc<str>, Registered, FixedState>,
    extract_key: Option<Arc<ExtractKey>>,
}

/// A mutator whose args type is erased.
#[derive(Clone)]
struct Registered {
    config: MutatorConfig,
    key: Arc<KeyOfArgs>,
    upgrade: Option<Arc<Upgrade>>,
}

impl Registry {
    /// A registry of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a mutator; one that is registered under the same name already is replaced, in its place.
    pub fn register<A: DeserializeOwned + 'static>(&mut self, mutator: Mutator<A>) -> &mut Self {
        let Mutator { name, config, key, upgrade, args: PhantomData } = mutator;
        let key: Arc<KeyOfArgs> = Arc::new(move |name, json| {
            let args: A = json.parse().map_err(|cause| wrong_args(name, &cause))?;
            key.as_ref().map_or(Ok(None), |key| key(&args))
        });
        self.mutators.insert(name, Registered { config, key, upgrade });
        self
    }

    /// Sets the key extractor: asked for every mutator whose own key function is missing or has no key
    /// to give (R7). It gets the mutator's name and the args.
    pub fn key_extractor<K: IntoKey>(
        &mut self,
        extract: impl Fn(&str, &Json) -> K + Send + Sync + 'static,
    ) -> &mut Self {
        self.extract_key = Some(Arc::new(move |name, args| extract(name, args).into_key()));
        self
    }

    /// The registered names, in the order of their registration.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.mutators.keys().map(AsRef::as_ref)
    }

    /// Whether `name` is registered.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.mutators.contains_key(name)
    }

    /// The mutators' settings, for [`Config::mutators`](crate::Config::mutators).
    #[must_use]
    pub fn configs(&self) -> BTreeMap<String, MutatorConfig> {
        self.mutators.iter().map(|(name, mutator)| (name.to_string(), mutator.config.clone())).collect()
    }

    /// A mutation to enqueue, its args checked against the mutator's type, its key by the mutator's own
    /// function, else by the key extractor, else left for the core to derive (R7). A key given with the
    /// call goes before all of them: [`Draft::with_key`].
    ///
    /// # Errors
    /// [`InputError::UnknownMutator`]; [`InputError::WrongType`] with serde's words on the field if
    /// `args` are not what the mutator takes; [`InputError::TooLong`] for the key (R32).
    pub fn draft(&self, id: ItemId, name: impl Into<String>, args: Json) -> Result<Draft, InputError> {
        let name = name.into();
        let Some(mutator) = self.mutators.get(name.as_str()) else {
            return Err(InputError::UnknownMutator { name });
        };
        let mut key = (mutator.key)(&name, &args)?;
        if let (None, Some(extract)) = (&key, &self.extract_key) {
            key = extract(&name, &args)?;
        }
        Ok(Draft { key, ..Draft::new(id, name, args) })
    }

    /// Applies the mutators' upgrades to the args of everything that was loaded, failure records
    /// included [they can be retried], before the outbox sees it (R23).
    ///
    /// Nothing is written: an upgraded row is stored in its new form when it is next put. Rows of newer
    /// versions, rows that cannot be read, and rows of mutators with no upgrade are not touched. What an
    /// upgrade refuses is left as it is and told in the answer.
    pub fn upgrade(&self, snapshot: &mut Snapshot) -> Vec<NotUpgraded> {
        let mut refused = Vec::new();
        if self.mutators.values().all(|mutator| mutator.upgrade.is_none()) {
            return refused;
        }
        let (rows, failures) = match &mut snapshot.contents {
            Contents::Full { rows, failures } => (rows, failures.as_mut_slice()),
            Contents::Part { rows, failures, gone: _ } => (rows, failures.as_deref_mut().unwrap_or_default()),
        };
        for row in rows {
            if let Some(item) = row.read_ahead(|name| Arc::from(name))
                && let Some(args) = self.upgraded(item, &mut refused)
            {
                row.record = record::with_args(item.clone(), args).as_bytes().to_vec().into();
            }
        }
        for row in failures {
            if let Ok(mut failure) = record::decode_failure(&row.record, |name| Arc::from(name))
                && let Some(args) = self.upgraded(&failure.item, &mut refused)
            {
                failure.item.args = args;
                row.record = record::encode_failure(&failure).as_bytes().to_vec();
            }
        }
        refused
    }

    /// The item's new args, if its mutator has an upgrade, and it changes them.
    fn upgraded(&self, item: &Item, refused: &mut Vec<NotUpgraded>) -> Option<Json> {
        let upgrade = self.mutators.get(&*item.mutator_name)?.upgrade.as_ref()?;
        match upgrade(item.args.clone()) {
            Ok(args) => (args != item.args).then_some(args),
            Err(problem) => {
                let mutator_name = item.mutator_name.to_string();
                refused.push(NotUpgraded { id: item.id.clone(), mutator_name, problem });
                None
            }
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.mutators.iter().map(|(name, mutator)| (name, &mutator.config))).finish()
    }
}

/// A stored item whose args its mutator's upgrade refused; it stays as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotUpgraded {
    /// The item.
    pub id: ItemId,
    /// Its mutator.
    pub mutator_name: String,
    /// The upgrade's words.
    pub problem: String,
}

/// One mutator to register: its name, its args type `A`, and how its items behave.
///
/// What sends the mutation is the driver's; this is what the core needs to know of it.
pub struct Mutator<A> {
    name: Arc<str>,
    config: MutatorConfig,
    key: Option<Arc<TypedKey<A>>>,
    upgrade: Option<Arc<Upgrade>>,
    args: PhantomData<fn(&A)>,
}

impl<A: DeserializeOwned + 'static> Mutator<A> {
    /// A mutator with default settings. The name is stored with every item and must never change its
    /// meaning; 1 to 256 bytes, checked by [`Config::validate`](crate::Config::validate).
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self {
            name: name.into(),
            config: MutatorConfig::default(),
            key: None,
            upgrade: None,
            args: PhantomData,
        }
    }

    /// Derives the key from the args (R7): a string, an integer, several, a [`Key`], or `None` to leave
    /// it to the key extractor and to `args.id` and `args.ids`.
    #[must_use]
    pub fn key<K: IntoKey>(mut self, key: impl Fn(&A) -> K + Send + Sync + 'static) -> Self {
        self.key = Some(Arc::new(move |args| key(args).into_key()));
        self
    }

    /// Brings args that an older build stored into the form that `A` reads (R23).
    ///
    /// It runs on every item of this mutator at every load, so it gets args that are up to date as well
    /// as old ones, and must give the former back as they are.
    #[must_use]
    pub fn upgrade(mut self, upgrade: impl Fn(Json) -> Result<Json, String> + Send + Sync + 'static) -> Self {
        self.upgrade = Some(Arc::new(upgrade));
        self
    }

    /// Has its upgrade, if it has one by now, run by `run`: for a driver that catches its panics.
    #[must_use]
    pub fn upgrade_within(
        mut self,
        run: impl Fn(&dyn Fn() -> Result<Json, String>) -> Result<Json, String> + Send + Sync + 'static,
    ) -> Self {
        if let Some(upgrade) = self.upgrade.take() {
            self.upgrade = Some(Arc::new(move |args| run(&|| upgrade(args.clone()))));
        }
        self
    }

    /// Its own timeout in milliseconds (R14): 1 to 86,400,000.
    #[must_use]
    pub fn timeout_ms(mut self, timeout_ms: u64) -> Self {
        self.config.timeout_ms = Some(timeout_ms);
        self
    }

    /// Each of its items waits for everything before it and holds everything after it (R7).
    #[must_use]
    pub fn barrier(mut self) -> Self {
        self.config.barrier = true;
        self
    }

    /// Each of its items gets an idempotency key (R21).
    #[must_use]
    pub fn idempotency_key(mut self) -> Self {
        self.config.idempotency_key = true;
        self
    }

    /// Gives up after so many attempts (R16).
    #[must_use]
    pub fn max_attempts(mut self, limit: AttemptLimit) -> Self {
        self.config.max_attempts = Some(limit);
        self
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its settings.
    #[must_use]
    pub fn config(&self) -> &MutatorConfig {
        &self.config
    }
}

impl<A> fmt::Debug for Mutator<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutator")
            .field("name", &self.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// What a key function may return (R7).
pub trait IntoKey {
    /// The key, or `None` if this is no key and the next rule is to be asked.
    ///
    /// # Errors
    /// [`InputError::TooLong`] above 64 keys, or 1,024 bytes in one.
    fn into_key(self) -> Result<Option<Key>, InputError>;
}

impl IntoKey for Key {
    fn into_key(self) -> Result<Option<Key>, InputError> {
        Ok(Some(self))
    }
}

impl IntoKey for () {
    fn into_key(self) -> Result<Option<Key>, InputError> {
        Ok(None)
    }
}

impl<K: IntoKey> IntoKey for Option<K> {
    fn into_key(self) -> Result<Option<Key>, InputError> {
        self.map_or(Ok(None), K::into_key)
    }
}

/// Several keys, in order; an empty list is no key.
impl<K: IntoKey> IntoKey for Vec<K> {
    fn into_key(self) -> Result<Option<Key>, InputError> {
        let mut all: Vec<Arc<str>> = Vec::with_capacity(self.len());
        for one in self {
            if let Some(key) = one.into_key()? {
                all.extend_from_slice(key.keys());
            }
        }
        Ok(Some(Key::new(all)?).filter(|key| !key.is_unknown()))
    }
}

impl<K: IntoKey, const N: usize> IntoKey for [K; N] {
    fn into_key(self) -> Result<Option<Key>, InputError> {
        Vec::from(self).into_key()
    }
}

macro_rules! text_into_key {
    ($($text:ty),*) => {$(
        impl IntoKey for $text {
            fn into_key(self) -> Result<Option<Key>, InputError> {
                Key::one(self).map(Some)
            }
        }
    )*};
}
text_into_key!(&str, String, Arc<str>);

macro_rules! integer_into_key {
    ($($integer:ty),*) => {$(
        /// Its decimal text if it is within ±(2^53−1), as in every language that shares the store; else
        /// it is no key. Larger ids are given as text.
        impl IntoKey for $integer {
            fn into_key(self) -> Result<Option<Key>, InputError> {
                const MAX_SAFE: i64 = (1 << 53) - 1;
                match i64::try_from(self) {
                    Ok(id) if (-MAX_SAFE..=MAX_SAFE).contains(&id) => Key::one(id.to_string()).map(Some),
                    _ => Ok(None),
                }
            }
        }
    )*};
}
integer_into_key!(u8, u16, u32, u64, usize, i8, i16, i32, i64, isize);

fn wrong_args(mutator: &str, cause: &serde_json::Error) -> InputError {
    InputError::WrongType {
        field: String::from("args"),
        expected: format!("what `{mutator}` takes: {cause}"),
    }
}
