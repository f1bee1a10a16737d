//! `Channel`: what replicas of one outbox tell each other (R26, R28). Any message may be lost.

use alloc::{rc::Weak, string::String, vec::Vec};

use outbox::{
    Input, Poke,
    lease::ElectionMessage,
    wire::{self, FromJson, Malformed, Reader, Text, ToJson},
};
use wasm_bindgen::prelude::*;

use crate::engine::Engine;

#[wasm_bindgen]
extern "C" {
    /// A channel: see `ChannelPort` in `js/types.d.ts`.
    pub type ChannelPort;
    #[wasm_bindgen(method, structural, catch)]
    fn post(this: &ChannelPort, text: &str) -> Result<(), JsValue>;
    #[wasm_bindgen(method, setter, structural)]
    fn set_onmessage(this: &ChannelPort, heard: Option<&JsValue>);
    #[wasm_bindgen(method, structural)]
    fn close(this: &ChannelPort);
}

/// One message, as JSON.
pub(crate) enum Message {
    /// Something was committed.
    Poke(Poke),
    /// Who is alive?
    Ping { to: Option<String>, from: String, parked: Vec<String> },
    /// I am.
    Pong { to: String, from: String, registered: Vec<String> },
    /// Of the election by leases.
    Election(ElectionMessage),
}

/// The channel, and the ear that listens to it.
pub(crate) struct Channel {
    port: ChannelPort,
    _ear: Closure<dyn Fn(JsValue)>,
}

impl Channel {
    pub(crate) fn open(port: ChannelPort, engine: &Weak<Engine>) -> Self {
        let engine = Weak::clone(engine);
        let ear = Closure::new(move |text: JsValue| {
            // Another build may say what this one does not understand: it is lost, as any message may be.
            let message = text.as_string().and_then(|text| wire::from_json(&text).ok());
            if let (Some(engine), Some(message)) = (engine.upgrade(), message) {
                engine.hear(message);
            }
        });
        port.set_onmessage(Some(ear.as_ref()));
        Self { port, _ear: ear }
    }

    pub(crate) fn post(&self, message: &Message) {
        if let Err(thrown) = self.port.post(&wire::to_json(message)) {
            crate::clock::report(&thrown);
        }
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.port.set_onmessage(None);
        self.port.close();
    }
}

impl ToJson for Message {
    fn to_json(&self, text: &mut Text) {
        text.open();
        match self {
            Self::Poke(poke) => poke.to_json(text.name("poke")),
            Self::Ping { to, from, parked } => {
                text.name("ping").open();
                to.to_json(text.name("to"));
                from.to_json(text.name("from"));
                parked.to_json(text.name("parked"));
                text.close();
            }
            Self::Pong { to, from, registered } => {
                text.name("pong").open();
                to.to_json(text.name("to"));
                from.to_json(text.name("from"));
                registered.to_json(text.name("registered"));
                text.close();
            }
            Self::Election(message) => message.to_json(text.name("election")),
        }
        text.close();
    }
}

impl FromJson for Message {
    fn from_json(from: Reader<'_>) -> Result<Self, Malformed> {
        let (name, inner) = from.variant()?;
        let inner = inner.unwrap_or(from);
        match &*name {
            "poke" => Poke::from_json(inner).map(Self::Poke),
            "ping" => {
                let fields = inner.fields(&["to", "from", "parked"])?;
                let to = fields.read_or_default(0)?;
                Ok(Self::Ping { to, from: fields.read(1)?, parked: fields.read(2)? })
            }
            "pong" => {
                let fields = inner.fields(&["to", "from", "registered"])?;
                Ok(Self::Pong { to: fields.read(0)?, from: fields.read(1)?, registered: fields.read(2)? })
            }
            "election" => ElectionMessage::from_json(inner).map(Self::Election),
            other => from.unknown_variant(other),
        }
    }
}

impl Message {
    /// What it means to this replica; an election is not the outbox's matter.
    pub(crate) fn into_input(self, replica: &str) -> Option<Input> {
        match self {
            Self::Poke(poke) => Some(Input::Poked(poke)),
            Self::Ping { to, from, parked } => {
                let is_meant = to.is_none_or(|to| to == replica) && from != replica;
                is_meant.then_some(Input::Ping { from, parked })
            }
            Self::Pong { to, from, registered } => {
                (to == replica).then_some(Input::Pong { from, registered })
            }
            Self::Election(_) => None,
        }
    }
}
