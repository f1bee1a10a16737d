//! The public conformance suite of the storage contract, against IndexedDB in a real browser.

use outbox_wasm::{
    Durability, Request, StoragePort, indexed_db,
    outbox::{
        Input,
        storage::{
            OpId,
            conformance::{Answer, Case, Step, cases},
        },
    },
};
use wasm_bindgen_test::wasm_bindgen_test;

const OP: OpId = OpId(1);

#[wasm_bindgen_test]
async fn indexed_db_is_a_storage() {
    for mut case in cases() {
        run(&mut case, Durability::Strict).await;
    }
}

#[wasm_bindgen_test]
async fn indexed_db_is_one_with_relaxed_durability_too() {
    for mut case in cases() {
        run(&mut case, Durability::Relaxed).await;
    }
}

async fn run(case: &mut Case, durability: Durability) {
    let name = format!("conformance {durability:?} {}", case.name());
    let mut replicas = open(&name, durability).await;
    let mut answer = None;
    loop {
        let step = case.next(answer.as_ref()).unwrap_or_else(|nonconformity| panic!("{nonconformity}"));
        let Some(step) = step else { break };
        let (replica, request) = match step {
            Step::Reopen => {
                close(&replicas);
                replicas = open(&name, durability).await;
                answer = Some(Answer::Reopened);
                continue;
            }
            Step::Acquire { replica } => (replica, Request::Acquire { op: OP }),
            Step::Load { replica, fence, scope } => (replica, Request::Load { op: OP, fence, scope }),
            Step::Persist { replica, fence, writes } => (replica, Request::Persist { op: OP, fence, writes }),
        };
        answer = Some(match replicas[replica].answer(&request).await {
            Input::Loaded { result, .. } => Answer::Loaded(result),
            Input::Persisted { result, .. } => Answer::Persisted(result),
            input => unreachable!("a storage answers what it was asked, not {input:?}"),
        });
    }
    close(&replicas);
}

async fn open(name: &str, durability: Durability) -> [StoragePort; 2] {
    let replicas = [indexed_db(durability), indexed_db(durability)];
    for replica in &replicas {
        replica.open(name).await.unwrap();
    }
    replicas
}

fn close(replicas: &[StoragePort]) {
    for replica in replicas {
        replica.close();
    }
}
