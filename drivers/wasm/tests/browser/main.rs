//! The crate in a real browser. One program: preparing one for each file takes longer than all tests.

#![cfg(target_arch = "wasm32")]

mod common;

mod conformance;
mod executor;
mod faults;
mod gather;
mod golden;
mod leadership;
mod register;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
