//! A to-do list for the browser: everything typed is kept, and reaches the server when it can.
//!
//! Build it and put glue beside it; then serve the folder with a server that takes `POST /todos`:
//!
//! ```sh
//! cargo build --release -p outbox-wasm --example todos --target wasm32-unknown-unknown
//! wasm-bindgen --target web --out-dir drivers/wasm/examples/todos/pkg \
//!     target/wasm32-unknown-unknown/release/examples/todos.wasm
//! ```

mod server;

use outbox_wasm::{
    Executor, Live,
    outbox::{Mutator, Projection, View},
};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::spawn_local;
use web_sys::{Document, Event, HtmlInputElement};

/// One line of the list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Todo {
    /// Made by the page: the server takes it as it is.
    pub(crate) id: String,
    /// What is to be done.
    pub(crate) text: String,
}

/// Starts the app.
///
/// # Errors
/// What the page or its store has refused.
#[wasm_bindgen(start)]
pub async fn start() -> Result<(), JsValue> {
    let executor = Executor::builder("todos")
        .mutator(Mutator::<Todo>::new("addTodo").idempotency_key(), server::add_todo)
        .start()
        .await
        .map_err(|error| JsValue::from_str(&error.to_string()))?;
    let projection =
        Projection::new().on("addTodo", |todos: &mut Vec<Todo>, todo: &Todo| todos.push(todo.clone()));
    let live = executor.view(View::new(projection, Vec::new()));
    listen(&executor)?;
    spawn_local(show(executor, live));
    Ok(())
}

/// Enqueues what is typed.
fn listen(executor: &Executor) -> Result<(), JsValue> {
    let input: HtmlInputElement = element("new-todo")?;
    let executor = executor.clone();
    let typed = Closure::<dyn Fn(Event)>::new(move |event: Event| {
        let Some(input) = event.target().and_then(|target| target.dyn_into::<HtmlInputElement>().ok()) else {
            return;
        };
        let todo = Todo { id: event.time_stamp().to_string(), text: input.value() };
        input.set_value("");
        let executor = executor.clone();
        spawn_local(async move {
            let said = match executor.enqueue("addTodo", &todo).await {
                Ok(_) => String::from("kept"),
                Err(error) => error.to_string(),
            };
            say("status", &said);
        });
    });
    input.add_event_listener_with_callback("change", typed.as_ref().unchecked_ref())?;
    typed.forget(); // the page listens as long as it lives
    Ok(())
}

/// Shows the list, and what has become of each line, whenever that changes.
async fn show(executor: Executor, live: Live<Vec<Todo>>) {
    loop {
        let lines =
            live.read(|todos| todos.iter().map(|todo| todo.text.clone()).collect::<Vec<_>>().join("\n"));
        say("todos", &lines);
        let pending = executor.pending();
        let waits = pending.iter().filter_map(|item| executor.explain(&item.id));
        say("waiting", &waits.map(|blocked| blocked.reason.to_string()).collect::<Vec<_>>().join("\n"));
        if live.changed().await.is_err() {
            return;
        }
    }
}

fn say(id: &str, text: &str) {
    if let Ok(element) = element::<web_sys::Element>(id) {
        element.set_text_content(Some(text));
    }
}

fn element<T: JsCast>(id: &str) -> Result<T, JsValue> {
    let document: Option<Document> = web_sys::window().and_then(|window| window.document());
    let found = document.and_then(|document| document.get_element_by_id(id));
    let found = found.and_then(|element| element.dyn_into().ok());
    found.ok_or_else(|| JsValue::from_str(&format!("the page has no `#{id}`")))
}
