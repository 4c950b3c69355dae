//! Counting: callgrind does the instructions, this the allocations.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static COUNTS: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn note() {
    if COUNTS.load(Ordering::Relaxed) {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: hands everything to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) };
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Does the work, all of which counts. Callgrind knows this function by its name, and collects inside of it alone.
pub fn counted(mut work: impl FnMut()) {
    COUNTS.store(true, Ordering::Relaxed);
    omdp_counted(&mut work);
    COUNTS.store(false, Ordering::Relaxed);
}

#[unsafe(no_mangle)]
#[inline(never)]
fn omdp_counted(work: &mut dyn FnMut()) {
    work();
}

/// All of them so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// In place of the C library's: std seeds its hash tables from this, and what collides in them depends on the seed.
///
/// # Safety
/// `buffer` has room for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, len: usize, _flags: u32) -> isize {
    // SAFETY: as the caller promised.
    unsafe { buffer.write_bytes(0x5a, len) };
    len as isize
}
