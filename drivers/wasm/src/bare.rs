//! What `std` would bring: an allocator, and what a panic does.
//!
//! A panic means a bug in this library. It ends in a trap, which the page sees as a `RuntimeError` with the
//! stack: as with `std`, whose words go nowhere in a page.

use core::panic::PanicInfo;

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;

#[panic_handler]
fn trap(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}
